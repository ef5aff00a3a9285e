"""Arrays in numpy's .npy format, of files that may be anything."""

from __future__ import annotations

import math
import os
from typing import BinaryIO

import numpy as np

from caffe_compat.errors import DataError

_NUMBERS = "fiub"


def read_npy(path: str) -> np.ndarray:
    """The array of numbers in a .npy file. Raises DataError for a file that is missing or holds anything else."""
    try:
        with open(path, "rb") as file:
            return read_array(file, os.fstat(file.fileno()).st_size)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(
            f"{path}: cannot be read as a numpy array: {reason}; write it again with numpy.save"
        ) from error


def read_header(file: BinaryIO, kinds: str = _NUMBERS) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array that `file` goes on with; it stands at the values then.

    Raises ValueError for one that is none, or whose type is not of these kinds (numpy's letters).
    """
    try:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(file)
    except Exception as error:  # numpy reads the header as Python, and does not say all that may come of it
        raise ValueError(f"its header is broken: {str(error).partition(chr(10))[0]}") from error
    if dtype.kind not in kinds:
        raise ValueError(f"it holds {dtype}, which cannot be used")
    return shape, dtype


def read_array(file: BinaryIO, size: int, kinds: str = _NUMBERS) -> np.ndarray:
    """The array in `file`, which has `size` bytes from where it stands. Raises ValueError as `read_header` does."""
    start = file.tell()
    shape, dtype = read_header(file, kinds)
    wanted, left = math.prod(shape) * dtype.itemsize, size - (file.tell() - start)
    if wanted > left:
        raise ValueError(f"an array of shape {shape} has {wanted} bytes, and {left} are left")
    file.seek(start)
    return np.lib.format.read_array(file, allow_pickle=False)
