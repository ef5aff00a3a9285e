"""Protobuf's wire format: a field is a tag (number and type) and a value."""

import mmap
from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf.descriptor import FieldDescriptor

Data = bytes | mmap.mmap
Chunk = bytes | memoryview

LIMIT = 2**31 - 1  # bytes in a message: protobuf's limit, and Caffe's
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

WIRE_TYPES = {
    FieldDescriptor.TYPE_DOUBLE: FIXED64,
    FieldDescriptor.TYPE_FLOAT: FIXED32,
    FieldDescriptor.TYPE_STRING: BYTES,
    FieldDescriptor.TYPE_BYTES: BYTES,
    FieldDescriptor.TYPE_MESSAGE: BYTES,
}  # all others: VARINT


class Broken(Exception):
    """`what` is wrong at offset `at`; where field `number` goes on past the end, its value begins at `start`."""

    def __init__(self, at: int, what: str, number: int = 0, start: int = 0):
        super().__init__(what)
        self.at, self.what, self.number, self.start = at, what, number, start


class OtherClass(Broken):
    """The file is sound so far, but what stands at `at` is no field of the wanted message."""


class Wire(NamedTuple):
    """A field: its number, its wire type, and the offsets of its tag, its value and what follows."""

    number: int
    type: int
    tag: int
    start: int
    end: int


def varint(data: Data, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    for i in range(at, min(end, at + 10)):
        byte = data[i]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, i + 1
        shift += 7
    raise Broken(at, "a number is cut short" if end - at < 10 else "a number has more than 10 bytes")


def wire_fields(data: Data, at: int, end: int) -> Iterator[Wire]:
    """The fields of the message in data[at:end]. Raises Broken."""
    while at < end:
        tag, start = varint(data, at, end)
        number, type = tag >> 3, tag & 7
        if type == VARINT:
            after = varint(data, start, end)[1]
        elif type == BYTES:
            size, start = varint(data, start, end)
            after = start + size
        elif type == FIXED32:
            after = start + 4
        elif type == FIXED64:
            after = start + 8
        if number == 0 or type not in (VARINT, BYTES, FIXED32, FIXED64):
            raise Broken(at, f"no field begins with the byte 0x{data[at]:02x}")
        if after > end:
            what = f"should go on for {after - start} bytes, but {max(end - start, 0)} are left"
            raise Broken(at, what, number, start)
        yield Wire(number, type, at, start, after)
        at = after


def encode_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def head(number: int, size: int) -> bytes:
    """What stands before a value of `size` bytes, be it a string, bytes or a message, of field `number`."""
    return encode_varint(number << 3 | BYTES) + encode_varint(size)


def size_of(chunks: list[Chunk]) -> int:
    return sum(map(len, chunks))
