"""A new LevelDB, written as the library leaves one: tables of the bottom level and a manifest."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from caffe_compat.data import base
from caffe_compat.data.leveldb_format import (
    COMPARATOR,
    FOOTER,
    LOG_BLOCK,
    LOG_HEADER,
    MAGIC,
    RAW,
    TRAILER,
    VALUE,
    Piece,
    Says,
    checksum_of,
    string,
    varints,
)
from caffe_compat.errors import DataError

_BLOCK_BYTES = 65536  # as Caffe sets it
_TABLE_BYTES = 32 << 20
_BOTTOM = 6  # the level that is never compacted


class Writer(base.Writer):
    """A new LevelDB folder that takes record after record, with rising keys.

    The records go straight into tables of the bottom level, uncompressed.

    Raises:
        DataError: a key does not come after the one before it.
        FileExistsError: there is something at `path`.
    """

    def __init__(self, path: str):
        os.mkdir(path)
        self.path = path
        self._edit = varints(Says.COMPARATOR) + string(COMPARATOR)
        self._number, self._last = 3, b""
        self._file: BinaryIO | None = None
        self._table: _TableWriter | None = None

    def put(self, key: bytes, value: bytes) -> None:
        if self.count and key <= self._last:
            raise DataError(
                f"key {key!r} does not come after {self._last!r}; LevelDB tables need rising keys"
            )
        self._last, self.count = key, self.count + 1
        internal = _internal(key, self.count)
        if self._file is None or self._table is None:
            self._number += 1
            self._file = open(os.path.join(self.path, f"{self._number:06}.ldb"), "wb")  # noqa: SIM115
            self._table, self._smallest = _TableWriter(self._file), internal
        self._table.add(internal, value)
        if self._file.tell() >= _TABLE_BYTES:
            self._end_table()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._end_table()
            self._write_manifest()
        elif self._file is not None:
            self._file.close()

    def _end_table(self) -> None:
        if self._file is None or self._table is None:
            return
        with self._file:
            self._table.finish()
            self._edit += varints(Says.NEW, _BOTTOM, self._number, self._file.tell())
        self._edit += string(self._smallest) + string(_internal(self._last, self.count))
        self._file = self._table = None

    def _write_manifest(self) -> None:
        number = self._number
        said = varints(Says.LOG, number + 1, Says.NEXT_FILE, number + 2, Says.SEQUENCE, self.count)
        with open(os.path.join(self.path, "MANIFEST-000002"), "wb") as file:
            file.write(log_bytes(self._edit + said))
        with open(os.path.join(self.path, "CURRENT"), "wb") as file:
            file.write(b"MANIFEST-000002\n")


class _TableWriter:
    """A table file: blocks of entries, an index of the blocks, a footer."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._block, self._index = _BlockWriter(), _BlockWriter()
        self._last = b""

    def add(self, key: bytes, value: bytes) -> None:
        self._block.add(key, value)
        self._last = key
        if self._block.size >= _BLOCK_BYTES:
            self._end_block()

    def finish(self) -> None:
        if self._block.size:
            self._end_block()
        metaindex = self._put(_BlockWriter())
        index = self._put(self._index)
        self._file.write((metaindex + index).ljust(FOOTER - len(MAGIC), b"\0") + MAGIC)

    def _end_block(self) -> None:
        self._index.add(self._last, self._put(self._block))
        self._block = _BlockWriter()

    def _put(self, block: _BlockWriter) -> bytes:
        """Write a block; its handle."""
        offset, data = self._file.tell(), block.finish()
        self._file.write(data + TRAILER.pack(RAW, checksum_of(data + bytes([RAW]))))
        return varints(offset, len(data))


class _BlockWriter:
    """Entries, each a restart point: keys are written whole."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._starts: list[int] = []
        self.size = 0

    def add(self, key: bytes, value: bytes) -> None:
        self._starts.append(self.size)
        self._parts += varints(0, len(key), len(value)), key, value
        self.size += sum(map(len, self._parts[-3:]))

    def finish(self) -> bytes:
        starts = self._starts or [0]
        return b"".join(self._parts) + struct.pack(f"<{len(starts) + 1}I", *starts, len(starts))


def log_bytes(record: bytes) -> bytes:
    """A log that holds one record."""
    out = b""
    most = LOG_BLOCK - LOG_HEADER.size
    pieces = [record[at : at + most] for at in range(0, len(record), most)]
    for i, piece in enumerate(pieces):
        kind = (
            (Piece.FIRST if i == 0 else Piece.MIDDLE)
            if i + 1 < len(pieces)
            else Piece.LAST
            if i
            else Piece.FULL
        )
        out += LOG_HEADER.pack(checksum_of(bytes([kind]) + piece), len(piece), kind) + piece
    return out


def _internal(key: bytes, sequence: int) -> bytes:
    """A key as tables hold it: with its sequence number and kind."""
    return key + (sequence << 8 | VALUE).to_bytes(8, "little")
