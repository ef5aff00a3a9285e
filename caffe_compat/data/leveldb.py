"""LevelDB: the database of old Caffe files, read and written without the library.

Caffe: src/caffe/util/db_leveldb.cpp. The library writes beside the data whenever it opens them and has no
package for every Python; the format is small. Its documents are table_format.md, log_format.md and impl.md
of google/leveldb. Every checksum is verified.
"""

from __future__ import annotations

import heapq
import os
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import BinaryIO, NamedTuple, NoReturn

from caffe_compat.data.base import Source, source
from caffe_compat.data.leveldb_format import (
    COMPARATOR,
    FOOTER,
    LOG_BLOCK,
    LOG_HEADER,
    MAGIC,
    RAW,
    SNAPPY,
    TRAILER,
    VALUE,
    Piece,
    Reader,
    Says,
    checksum_of,
    unpack,
)
from caffe_compat.data.leveldb_writer import Writer
from caffe_compat.errors import DataError

write = Writer.write

_BATCH_HEADER = struct.Struct("<QI")  # sequence number of the first change, how many changes


class _Entry(NamedTuple):
    """One version of a key. Entries sort by key, the newest first."""

    key: bytes
    age: int  # the sequence number, negated
    kind: int
    value: bytes


class _Table(NamedTuple):
    number: int
    size: int
    smallest: bytes
    largest: bytes


@source("LEVELDB")
class LevelDb(Source):
    """The records of a LevelDB folder."""

    def __init__(self, path: str):
        super().__init__(path)
        self._levels: dict[int, dict[int, _Table]] = {}
        self._first_log = self._previous_log = 0
        self._read_manifest()

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def keys(self) -> Sequence[bytes]:
        """The key of every record, by position; the first use reads the whole database."""
        return [entry.key for entry in self._records()]

    def walk(self, position: int = 0) -> Iterator[bytes]:
        return (entry.value for entry in islice(self._records(), position, None))

    def estimate(self) -> int:
        stored = sum(table.size for level in self._levels.values() for table in level.values())
        stored += sum(os.path.getsize(os.path.join(self.path, log)) for log in self._logs())
        first = next(self._records(), None)
        return max(1, stored // (len(first.key) + 8 + len(first.value))) if first else 0

    @classmethod
    def is_at(cls, path: str) -> bool:
        return os.path.isfile(os.path.join(path, "CURRENT"))

    # -- the manifest: which files hold the records ---------------------------------------------

    def _read_manifest(self) -> None:
        with self._open("CURRENT") as file:
            name = file.read().decode("ascii", "replace").strip()
        if not re.fullmatch(r"MANIFEST-\d+", name):
            self._corrupt("CURRENT", 0, f"it names {name!r}, which is no manifest")
        for offset, record in self._log_records(name):
            try:
                self._apply(Reader(record))
            except IndexError:
                self._corrupt(name, offset, "a version edit is malformed")

    def _apply(self, edit: Reader) -> None:
        while edit.left:
            says = edit.varint()
            if says == Says.COMPARATOR:
                if (comparator := edit.string()) != COMPARATOR:
                    raise DataError(
                        f"the LevelDB '{self.path}' sorts its keys by {comparator.decode('ascii', 'replace')} and "
                        f"only {COMPARATOR.decode('ascii')} can be read; make it again with Caffe's converters"
                    )
            elif says == Says.LOG:
                self._first_log = edit.varint()
            elif says == Says.PREVIOUS_LOG:
                self._previous_log = edit.varint()
            elif says in (Says.NEXT_FILE, Says.SEQUENCE):
                edit.varint()
            elif says == Says.COMPACTED:
                edit.varint(), edit.string()
            elif says == Says.DELETED:
                self._levels.setdefault(edit.varint(), {}).pop(edit.varint(), None)
            elif says == Says.NEW:
                level = edit.varint()
                table = _Table(edit.varint(), edit.varint(), edit.string(), edit.string())
                self._levels.setdefault(level, {})[table.number] = table
            else:
                raise IndexError(says)

    def _logs(self) -> list[str]:
        """The logs whose records are not in a table yet, oldest first."""
        numbers = sorted(int(name[:-4]) for name in os.listdir(self.path) if re.fullmatch(r"\d+\.log", name))
        return [f"{n:06}.log" for n in numbers if n >= self._first_log or n == self._previous_log]

    # -- records -------------------------------------------------------------------------------

    def _records(self) -> Iterator[_Entry]:
        """The newest version of every key that is not deleted, in key order."""
        runs: list[Iterable[_Entry]] = [sorted(chain.from_iterable(map(self._changes, self._logs())))]
        for level, tables in self._levels.items():
            if level == 0:  # these overlap; the tables of other levels follow each other
                runs += [self._entries(table) for table in tables.values()]
            else:
                ordered = sorted(tables.values(), key=lambda table: table.smallest)
                runs.append(chain.from_iterable(map(self._entries, ordered)))
        last = None
        for entry in heapq.merge(*runs):
            if entry.key != last:
                last = entry.key
                if entry.kind == VALUE:
                    yield entry

    def _changes(self, name: str) -> Iterator[_Entry]:
        """The entries of a log: batches of changes."""
        for offset, record in self._log_records(name):
            try:
                sequence, count = _BATCH_HEADER.unpack_from(record)
                batch = Reader(record, _BATCH_HEADER.size)
                for number in range(sequence, sequence + count):
                    kind = batch.varint()
                    yield _Entry(batch.string(), -number, kind, batch.string() if kind == VALUE else b"")
            except (struct.error, IndexError):
                self._corrupt(name, offset, "a batch of changes is malformed")

    def _log_records(self, name: str) -> Iterator[tuple[int, bytes]]:
        """(offset, bytes) of the records of a log or manifest, which come in pieces that end with a block."""
        with self._open(name) as file:
            data = file.read()
        position, start, pieces = 0, 0, b""
        while position < len(data):
            room = LOG_BLOCK - position % LOG_BLOCK
            if room < LOG_HEADER.size or not any(data[position : position + LOG_HEADER.size]):
                position += room  # the rest of the block is filled up
                continue
            header = data[position : position + LOG_HEADER.size]
            body_at = position + LOG_HEADER.size
            checksum, length, kind = (
                LOG_HEADER.unpack(header) if len(header) == LOG_HEADER.size else (0, 1, 0)
            )
            body = data[body_at : body_at + length]
            if len(body) < length:
                self._corrupt(name, position, f"it is truncated: a record goes on past its {len(data)} bytes")
            if checksum_of(header[-1:] + body) != checksum:
                self._corrupt(name, position, "the checksum is wrong")
            if kind in (Piece.FULL, Piece.FIRST):
                start, pieces = position, b""
            pieces += body
            if kind in (Piece.FULL, Piece.LAST):
                yield start, pieces
            position = body_at + length

    def _entries(self, table: _Table) -> Iterator[_Entry]:
        """The entries of a table file, in order."""
        name = f"{table.number:06}.ldb"
        if not os.path.exists(os.path.join(self.path, name)):
            name = f"{table.number:06}.sst"  # as older versions call it
        with self._open(name) as file:
            size = os.fstat(file.fileno()).st_size
            if not FOOTER <= table.size <= size:
                self._corrupt(
                    name, size, f"it is truncated: it has {size} bytes and the manifest says {table.size}"
                )
            file.seek(table.size - FOOTER)
            footer = file.read(FOOTER)
            if not footer.endswith(MAGIC):
                self._corrupt(name, table.size - len(MAGIC), "the magic number of a table is missing")
            handles, at = Reader(footer), table.size - FOOTER
            self._handle(handles, name, at)  # of the metaindex
            index, length = self._handle(handles, name, at)
            for _, handle in self._block(file, name, index, length):
                for key, value in self._block(file, name, *self._handle(Reader(handle), name, index)):
                    tail = int.from_bytes(key[-8:], "little")
                    yield _Entry(key[:-8], -(tail >> 8), tail & 255, value)

    def _handle(self, reader: Reader, name: str, at: int) -> tuple[int, int]:
        """The offset and length of a block, which are told at byte `at`."""
        try:
            return reader.varint(), reader.varint()
        except IndexError:
            self._corrupt(name, at, "a block's place is malformed")

    def _block(self, file: BinaryIO, name: str, offset: int, length: int) -> Iterator[tuple[bytes, bytes]]:
        """The (key, value) pairs of a block of a table."""
        if offset + length + TRAILER.size > os.fstat(file.fileno()).st_size:
            self._corrupt(name, offset, f"a block of {length} bytes goes on past the end")
        file.seek(offset)
        data = file.read(length + TRAILER.size)
        compression, checksum = TRAILER.unpack_from(data, length)
        if checksum_of(data[: length + 1]) != checksum:
            self._corrupt(name, offset, "the checksum of a block is wrong")
        if compression == SNAPPY:
            try:
                block = unpack(data[:length])
            except ValueError as error:
                self._corrupt(name, offset, f"a block is no Snappy data: {error}")
        elif compression == RAW:
            block = data[:length]
        else:
            self._corrupt(
                name, offset, f"compression {compression} is not known, only none (0) and Snappy (1)"
            )
        restarts = int.from_bytes(block[-4:], "little")
        reader, end, key = Reader(block), len(block) - 4 * (restarts + 1), b""
        try:
            while reader.position < end:
                shared, own, size = reader.varint(), reader.varint(), reader.varint()
                key = key[:shared] + reader.take(own)
                yield key, reader.take(size)
        except IndexError:
            self._corrupt(name, offset, "an entry of a block is malformed")

    def _open(self, name: str) -> BinaryIO:
        try:
            return open(os.path.join(self.path, name), "rb")
        except OSError as error:
            raise DataError(
                f"the LevelDB '{self.path}' lacks the file {name}: {error.strerror}; copy it again or make it again"
            ) from error

    def _corrupt(self, name: str, offset: int, what: str) -> NoReturn:
        raise DataError(
            f"the LevelDB '{self.path}' is corrupt: {name}, byte {offset}: {what}; copy it again or make it again"
        )
