"""Binary protobuf files: .caffemodel, .solverstate, .binaryproto.

Big arrays never pass through protobuf's Python lists: a small walk over the wire format finds each blob's
packed floats, and numpy takes them from, or gives them to, the file as they are.
"""

import os
from typing import TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message

from caffe_compat.errors import ParseError
from caffe_compat.proto import BlobProto
from caffe_compat.proto.binary.atomic import Path, is_stream, write_aside, write_atomic
from caffe_compat.proto.binary.blobs import array_to_blob, blob_chunks, blob_to_array, halve, raw_diff
from caffe_compat.proto.binary.caffemodel import read_caffemodel, write_caffemodel
from caffe_compat.proto.binary.faults import check_top, complaint, unreadable
from caffe_compat.proto.binary.strings import as_text, recoded, serialize
from caffe_compat.proto.binary.wire import LIMIT, Broken, head
from caffe_compat.proto.text.print import clear_origin

__all__ = [
    "array_to_blob",
    "blob_to_array",
    "halve",
    "head",
    "is_stream",
    "raw_diff",
    "read",
    "read_binaryproto",
    "read_caffemodel",
    "serialize",
    "write_aside",
    "write_atomic",
    "write_binaryproto",
    "write_caffemodel",
    "write_message",
]

M = TypeVar("M", bound=Message)


def read(path: Path, cls: type[M]) -> M:
    """The message of class `cls` in the binary file `path`, as it stands there.

    Raises ParseError, which says at which byte the file breaks off or stops making sense.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise unreadable(name, error) from error
    if not data:
        raise ParseError(f"{name}: the file is empty, not a {cls.__name__}; copy or write it again")
    if len(data) > LIMIT:
        raise ParseError(f"{name}: {len(data)} bytes are more than the {LIMIT} that protobuf reads")
    try:
        check_top(data, cls)
        return cls.FromString(recoded(data, cls.DESCRIPTOR, 0, len(data), as_text))
    except (Broken, DecodeError, UnicodeDecodeError) as error:
        raise complaint(name, data, cls, error) from error


def read_binaryproto(path: Path) -> np.ndarray:
    """The array in a .binaryproto file: (1, C, H, W) for the means that Caffe's tools write. Raises ParseError."""
    try:
        return blob_to_array(read(path, BlobProto))
    except ParseError as error:
        if str(error).startswith(os.fspath(path)):
            raise
        raise ParseError(f"{os.fspath(path)}: {error}; is it a mean file?") from error


def write_binaryproto(path: Path, array: np.ndarray, legacy: bool = True) -> None:
    """Write a BlobProto file, with `legacy` as Caffe's compute_image_mean does. Raises SnapshotError."""
    write_atomic(path, blob_chunks(array, None, legacy))


def write_message(path: Path, message: Message) -> None:
    """Write a whole message, without `origin`. Raises SnapshotError."""
    copy = type(message)()
    copy.CopyFrom(message)
    clear_origin(copy)
    write_atomic(path, serialize(copy))
