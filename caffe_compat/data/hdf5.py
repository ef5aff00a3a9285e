"""HDF5 files of rows, and lists of such files.

Caffe: src/caffe/layers/hdf5_data_layer.cpp, src/caffe/util/hdf5.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def read_rows(path: str, datasets: Sequence[str]) -> list[np.ndarray]:
    """The datasets of a file, in the order of their names, all with the same number of rows (axis 0).

    Raises:
        DataError: the file is missing or broken, lacks one of them, or they do not fit together.
    """
    try:
        with h5py().File(path, "r") as file:
            arrays = [_read_dataset(file, path, name) for name in datasets]
    except OSError as error:
        raise DataError(
            f"the HDF5 file '{path}' cannot be read: {error}; copy it again or make it again"
        ) from error
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
    if name not in file or not hasattr(file[name], "dtype"):
        raise DataError(
            f"the HDF5 file '{path}' has no dataset '{name}', only {', '.join(map(repr, file)) or 'none'}; "
            "tops are named like the datasets they hold"
        )
    dataset = file[name]
    if dataset.dtype.kind not in "fiu":
        raise DataError(
            f"dataset '{name}' of '{path}' holds {dataset.dtype}; only integers and floats can be used"
        )
    if dataset.ndim == 0:
        raise DataError(
            f"dataset '{name}' of '{path}' is a single number; it needs a row (axis 0) for every item"
        )
    return dataset[...]
