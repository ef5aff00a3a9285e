"""The message classes of caffe.proto, made when this package is imported.

`from caffe_compat.proto import NetParameter, SolverParameter, BlobProto, ..., TRAIN, TEST`: every message
by name, the enum Phase and its values. They live in a descriptor pool of their own, so a real Caffe's
`caffe_pb2` may be loaded in the same process.
"""

import re
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal import enum_type_wrapper

_TOKEN = re.compile(r'//[^\n]*|"([^"]*)"|([\w.+-]+|[{}=;\[\]])')
_LABELS = {"optional": 1, "required": 2, "repeated": 3}
_SCALARS = {
    "double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9, "bytes": 12, "uint32": 13,
}  # fmt: skip


def compile_schema(text: str, name: str = "caffe.proto") -> descriptor_pb2.FileDescriptorProto:
    """The descriptor of a schema in the part of proto2 that caffe.proto uses.

    That is: messages, enums, fields with [default = x] or [packed = true], and `extend M { ... }`, which
    adds plain fields to M. Raises ValueError for anything else.
    """
    tokens = (m[1] if m[1] is not None else m[2] for m in _TOKEN.finditer(text) if m.lastindex)
    file = descriptor_pb2.FileDescriptorProto(name=name)
    messages: dict[str, Any] = {}

    def expect(*wanted: str) -> None:
        for want in wanted:
            if (got := next(tokens, "the end")) != want:
                raise ValueError(f"{name}: expected {want!r}, found {got!r}")

    def enum(into: Any) -> None:
        into.name = next(tokens)
        expect("{")
        while (value := next(tokens)) != "}":
            expect("=")
            into.value.add(name=value, number=int(next(tokens)))
            expect(";")

    def field(label: str, into: Any) -> None:
        kind, field_name = next(tokens), next(tokens)
        expect("=")
        new = into.field.add(name=field_name, number=int(next(tokens)), label=_LABELS[label])  # type: ignore[arg-type]
        if kind in _SCALARS:
            new.type = _SCALARS[kind]
        else:
            new.type_name = kind  # the pool finds out where it is and whether it is a message or an enum
        if (mark := next(tokens)) == "[":
            option = next(tokens)
            expect("=")
            value = next(tokens)
            if option == "default":
                new.default_value = value
            elif option == "packed":
                new.options.packed = value == "true"
            else:
                raise ValueError(f"{name}: unknown option {option!r} of {into.name}.{field_name}")
            expect("]", ";")
        elif mark != ";":
            raise ValueError(f"{name}: expected ';' after {into.name}.{field_name}, found {mark!r}")

    def fields(into: Any) -> None:
        expect("{")
        while (word := next(tokens)) != "}":
            if word == "enum":
                enum(into.enum_type.add())
            elif word in _LABELS:
                field(word, into)
            else:
                raise ValueError(f"{name}: expected a field or an enum in {into.name}, found {word!r}")

    expect("syntax", "=", "proto2", ";", "package")
    file.package = next(tokens)
    expect(";")
    for word in tokens:
        if word == "message":
            message = file.message_type.add(name=next(tokens))
            messages[message.name] = message
            fields(message)
        elif word == "extend":
            fields(messages[next(tokens)])
        elif word == "enum":
            enum(file.enum_type.add())
        else:
            raise ValueError(f"{name}: expected a message, an enum or extend, found {word!r}")
    return file


def is_repeated(field: Any) -> bool:
    """Whether a field descriptor is of a repeated field; protobuf 7 has no `label`, protobuf 4 no `is_repeated`."""
    return field.is_repeated if hasattr(field, "is_repeated") else field.label == _LABELS["repeated"]


def _make_classes() -> dict[str, Any]:
    schema = compile_schema(Path(__file__).with_name("caffe.proto").read_text(encoding="utf-8"))
    pool = DescriptorPool()
    pool.AddSerializedFile(schema.SerializeToString())
    file = pool.FindFileByName(schema.name)
    exports: dict[str, Any] = {
        name: message_factory.GetMessageClass(message) for name, message in file.message_types_by_name.items()
    }
    for cls in exports.values():
        cls.__module__ = __name__
    for name, enum in file.enum_types_by_name.items():
        wrapper = enum_type_wrapper.EnumTypeWrapper(enum)
        exports[name] = wrapper
        exports.update(wrapper.items())
    return exports


_EXPORTS = _make_classes()
globals().update(_EXPORTS)
__all__ = ["compile_schema", "is_repeated", *_EXPORTS]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    # Only type checkers need this: they cannot see the names that globals().update() adds.
    raise AttributeError(f"module {__name__!r} has no message {name!r}")
