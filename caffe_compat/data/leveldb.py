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

from caffe_compat.data import base
from caffe_compat.data.base import Source, source
from caffe_compat.data.compression import crc32c, snappy_decompress
from caffe_compat.errors import DataError

_COMPARATOR = b"leveldb.BytewiseComparator"
_LOG_BLOCK = 32768
_LOG_HEADER = struct.Struct("<IHB")  # checksum, length, type
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_BATCH_HEADER = struct.Struct("<QI")  # sequence number of the first change, how many changes
_FOOTER = 48
_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_TRAILER = struct.Struct("<BI")  # of a block: compression, checksum
_RAW, _SNAPPY = 0, 1
_VALUE = 1  # the kind of an entry; 0 is a deletion
# What a version edit in the manifest may say.
_SAYS_COMPARATOR, _SAYS_LOG, _SAYS_NEXT_FILE, _SAYS_SEQUENCE, _SAYS_COMPACTED = 1, 2, 3, 4, 5
_SAYS_DELETED, _SAYS_NEW, _SAYS_PREVIOUS_LOG = 6, 7, 9
_BLOCK_BYTES = 65536  # as Caffe sets it
_TABLE_BYTES = 32 << 20
_BOTTOM = 6  # the level that is never compacted


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
                self._apply(_Reader(record))
            except IndexError:
                self._corrupt(name, offset, "a version edit is malformed")

    def _apply(self, edit: _Reader) -> None:
        while edit.left:
            says = edit.varint()
            if says == _SAYS_COMPARATOR:
                if (comparator := edit.string()) != _COMPARATOR:
                    raise DataError(
                        f"the LevelDB '{self.path}' sorts its keys by {comparator.decode('ascii', 'replace')} and "
                        f"only {_COMPARATOR.decode('ascii')} can be read; make it again with Caffe's converters"
                    )
            elif says == _SAYS_LOG:
                self._first_log = edit.varint()
            elif says == _SAYS_PREVIOUS_LOG:
                self._previous_log = edit.varint()
            elif says in (_SAYS_NEXT_FILE, _SAYS_SEQUENCE):
                edit.varint()
            elif says == _SAYS_COMPACTED:
                edit.varint(), edit.string()
            elif says == _SAYS_DELETED:
                self._levels.setdefault(edit.varint(), {}).pop(edit.varint(), None)
            elif says == _SAYS_NEW:
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
                if entry.kind == _VALUE:
                    yield entry

    def _changes(self, name: str) -> Iterator[_Entry]:
        """The entries of a log: batches of changes."""
        for offset, record in self._log_records(name):
            try:
                sequence, count = _BATCH_HEADER.unpack_from(record)
                batch = _Reader(record, _BATCH_HEADER.size)
                for number in range(sequence, sequence + count):
                    kind = batch.varint()
                    yield _Entry(batch.string(), -number, kind, batch.string() if kind == _VALUE else b"")
            except (struct.error, IndexError):
                self._corrupt(name, offset, "a batch of changes is malformed")

    def _log_records(self, name: str) -> Iterator[tuple[int, bytes]]:
        """(offset, bytes) of the records of a log or manifest, which come in pieces that end with a block."""
        with self._open(name) as file:
            data = file.read()
        position, start, pieces = 0, 0, b""
        while position < len(data):
            room = _LOG_BLOCK - position % _LOG_BLOCK
            if room < _LOG_HEADER.size or not any(data[position : position + _LOG_HEADER.size]):
                position += room  # the rest of the block is filled up
                continue
            header = data[position : position + _LOG_HEADER.size]
            body_at = position + _LOG_HEADER.size
            checksum, length, kind = (
                _LOG_HEADER.unpack(header) if len(header) == _LOG_HEADER.size else (0, 1, 0)
            )
            body = data[body_at : body_at + length]
            if len(body) < length:
                self._corrupt(name, position, f"it is truncated: a record goes on past its {len(data)} bytes")
            if _masked(crc32c(header[-1:] + body)) != checksum:
                self._corrupt(name, position, "the checksum is wrong")
            if kind in (_FULL, _FIRST):
                start, pieces = position, b""
            pieces += body
            if kind in (_FULL, _LAST):
                yield start, pieces
            position = body_at + length

    def _entries(self, table: _Table) -> Iterator[_Entry]:
        """The entries of a table file, in order."""
        name = f"{table.number:06}.ldb"
        if not os.path.exists(os.path.join(self.path, name)):
            name = f"{table.number:06}.sst"  # as older versions call it
        with self._open(name) as file:
            size = os.fstat(file.fileno()).st_size
            if size < table.size:
                self._corrupt(
                    name, size, f"it is truncated: it has {size} bytes and the manifest says {table.size}"
                )
            file.seek(table.size - _FOOTER)
            footer = file.read(_FOOTER)
            if not footer.endswith(_MAGIC):
                self._corrupt(name, table.size - len(_MAGIC), "the magic number of a table is missing")
            handles = _Reader(footer)
            handles.varint(), handles.varint()  # of the metaindex
            index = handles.varint(), handles.varint()
            for _, handle in self._block(file, name, *index):
                place = _Reader(handle)
                for key, value in self._block(file, name, place.varint(), place.varint()):
                    tail = int.from_bytes(key[-8:], "little")
                    yield _Entry(key[:-8], -(tail >> 8), tail & 255, value)

    def _block(self, file: BinaryIO, name: str, offset: int, length: int) -> Iterator[tuple[bytes, bytes]]:
        """The (key, value) pairs of a block of a table."""
        file.seek(offset)
        data = file.read(length + _TRAILER.size)
        if len(data) < length + _TRAILER.size:
            self._corrupt(name, offset, f"a block of {length} bytes goes on past the end")
        compression, checksum = _TRAILER.unpack_from(data, length)
        if _masked(crc32c(data[: length + 1])) != checksum:
            self._corrupt(name, offset, "the checksum of a block is wrong")
        if compression == _SNAPPY:
            try:
                block = snappy_decompress(data[:length])
            except ValueError as error:
                self._corrupt(name, offset, f"a block is no Snappy data: {error}")
        elif compression == _RAW:
            block = data[:length]
        else:
            self._corrupt(
                name, offset, f"compression {compression} is not known, only none (0) and Snappy (1)"
            )
        restarts = int.from_bytes(block[-4:], "little")
        reader, end, key = _Reader(block), len(block) - 4 * (restarts + 1), b""
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


class _Reader:
    """Walks over LevelDB's variable-length integers and strings; IndexError past the end."""

    def __init__(self, data: bytes, position: int = 0):
        self.data, self.position = data, position

    @property
    def left(self) -> int:
        return len(self.data) - self.position

    def varint(self) -> int:
        result = shift = 0
        while True:
            byte = self.data[self.position]
            self.position += 1
            result |= (byte & 127) << shift
            if byte < 128:
                return result
            shift += 7

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise IndexError(size)
        self.position += size
        return self.data[self.position - size : self.position]

    def string(self) -> bytes:
        return self.take(self.varint())


# -- writing -----------------------------------------------------------------------------------


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
        self._edit = _varints(_SAYS_COMPARATOR) + _string(_COMPARATOR)
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
            self._edit += _varints(_SAYS_NEW, _BOTTOM, self._number, self._file.tell())
        self._edit += _string(self._smallest) + _string(_internal(self._last, self.count))
        self._file = self._table = None

    def _write_manifest(self) -> None:
        number = self._number
        said = _varints(_SAYS_LOG, number + 1, _SAYS_NEXT_FILE, number + 2, _SAYS_SEQUENCE, self.count)
        with open(os.path.join(self.path, "MANIFEST-000002"), "wb") as file:
            file.write(_log_bytes(self._edit + said))
        with open(os.path.join(self.path, "CURRENT"), "wb") as file:
            file.write(b"MANIFEST-000002\n")


write = Writer.write


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
        self._file.write((metaindex + index).ljust(_FOOTER - len(_MAGIC), b"\0") + _MAGIC)

    def _end_block(self) -> None:
        self._index.add(self._last, self._put(self._block))
        self._block = _BlockWriter()

    def _put(self, block: _BlockWriter) -> bytes:
        """Write a block; its handle."""
        offset, data = self._file.tell(), block.finish()
        self._file.write(data + _TRAILER.pack(_RAW, _masked(crc32c(data + bytes([_RAW])))))
        return _varints(offset, len(data))


class _BlockWriter:
    """Entries, each a restart point: keys are written whole."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._starts: list[int] = []
        self.size = 0

    def add(self, key: bytes, value: bytes) -> None:
        self._starts.append(self.size)
        self._parts += _varints(0, len(key), len(value)), key, value
        self.size += sum(map(len, self._parts[-3:]))

    def finish(self) -> bytes:
        starts = self._starts or [0]
        return b"".join(self._parts) + struct.pack(f"<{len(starts) + 1}I", *starts, len(starts))


def _log_bytes(record: bytes) -> bytes:
    """A log that holds one record."""
    out = b""
    most = _LOG_BLOCK - _LOG_HEADER.size
    pieces = [record[at : at + most] for at in range(0, len(record), most)]
    for i, piece in enumerate(pieces):
        kind = (_FIRST if i == 0 else _MIDDLE) if i + 1 < len(pieces) else _LAST if i else _FULL
        out += _LOG_HEADER.pack(_masked(crc32c(bytes([kind]) + piece)), len(piece), kind) + piece
    return out


def _internal(key: bytes, sequence: int) -> bytes:
    """A key as tables hold it: with its sequence number and kind."""
    return key + (sequence << 8 | _VALUE).to_bytes(8, "little")


def _masked(checksum: int) -> int:
    """A checksum as LevelDB stores it, so that checksums of data with checksums inside stay good ones."""
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _varints(*values: int) -> bytes:
    out = bytearray()
    for value in values:
        while value > 127:
            out.append(value & 127 | 128)
            value >>= 7
        out.append(value)
    return bytes(out)


def _string(value: bytes) -> bytes:
    return _varints(len(value)) + value
