"""Prototxt: reading with errors that say where, writing what Caffe's C++ writes."""

from typing import Any

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor

from caffe_compat.errors import ParseError
from caffe_compat.proto import NetParameter, SolverParameter, is_repeated, upgrade


def read_net(path: Any, log: Any = None) -> Any:
    param = parse_file(path, NetParameter)
    for what in upgrade.upgrade_net(param, str(path)):
        if log is not None:
            log.upgraded(what, str(path))
    return param


def read_solver(path: Any, log: Any = None) -> Any:
    param = parse_file(path, SolverParameter)
    upgrade.upgrade_solver(param, str(path))
    return param


def parse_file(path: Any, cls: Any) -> Any:
    with open(path, encoding="utf-8") as file:
        return parse(file.read(), cls, str(path))


def parse(text: str, cls: Any, source: str = "<string>", ignore_unknown: bool = False) -> Any:
    try:
        message = text_format.Parse(text, cls())
    except text_format.ParseError as error:
        raise ParseError(f"{source}:{error}") from error
    if "origin" in cls.DESCRIPTOR.fields_by_name:
        message.origin = source
    return message


def _float(value: float) -> str:
    import struct

    for digits in (6, 9):
        text = f"{value:.{digits}g}"
        if struct.pack("f", float(text)) == struct.pack("f", value):
            break
    return text


def _double(value: float) -> str:
    text = f"{value:.15g}"
    return text if float(text) == value else f"{value:.17g}"


def _string(value: Any) -> str:
    data = value if isinstance(value, bytes) else value.encode()
    named = {9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 39: "\\'", 92: "\\\\"}
    return '"' + "".join(named.get(b) or (chr(b) if 32 <= b < 127 else f"\\{b:03o}") for b in data) + '"'


def to_text(message: Any) -> str:
    lines: list[str] = []
    _print(message, "", lines)
    return "".join(lines)


def _print(message: Any, indent: str, lines: list[str]) -> None:
    for field, value in message.ListFields():
        if field.name == "origin":
            continue
        for item in value if is_repeated(field) else [value]:
            if field.message_type:
                lines.append(f"{indent}{field.name} {{\n")
                _print(item, indent + "  ", lines)
                lines.append(f"{indent}}}\n")
                continue
            if field.type == FieldDescriptor.TYPE_FLOAT:
                text = _float(item)
            elif field.type == FieldDescriptor.TYPE_DOUBLE:
                text = _double(item)
            elif field.enum_type:
                text = field.enum_type.values_by_number[item].name
            elif field.type == FieldDescriptor.TYPE_BOOL:
                text = "true" if item else "false"
            elif field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
                text = _string(item)
            else:
                text = str(item)
            lines.append(f"{indent}{field.name}: {text}\n")


def messages_equal(a: Any, b: Any) -> bool:
    return to_text(a) == to_text(b)
