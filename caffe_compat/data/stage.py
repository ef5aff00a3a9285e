"""Data sets written so that they appear complete or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from caffe_compat.data import lmdb
from caffe_compat.data.mean import mean_image
from caffe_compat.data.records import serialize
from caffe_compat.errors import DataError
from caffe_compat.proto.binary import write_binaryproto

Chunk = tuple[np.ndarray, np.ndarray]


@contextmanager
def stage(folder: str, names: Sequence[str], force: bool = False) -> Iterator[str]:
    """A temporary folder to make `names` (files or folders) in; at the end they are moved to `folder`.

    A run that fails or is killed leaves `folder/<names>` as they were.

    Raises:
        DataError: one of them exists and `force` is not set, before anything is made; or the disk says no.
    """
    if not force:
        require_absent(folder, names)
    temporary = None
    try:
        os.makedirs(folder or ".", exist_ok=True)
        temporary = tempfile.mkdtemp(prefix=".unfinished-", dir=folder or ".")
        yield temporary
        for name in names:
            path = os.path.join(folder, name)
            if os.path.lexists(path):
                os.rename(path, os.path.join(temporary, f"old-{name}"))
            os.rename(os.path.join(temporary, name), path)
    except OSError as error:
        raise DataError(
            f"cannot write to '{folder or '.'}': {error.strerror or error}; make room there or choose another place"
        ) from error
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


def require_absent(folder: str, names: Iterable[str]) -> None:
    """Raise DataError if one of them exists."""
    for name in names:
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            raise DataError(f"'{path}' exists already; remove it, choose another place or give --force")


def write_set(
    folder: str, names: Sequence[str], train: Iterable[Chunk], test: Iterable[Chunk], force: bool = False
) -> None:
    """Write a training LMDB, a test LMDB and the mean of the training pictures to `folder`.

    Keys are five-digit numbers, as in Caffe's examples/cifar10/convert_cifar_data.cpp.

    Args:
        names: of the two databases and the mean.
        train, test: (pictures uint8 (n, C, H, W), labels (n,)), in any number of chunks.
    """
    with stage(folder, names, force) as temporary:
        train_name, test_name, mean_name = (os.path.join(temporary, name) for name in names)
        train = list(train)
        lmdb.write(train_name, _records(train))
        lmdb.write(test_name, _records(test))
        mean = mean_image(picture for pictures, _ in train for picture in pictures)
        write_binaryproto(mean_name, mean[None])


def _records(chunks: Iterable[Chunk]) -> Iterator[tuple[bytes, bytes]]:
    index = 0
    for pictures, labels in chunks:
        for picture, label in zip(pictures, labels.tolist(), strict=True):
            yield b"%05d" % index, serialize(picture, label)
            index += 1
