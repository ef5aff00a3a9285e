"""Prototxt as Caffe's C++ prints it; messages compared, and freed of `origin`, which is no part of any file."""

import struct
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from caffe_compat.log import names
from caffe_compat.proto.text.fields import STRINGS, Field, fields_of

_PRINTED = {
    byte: {9: r"\t", 10: r"\n", 13: r"\r", 34: r"\"", 39: r"\'", 92: r"\\"}.get(
        byte, chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"
    )
    for byte in range(256)
}


def to_text(message: Message) -> str:
    """`message` as prototxt, byte for byte as Caffe's C++ prints it; without `origin`.

    Two spaces of indent, fields in the order of their numbers, floats in the fewest of 6 or 9 digits that
    give the same float32, and strings with every byte above 126 as an octal escape.
    """
    lines: list[str] = []
    _print(message, "", lines)
    return "".join(lines)


def messages_equal(a: Message, b: Message) -> bool:
    """Whether two messages of one class hold the same, no matter where they were read from."""
    return _without_origin(a) == _without_origin(b)


def _without_origin(message: Message) -> Message:
    copy = type(message)()
    copy.CopyFrom(message)
    clear_origin(copy)
    return copy


def clear_origin(message: Message) -> None:
    """Forget where `message` and all within it were read from; `origin` belongs in no file."""
    fields = fields_of(message.DESCRIPTOR)
    for descriptor, value in message.ListFields():
        if descriptor.name == "origin":
            message.ClearField("origin")
        elif (field := fields[descriptor.name]).message:
            for item in value if field.repeated else (value,):
                clear_origin(item)


def _print(message: Message, indent: str, lines: list[str]) -> None:
    fields = fields_of(message.DESCRIPTOR)
    for descriptor, value in message.ListFields():
        if descriptor.name == "origin":
            continue
        field = fields[descriptor.name]
        name = field.name.partition("__")[0]
        for item in value if field.repeated else (value,):
            if field.message:
                lines.append(f"{indent}{name} {{\n")
                _print(item, indent + "  ", lines)
                lines.append(f"{indent}}}\n")
            else:
                lines.append(f"{indent}{name}: {_scalar_text(field, item)}\n")


def _scalar_text(field: Field, value: Any) -> str:
    if field.enum:
        known = field.enum.values_by_number.get(value)
        return known.name if known else str(value)
    if field.type == FieldDescriptor.TYPE_FLOAT:
        text = f"{value:.6g}"
        return text if struct.pack("f", float(text)) == struct.pack("f", value) else f"{value:.9g}"
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        text = f"{value:.15g}"
        return text if float(text) == value else f"{value:.17g}"
    if field.type == FieldDescriptor.TYPE_BOOL:
        return "true" if value else "false"
    if field.type in STRINGS:
        data = value if isinstance(value, bytes) else names.encode(value)
        return f'"{"".join(_PRINTED[byte] for byte in data)}"'
    return str(value)
