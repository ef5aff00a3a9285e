"""CIFAR-10 and CIFAR-100: their files read, in either layout, packed or not.

Source: https://www.cs.toronto.edu/~kriz/cifar.html. The order of the records is that of the files, as in
Caffe's examples/cifar10/convert_cifar_data.cpp.
"""

from __future__ import annotations

import io
import lzma
import os
import pickle
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from caffe_compat.errors import DataError

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_LARGEST = 2**30  # bytes of a file in an archive; CIFAR's have less than a sixth of it


@dataclass(frozen=True)
class Kind:
    """One of the two sets: its archive, and the files in it, without `.bin` in the python layout."""

    archive: str
    md5: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    classes: int
    label_bytes: int  # before the pixels of a record; the last of them is the label
    label_key: bytes  # of the labels in the python layout

    @property
    def url(self) -> str:
        return f"https://www.cs.toronto.edu/~kriz/{self.archive}"


KINDS = {
    "cifar10": Kind(
        "cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530",
        tuple(f"data_batch_{i}" for i in range(1, 6)), ("test_batch",), 10, 1, b"labels",
    ),
    "cifar100": Kind(
        "cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8",
        ("train",), ("test",), 100, 2, b"fine_labels",
    ),
}  # fmt: skip

Part = tuple[np.ndarray, np.ndarray]  # pictures uint8 (n, 3, 32, 32), labels uint8 (n,)


def load(kind: Kind, path: str) -> tuple[Part, Part]:
    """The training and the test part found at `path`: a folder or a tar archive, binary or python layout.

    Raises:
        DataError: `path` is missing, damaged or incomplete, or holds something else.
    """
    wanted = {f"{name}{ending}" for name in (*kind.train, *kind.test) for ending in ("", ".bin")}
    found: dict[str, Part] = {}
    for name, content in _files(path, wanted):
        read = _read_binary if name.endswith(".bin") else _read_python
        found[name.removesuffix(".bin")] = read(kind, f"{path}: {name}", content)
    missing = [name for name in (*kind.train, *kind.test) if name not in found]
    if missing:
        raise DataError(
            f"'{path}' lacks {', '.join(missing)} (with or without .bin); give the folder or the archive "
            f"of {kind.archive} or its python version"
        )
    train, test = ([found[name] for name in names] for names in (kind.train, kind.test))
    return _join(train), _join(test)


def _files(path: str, wanted: set[str]) -> Iterator[tuple[str, bytes]]:
    """The wanted files in a folder, at any depth, or in a tar archive, packed in any way."""
    if os.path.isdir(path):
        for folder, _, names in os.walk(path):
            for name in sorted(wanted.intersection(names)):
                yield name, _content(os.path.join(folder, name))
        return
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = os.path.basename(member.name)
                if name not in wanted or member.isdir():
                    continue
                if not member.isreg():
                    raise DataError(
                        f"'{path}': {member.name} is a link or a device, no file; give an archive of the files themselves"
                    )
                if member.size > _LARGEST:
                    raise DataError(
                        f"'{path}': {member.name} has {member.size} bytes, too many; fetch it again"
                    )
                content = archive.extractfile(member)
                assert content is not None
                yield name, content.read()
    except FileNotFoundError as error:
        raise DataError(
            f"'{path}' does not exist; give --from the folder or archive, or leave it out to download"
        ) from error
    except (
        tarfile.TarError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        OSError,
        ValueError,
        OverflowError,
    ) as error:
        reason = str(error).partition("\n")[0].rstrip(":")  # tarfile has a line for each compression it tried
        raise DataError(f"'{path}' is no complete tar archive: {reason}; fetch it again") from error


def _content(path: str) -> bytes:
    """What a file in a folder holds. Raises DataError where it is none, or cannot be read."""
    try:
        if not os.path.isfile(path):
            raise DataError(f"'{path}' is no file; give the folder of the files themselves")
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}; copy it again") from error


def _read_binary(kind: Kind, name: str, content: bytes) -> Part:
    size = kind.label_bytes + _PIXELS
    if not content or len(content) % size:
        raise DataError(
            f"{name} has {len(content)} bytes, which is no whole number of records of {size}; fetch it again"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, size)
    return _checked(kind, name, records[:, kind.label_bytes :], records[:, kind.label_bytes - 1])


def _read_python(kind: Kind, name: str, content: bytes) -> Part:
    try:
        batch = _Unpickler(io.BytesIO(content), encoding="bytes").load()
        pixels, labels = _numbers(batch[b"data"]), _numbers(batch[kind.label_key])
    except Exception as error:  # a pickle is a program, and a damaged one may raise anything
        raise DataError(f"{name} is no batch of the python layout: {error}; fetch it again") from error
    if pixels.dtype != np.uint8 or labels.ndim != 1 or pixels.shape != (len(labels), _PIXELS):
        raise DataError(
            f"{name} has {labels.size} labels and data of the shape {pixels.shape} ({pixels.dtype}); fetch it again"
        )
    return _checked(kind, name, pixels, labels)


def _checked(kind: Kind, name: str, pixels: np.ndarray, labels: np.ndarray) -> Part:
    wrong = np.flatnonzero((labels < 0) | (labels >= kind.classes))
    if wrong.size:
        raise DataError(
            f"{name}: record {wrong[0]} has the label {labels[wrong[0]]} and there are {kind.classes} classes; "
            "is it a file of the other CIFAR, or damaged?"
        )
    return pixels.reshape(-1, *_SHAPE), labels.astype(np.uint8)


def _join(parts: list[Part]) -> Part:
    return np.concatenate([p for p, _ in parts]), np.concatenate([l for _, l in parts])


class _Dtype:
    """What a pickle says of an array's type."""

    def __init__(self, code: object = None, *others: object):
        self.code = code.decode("ascii") if isinstance(code, bytes) else code
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        self.order = order.decode("ascii") if isinstance(order, bytes) else order


class _Array:
    """What a pickle says of an array, which becomes one in `_numbers`. numpy's own would trust it."""

    shape: Any = None

    def __setstate__(self, state: Any) -> None:
        _, self.shape, self.dtype, self.by_columns, self.data = state


def _numbers(value: object) -> np.ndarray:
    """The array that a pickle holds as such or as a list of whole numbers. Raises ValueError or UnpicklingError."""
    if isinstance(value, list) and all(type(item) is int for item in value):
        return np.array(value, np.int64)
    if not isinstance(value, _Array) or not isinstance(value.dtype, _Dtype):
        raise pickle.UnpicklingError("it holds neither an array nor a list of whole numbers")
    dtype = value.dtype
    if (
        not (isinstance(dtype.code, str) and re.fullmatch("[iu][1248]", dtype.code))
        or dtype.order not in _ORDERS
    ):
        raise ValueError(f"it holds an array of type {dtype.code!r}")
    if not isinstance(value.data, bytes) or not all(type(size) is int for size in value.shape):
        raise ValueError("it holds an array without bytes")
    numbers = np.frombuffer(value.data, np.dtype(dtype.order + dtype.code))
    return numbers.reshape(value.shape, order="F" if value.by_columns else "C")


_ORDERS = ("|", "=", "<", ">")


def _encode(text: str, encoding: object) -> bytes:
    """What Python 3 writes into pickles of an old protocol for bytes."""
    return text.encode("latin-1")


class _Unpickler(pickle.Unpickler):
    """Reads lists, dictionaries and what stands for arrays, and makes nothing else that a pickle may ask for."""

    _STAND_INS: dict[tuple[str, str], Any] = {  # noqa: RUF012
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Dtype,
        ("_codecs", "encode"): _encode,
        ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
        ("numpy._core.multiarray", "_reconstruct"): lambda *_: _Array(),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return self._STAND_INS[module, name]
