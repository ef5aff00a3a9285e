"""What LevelDB's files are made of: numbers, strings, checksums and Snappy blocks."""

from __future__ import annotations

import struct

from caffe_compat.errors import MissingExtra

COMPARATOR = b"leveldb.BytewiseComparator"
LOG_BLOCK = 32768
LOG_HEADER = struct.Struct("<IHB")  # checksum, length, type
FOOTER = 48
MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
TRAILER = struct.Struct("<BI")  # of a block: compression, checksum
RAW, SNAPPY = 0, 1
VALUE = 1  # the kind of an entry; 0 is a deletion
_MOST_PACKED = 22  # bytes that one byte of Snappy can stand for: a copy of 64 takes three


class Piece:
    """What a piece of a log's record is."""

    FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


class Says:
    """What a version edit in the manifest may say."""

    COMPARATOR, LOG, NEXT_FILE, SEQUENCE, COMPACTED, DELETED, NEW, PREVIOUS_LOG = 1, 2, 3, 4, 5, 6, 7, 9


def checksum_of(data: bytes) -> int:
    """The CRC-32C as LevelDB stores it, so that checksums of data with checksums inside stay good ones."""
    try:
        from crc32c import crc32c
    except ImportError as error:
        raise MissingExtra("crc32c", "a LevelDB") from error
    checksum = crc32c(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def unpack(data: bytes) -> bytes:
    """A raw Snappy block unpacked; ValueError if it is malformed."""
    try:
        from cramjam import DecompressionError, snappy
    except ImportError as error:
        raise MissingExtra("cramjam", "a LevelDB with Snappy blocks") from error
    try:
        size = snappy.decompress_raw_len(data)
        if size > _MOST_PACKED * len(data):
            raise ValueError(f"{len(data)} bytes promise {size}")
        return bytes(snappy.decompress_raw(data))
    except DecompressionError as error:
        raise ValueError(error) from error


class Reader:
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


def varints(*values: int) -> bytes:
    out = bytearray()
    for value in values:
        while value > 127:
            out.append(value & 127 | 128)
            value >>= 7
        out.append(value)
    return bytes(out)


def string(value: bytes) -> bytes:
    return varints(len(value)) + value
