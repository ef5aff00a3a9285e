"""The message classes, made from the schema when this module is imported; messages.pyi says what is in them.

They live in a descriptor pool of their own, so a real Caffe's `caffe_pb2` may be loaded in the same process.
"""

import glob
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal import enum_type_wrapper
from google.protobuf.message import Message

from caffe_compat.proto.schema import compile_schema

EXTENSION_RANGE = (1_000_000, 2_000_000)  # numbers of LayerParameter's fields that users add
POOL = DescriptorPool()
_HERE = Path(__file__).parent


def _sections(forks: Path) -> Iterator[tuple[str, str]]:
    """What each fork adds, by the path of its file: room/owner.proto.

    Those without layers here come last, so that hints about misplaced fields name what works first.
    """
    for path in sorted(glob.glob(f"{forks}/*/*.proto"), key=lambda path: ("/others/" in path, path)):
        with open(path, "rb") as file:  # half the time of Path.read_text, of some 190 files
            yield path.removeprefix(f"{forks}/"), file.read().decode()


def _make_classes(schema: FileDescriptorProto) -> dict[str, Any]:
    for message in schema.message_type:
        if message.name == "LayerParameter":
            message.extension_range.add(start=EXTENSION_RANGE[0], end=EXTENSION_RANGE[1])
    POOL.AddSerializedFile(schema.SerializeToString())
    file = POOL.FindFileByName(schema.name)
    classes: dict[str, Any] = {
        name: message_factory.GetMessageClass(message) for name, message in file.message_types_by_name.items()
    }
    for cls in classes.values():
        cls.__module__ = __package__
    for name, enum in file.enum_types_by_name.items():
        classes[name] = enum_type_wrapper.EnumTypeWrapper(enum)
        classes.update(classes[name].items())
    return classes


SCHEMA = compile_schema(
    (_HERE / "caffe.proto").read_text(encoding="utf-8"), sections=_sections(_HERE.parent / "forks")
)
_EXPORTS = _make_classes(SCHEMA.file)
globals().update(_EXPORTS)
__all__ = ["Descriptor", "FieldDescriptor", "Message", *_EXPORTS]  # noqa: PLE0604
