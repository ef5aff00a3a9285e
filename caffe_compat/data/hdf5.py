"""Lists of HDF5 files whose rows are read one file after the other.

Caffe: src/caffe/layers/hdf5_data_layer.cpp, src/caffe/util/hdf5.cpp.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from caffe_compat.errors import DataError, MissingExtra


def h5py() -> Any:
    """The h5py module."""
    try:
        import h5py
    except ImportError as error:
        raise MissingExtra("h5py", "reading and writing HDF5 files") from error
    return h5py


def read_names(path: str) -> list[str]:
    """The file names in a list, which white space separates.

    Raises DataError if the list is missing or empty.
    """
    try:
        with open(path, encoding="utf-8") as file:
            names = file.read().split()
    except OSError as error:
        raise DataError(
            f"the list '{path}' cannot be read: {error.strerror}; give a file of HDF5 file names"
        ) from error
    if not names:
        raise DataError(f"the list '{path}' names no file; it needs the name of an HDF5 file a line")
    return names
