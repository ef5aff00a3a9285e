"""What is said of a binary file that cannot be read: the byte where it breaks off, and what stands there."""

import os

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from caffe_compat.errors import ParseError
from caffe_compat.proto import is_repeated
from caffe_compat.proto.binary.wire import BYTES, VARINT, WIRE_TYPES, Broken, Data, OtherClass, wire_fields

_HDF5 = b"\x89HDF\r\n\x1a\n"


def _fault(data: Data, descriptor: Descriptor, start: int, end: int) -> tuple[int, str] | None:
    """Where, and in what, data[start:end] stops being a message of this type; None if it never does."""
    fields = {field.number: field for field in descriptor.fields}

    def inside(number: int, start: int, end: int) -> tuple[int, str] | None:
        field = fields.get(number)
        if field is None or field.message_type is None:
            return None
        found = _fault(data, field.message_type, start, end)
        return found and (found[0], f"{field.name}{_name(data, field.message_type, start, end)}: {found[1]}")

    try:
        for wire in wire_fields(data, start, end):
            if wire.type == BYTES and (found := inside(wire.number, wire.start, wire.end)):
                return found
    except Broken as broken:
        if not broken.number:
            return broken.at, broken.what
        name = fields[broken.number].name if broken.number in fields else f"field {broken.number}"
        return inside(broken.number, broken.start, end) or (broken.at, f"{name} {broken.what}")
    return None


def _name(data: Data, descriptor: Descriptor, start: int, end: int) -> str:
    """The value of the message's own `name` field, in quotes, as far as it can be read."""
    name = descriptor.fields_by_name.get("name")
    try:
        for wire in wire_fields(data, start, end):
            if name and wire.number == name.number and wire.type == BYTES:
                return f" '{bytes(data[wire.start : wire.end]).decode(errors='replace')}'"
    except Broken:
        pass  # the fault that is being described; the name may stand after it
    return ""


def check_top(data: Data, cls: type[Message]) -> None:
    """Complain of a file that is a sound message, but of another class: field numbers with other types."""
    fields = {field.number: field for field in cls.DESCRIPTOR.fields}
    for wire in wire_fields(data, 0, len(data)):
        field = fields.get(wire.number)
        if field is None or wire.type == WIRE_TYPES.get(field.type, VARINT):
            continue
        if wire.type != BYTES or not is_repeated(field):  # a repeated number may be packed
            raise OtherClass(wire.tag, f"field {wire.number} is not the {field.name} of a {cls.__name__}")


def complaint(path: str, data: Data, cls: type[Message], error: Exception) -> ParseError:
    head = bytes(data[:64])
    if head.startswith(_HDF5):
        return ParseError(f"{path}: this is an HDF5 file, not a binary {cls.__name__}; end its name in .h5")
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return ParseError(f"{path}: this is a text file, not a binary {cls.__name__}; give the binary file")
    try:
        fault = None if isinstance(error, OtherClass) else _fault(data, cls.DESCRIPTOR, 0, len(data))
    except RecursionError:
        fault = 0, "messages lie within messages without end"
    if fault is None:
        fault = (error.at, error.what) if isinstance(error, Broken) else (0, str(error))
    return ParseError(
        f"{path}: broken at byte {fault[0]} of {len(data)}: {fault[1]}; the file is cut short, damaged or "
        f"no {cls.__name__}: copy or write it again"
    )


def unreadable(path: str, error: OSError) -> ParseError:
    remedy = "give a file" if os.path.isdir(path) else "check the path"
    return ParseError(f"{path}: cannot be read: {error.strerror}; {remedy}")
