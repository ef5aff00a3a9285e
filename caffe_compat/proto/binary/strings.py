"""The names in a binary message: bytes to Caffe, valid text to protobuf."""

import functools
from collections.abc import Callable

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from caffe_compat.log import names
from caffe_compat.proto import LayerParameter, NetParameter, V1LayerParameter
from caffe_compat.proto.binary.wire import BYTES, Broken, Data, head, wire_fields

_DEEPEST = 100  # messages within messages that protobuf reads


def as_text(name: bytes) -> bytes:
    """The bytes of a string as protobuf takes them."""
    return name if name.isascii() else names.decode(name).encode()


def has_odd_names(param: NetParameter) -> bool:
    """Whether a net, or a layer or a blob of it, has a name that is no UTF-8, which protobuf then gives as bytes."""
    layers: list[LayerParameter | V1LayerParameter] = [*param.layer, *param.layers]
    return isinstance(param.name, bytes) or any(
        isinstance(name, bytes) for layer in layers for name in (layer.name, *layer.bottom, *layer.top)
    )


def recoded(
    data: Data, descriptor: Descriptor, start: int, end: int, change: Callable[[bytes], bytes], depth: int = 0
) -> bytes:
    """The message in data[start:end] with `change` made to every string in it."""
    fields, kept = _texts(descriptor), start
    out: list[bytes] = []
    try:
        for wire in wire_fields(data, start, end):
            if wire.type != BYTES or wire.number not in fields:
                continue
            message = fields[wire.number]
            if message is None:
                new = change(bytes(data[wire.start : wire.end]))
            elif depth < _DEEPEST:
                new = recoded(data, message, wire.start, wire.end, change, depth + 1)
            else:
                continue
            if new != data[wire.start : wire.end]:
                out += [data[kept : wire.tag], head(wire.number, len(new)), new]
                kept = wire.end
    except Broken:
        pass  # who reads the message says so
    return b"".join([*out, data[kept:end]])


@functools.cache
def _texts(descriptor: Descriptor) -> dict[int, Descriptor | None]:
    """The numbers of the fields that are a string, for which it has None, or a message, for which it has its type."""
    return {
        field.number: field.message_type
        for field in descriptor.fields
        if field.message_type is not None or field.type == FieldDescriptor.TYPE_STRING
    }


def serialize(message: Message) -> bytes:
    """The bytes of a message, with the names in it as Caffe has them."""
    data = message.SerializeToString()
    if names.KEPT_BEGINS not in data:
        return data
    return recoded(data, message.DESCRIPTOR, 0, len(data), lambda name: names.encode(name.decode()))
