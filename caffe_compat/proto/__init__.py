"""The message classes of caffe.proto and of the forks' files, made when this package is imported.

`from caffe_compat.proto import NetParameter, SolverParameter, BlobProto, ..., TRAIN, TEST`: every message
by name, and the enums outside messages with their values. They live in a descriptor pool of their own, so
a real Caffe's `caffe_pb2` may be loaded in the same process.
"""

import glob
import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal import enum_type_wrapper

from caffe_compat.proto.schema import LABELS, compile_schema


def is_repeated(field: Any) -> bool:
    """Whether a field descriptor is of a repeated field; protobuf 7 has no `label`, protobuf 4 no `is_repeated`."""
    return field.is_repeated if hasattr(field, "is_repeated") else field.label == LABELS["repeated"]


def fork_fields(message: Any) -> list[str]:
    """What `message` sets that only a fork of Caffe knows, such as ["pooling_param.ceil_mode"].

    A fork's value of Caffe's enum counts, as in "loss_param.normalization: PRE_FIXED"; a field that is set to
    its default does not. Whoever acts on messages compares this with what it supports, so that nothing is ignored
    in silence.
    """
    return _find(message, _SCHEMA.forks)


def hints(message: Any) -> list[str]:
    """What `message` sets, as `fork_fields` says it, that changes no number: a fork's hints about speed."""
    return _find(message, _SCHEMA.hints)


def own(message: str, names: Iterable[str]) -> list[str]:
    """Of the names of fields or enum values of `message` those that Caffe itself knows."""
    return [
        name
        for name in names
        if f"{message}.{name}" not in _SCHEMA.forks and f"{message}.{name}" not in _SCHEMA.hints
    ]


def _find(message: Any, names: set[str]) -> list[str]:
    found = []
    for field, value in message.ListFields():
        if f"{message.DESCRIPTOR.name}.{field.name}" in names and (
            field.message_type or is_repeated(field) or value != field.default_value
        ):
            found.append(field.name)
        if field.message_type:
            for item in value if is_repeated(field) else (value,):
                found += [f"{field.name}.{inner}" for inner in _find(item, names)]
        elif field.enum_type and not is_repeated(field) and value != field.default_value:
            enum_value = field.enum_type.values_by_number[value].name
            if f"{message.DESCRIPTOR.name}.{enum_value}" in names:
                found.append(f"{field.name}: {enum_value}")
    return found


def extend(schema: str) -> dict[str, Any]:
    '''Add messages of your own, and fields of LayerParameter that hold them, so that prototxt may use them.

        FOCAL = extend("""
            message FocalLossParameter { optional float gamma = 1 [default = 2]; }
            extend LayerParameter { optional FocalLossParameter focal_loss_param = 1; }
        """)["focal_loss_param"]

    Returns a handle for each such field: a layer reads `self.param.Extensions[FOCAL].gamma`. The field's number
    in files is the given one + 1,000,000, out of the way of Caffe's and its forks'.
    Raises ValueError for a schema that cannot be read and for names and numbers that are taken.
    '''
    name = f"extension_{len(EXTENSIONS)}.proto"
    header = 'syntax = "proto2"; package caffe; message LayerParameter { }'
    file = compile_schema(header + schema, name).file
    file.dependency.append(_SCHEMA.file.name)
    own = file.message_type.pop(0)
    for field in own.field:
        if field.HasField("type") or field.label != LABELS["optional"]:
            raise ValueError(f"LayerParameter.{field.name} must be an optional message")
        if field.name in _EXPORTS["LayerParameter"].DESCRIPTOR.fields_by_name or field.name in EXTENSIONS:
            raise ValueError(f"LayerParameter has a field {field.name!r} already; give yours another name")
        field.extendee = ".caffe.LayerParameter"
        field.number += _EXTENSION_RANGE[0]
        file.extension.append(field)
    try:
        _POOL.AddSerializedFile(file.SerializeToString())
    except TypeError as error:
        raise ValueError(f"{error}; give names and numbers that are not taken") from error
    for message in _POOL.FindFileByName(name).message_types_by_name.values():
        message_factory.GetMessageClass(message)
    handles = {field.name: _POOL.FindExtensionByName(f"caffe.{field.name}") for field in own.field}
    EXTENSIONS.update(handles)
    return handles


def _sections(forks: Path) -> Iterator[tuple[str, str]]:
    """What each fork adds, by the path of its file: room/owner.proto."""
    for name in sorted(glob.glob("*/*.proto", root_dir=forks)):
        with open(forks / name, encoding="utf-8") as file:
            yield name, file.read()


def _make_classes(schema: Any) -> dict[str, Any]:
    for message in schema.message_type:
        if message.name == "LayerParameter":
            message.extension_range.add(start=_EXTENSION_RANGE[0], end=_EXTENSION_RANGE[1])
    _POOL.AddSerializedFile(schema.SerializeToString())
    file = _POOL.FindFileByName(schema.name)
    classes: dict[str, Any] = {
        name: message_factory.GetMessageClass(message) for name, message in file.message_types_by_name.items()
    }
    for cls in classes.values():
        cls.__module__ = __name__
    for name, enum in file.enum_types_by_name.items():
        classes[name] = enum_type_wrapper.EnumTypeWrapper(enum)
        classes.update(classes[name].items())
    return classes


TRAINING_NETS = ("net", "net_param", "train_net", "train_net_param")  # the fields of a solver for it
EXTENSIONS: dict[str, Any] = {}  # what `extend` added to LayerParameter, by name
_EXTENSION_RANGE = (1_000_000, 2_000_000)
_POOL = DescriptorPool()
_HERE = Path(__file__).parent
_SCHEMA = compile_schema(
    (_HERE / "caffe.proto").read_text(encoding="utf-8"), sections=_sections(_HERE.parent / "forks")
)
_EXPORTS = _make_classes(_SCHEMA.file)
globals().update(_EXPORTS)
__all__ = ["EXTENSIONS", "compile_schema", "extend", "fork_fields", "hints", "is_repeated", "own", *_EXPORTS]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    # For type checkers, too, which cannot see the names that globals().update() adds.
    if name == "caffe_pb2":  # there without being imported, as after pycaffe's `import caffe`
        return importlib.import_module(f"{__name__}.caffe_pb2")
    raise AttributeError(f"module {__name__!r} has no message {name!r}")
