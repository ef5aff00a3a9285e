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
    """A temporary folder to make `names` (databases, and .binaryproto files) in; at the end they are moved to `folder`.

    A run that fails or is killed leaves `folder/<names>` as they were.

    Raises:
        DataError: `require_room` does, before anything is made; or the disk says no.
    """
    require_room(folder, names, force)
    temporary = None
    try:
        os.makedirs(folder or ".", exist_ok=True)
        temporary = tempfile.mkdtemp(prefix=".unfinished-", dir=os.path.abspath(folder))
        yield temporary
        for name in names:
            _move(os.path.join(temporary, name), os.path.join(os.path.dirname(temporary), name))
    except OSError as error:
        raise DataError(
            f"cannot write to '{folder or '.'}': {error.strerror or error}; make room there or choose another place"
        ) from error
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


def _move(new: str, path: str) -> None:
    """Give `new` the name `path`; what had it goes to where `new` was, or stays if anything goes wrong."""
    old = f"{new}.old"
    try:
        if os.path.lexists(path):
            os.rename(path, old)
        os.rename(new, path)
    except BaseException:
        if os.path.lexists(old) and not os.path.lexists(path):
            os.rename(old, path)
        raise


def require_room(folder: str, names: Iterable[str], force: bool = False) -> None:
    """Raise DataError if one of them exists; with `force` only if it is not what this package makes."""
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.lexists(path):
            continue
        if not force:
            raise DataError(f"'{path}' exists already; remove it, choose another place or give --force")
        if not _replaceable(path):
            raise DataError(
                f"'{path}' is {'a folder with other things in it' if os.path.isdir(path) else 'a file'} and no "
                "database, so --force does not replace it; remove it or choose another place"
            )


def _replaceable(path: str) -> bool:
    """Whether nothing but a database, or a mean, would be lost."""
    if not os.path.isdir(path):
        return path.endswith(".binaryproto") or os.path.islink(path)
    files = [entry.name for entry in os.scandir(path) if entry.is_file()]
    is_database = "data.mdb" in files or "CURRENT" in files
    return len(files) == len(os.listdir(path)) and (is_database or not files)


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
