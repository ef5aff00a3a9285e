"""What the reader and the printer of prototxt need of each field, looked up once a message type."""

from functools import cache
from typing import NamedTuple

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from caffe_compat.proto import EXTENSIONS, is_repeated

STRINGS = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)


class Field(NamedTuple):
    name: str
    type: int
    repeated: bool
    message: Descriptor | None
    enum: EnumDescriptor | None
    owner: str  # name of the message
    extension: FieldDescriptor | None  # the handle of a field that `proto.extend` added


def fields_of(descriptor: Descriptor) -> dict[str, Field]:
    return _looked_up(descriptor, len(EXTENSIONS))


@cache
def _looked_up(descriptor: Descriptor, extensions: int) -> dict[str, Field]:
    added = EXTENSIONS.values() if descriptor.name == "LayerParameter" else ()
    return {
        f.name: Field(
            f.name, f.type, is_repeated(f), f.message_type, f.enum_type, descriptor.name,
            f if f.is_extension else None,
        )
        for f in (*descriptor.fields, *added)
    }  # fmt: skip


@cache
def namesakes(descriptor: Descriptor) -> dict[str, list[Field]]:
    """The fields `name__fork` by `name`: what forks that disagree with others mean by it."""
    found: dict[str, list[Field]] = {}
    for name, field in fields_of(descriptor).items():
        if "__" in name:
            found.setdefault(name.partition("__")[0], []).append(field)
    return found
