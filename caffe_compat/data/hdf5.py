"""HDF5 files of rows, and lists of such files.

Caffe: src/caffe/layers/hdf5_data_layer.cpp, src/caffe/util/hdf5.cpp.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from caffe_compat.errors import CaffeError, DataError, MissingExtra, from_where, some
from caffe_compat.log import names

# What h5py raises of files that are damaged, or hold other things than expected.
_BROKEN = (
    OSError,
    RuntimeError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
)


def h5py(purpose: str = "reading and writing HDF5 files") -> ModuleType:
    """The h5py module. Raises MissingExtra, which says what for."""
    try:
        import h5py
    except ImportError as error:
        raise MissingExtra("h5py", purpose) from error
    return h5py


@contextmanager
def opened(path: str, purpose: str, complain: Callable[[str], CaffeError]) -> Iterator[Any]:
    """The HDF5 file `path` for reading. What the library finds wrong with it, or in it, is raised as `complain` words it."""
    library = h5py(purpose)
    try:
        with library.File(path, "r") as file:
            yield file
    except _BROKEN as problem:
        what = str(problem).partition("\n")[0]
        if isinstance(problem, OSError) and problem.errno:  # the library repeats the path and flags, too
            what = os.strerror(problem.errno)
        raise complain(what) from problem


def native(array: ArrayLike) -> np.ndarray:
    """The numbers of a dataset as torch takes them: integers as float32, floats of at most 64 bits, in this
    machine's byte order. Raises ValueError for what holds no numbers."""
    array = np.asarray(array)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"a dataset holds {array.dtype}, and only numbers can be used")
    if array.dtype.kind != "f":
        return array.astype(np.float32)
    return array.astype(np.float64 if array.dtype.itemsize > 8 else array.dtype.newbyteorder("="), copy=False)


def key(name: str) -> str | bytes:
    """A name as the library takes it: its bytes where they are no UTF-8."""
    data = names.encode(name)
    return name if data == name.encode(errors="replace") else data


def text(key: str | bytes) -> str:
    """A name that the library gives, which is bytes where they are no UTF-8."""
    return names.decode(key) if isinstance(key, bytes) else key


def members(group: Iterable[str | bytes]) -> list[str]:
    """The names in a group."""
    return list(map(text, group))


def read_names(path: str) -> list[str]:
    """The file names in a list, which white space separates.

    Raises DataError if the list is missing or empty.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            found = file.read().split()
    except OSError as error:
        raise DataError(
            f"the list '{path}' cannot be read: {error.strerror}; give a file of HDF5 file names{from_where(path)}"
        ) from error
    if not found:
        raise DataError(f"the list '{path}' names no file; it needs the name of an HDF5 file a line")
    return found


def read_rows(path: str, datasets: Sequence[str]) -> list[np.ndarray]:
    """The datasets of a file, in the order of their names, all with the same number of rows (axis 0).

    Raises:
        DataError: the file is missing or broken, lacks one of them, or they do not fit together.
    """

    def complain(what: str) -> CaffeError:
        remedy = "copy it again or make it again" if os.path.exists(path) else "make it, or correct the list"
        return DataError(f"the HDF5 file '{path}' cannot be read: {what}; {remedy}{from_where(path)}")

    with opened(path, "reading HDF5 files", complain) as file:
        arrays = [_read_dataset(file, path, name) for name in datasets]
    for name, array in zip(datasets, arrays, strict=True):
        if len(array) != len(arrays[0]):
            raise DataError(
                f"the HDF5 file '{path}' has {len(arrays[0])} rows of '{datasets[0]}' and {len(array)} of '{name}'; "
                "make it again with as many of each"
            )
    if not len(arrays[0]):
        raise DataError(f"the HDF5 file '{path}' has no rows; take it off the list")
    return arrays


def _read_dataset(file: Any, path: str, name: str) -> np.ndarray:
    if (
        name not in members(file)
        and ("/" not in name or name not in file)
        or not hasattr(file[key(name)], "dtype")
    ):
        raise DataError(
            f"the HDF5 file '{path}' has no dataset '{name}', only {some(map(repr, members(file)), name) or 'none'}; "
            "tops are named like the datasets they hold"
        )
    dataset = file[key(name)]
    if dataset.dtype.kind not in "fiu":
        raise DataError(
            f"dataset '{name}' of '{path}' holds {dataset.dtype}; only integers and floats can be used"
        )
    if dataset.ndim == 0:
        raise DataError(
            f"dataset '{name}' of '{path}' is a single number; it needs a row (axis 0) for every item"
        )
    return dataset[...]
