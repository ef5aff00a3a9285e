"""MNIST: its four IDX files read, packed or not.

Source: http://yann.lecun.com/exdb/mnist. The order of the records is that of the files, as in Caffe's
examples/mnist/convert_mnist_data.cpp.
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from math import prod

import numpy as np

from caffe_compat.errors import DataError

CLASSES = 10
URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FILES = {  # with the MD5 of the packed ones
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
_BYTES = 8  # IDX's code of unsigned bytes

Part = tuple[np.ndarray, np.ndarray]  # pictures uint8 (n, 1, 28, 28), labels uint8 (n,)


def load(folder: str) -> tuple[Part, Part]:
    """The training and the test part in a folder of the four files, each as it is or with .gz.

    Raises:
        DataError: a file is missing, damaged or something else.
    """
    arrays = [read_idx(_find(folder, name), 3 if "images" in name else 1) for name in FILES]
    train, train_labels, test, test_labels = arrays
    for pictures, labels, part in ((train, train_labels, "train"), (test, test_labels, "t10k")):
        if len(pictures) != len(labels):
            raise DataError(
                f"'{folder}' has {len(pictures)} {part} pictures and {len(labels)} labels; fetch them again"
            )
        wrong = np.flatnonzero(labels >= CLASSES)
        if wrong.size:
            raise DataError(
                f"'{folder}': {part} record {wrong[0]} has the label {labels[wrong[0]]} and there are {CLASSES} "
                "classes; is it another set in MNIST's format, or damaged?"
            )
    return (train[:, None], train_labels), (test[:, None], test_labels)


def _find(folder: str, name: str) -> str:
    """Archives are also about with a dot for the last dash."""
    names = [name, f"{name}.gz", name.replace("-idx", ".idx"), f"{name.replace('-idx', '.idx')}.gz"]
    for path in (os.path.join(folder, other) for other in names):
        if os.path.isfile(path):
            return path
    raise DataError(f"'{folder}' lacks {name} (with or without .gz); give the folder of MNIST's four files")


def read_idx(path: str, dimensions: int) -> np.ndarray:
    """The unsigned bytes of an IDX file with this many dimensions. Raises DataError."""
    try:
        with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
            content = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"'{path}' cannot be read: {error}; fetch it again") from error
    head = 4 + 4 * dimensions
    if len(content) < head or content[:4] != bytes([0, 0, _BYTES, dimensions]):
        raise DataError(
            f"'{path}' is no IDX file of bytes in {dimensions} dimension{'s' * (dimensions > 1)}; fetch it again"
        )
    shape = struct.unpack(f">{dimensions}I", content[4:head])
    if len(content) - head != prod(shape):
        raise DataError(
            f"'{path}' has {len(content) - head} bytes and its head promises {prod(shape)}; fetch it again"
        )
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)
