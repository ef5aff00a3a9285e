"""What the upgrades share: a field carried over, and the words for a layer."""

from google.protobuf.message import Message

from caffe_compat.proto import V1LayerParameter, is_repeated


def where(layer: V1LayerParameter, name: str, type: str) -> str:
    return f"{layer.origin + ': ' if layer.origin else ''}layer '{name}' ({type})"


def copy(message: Message, name: str, into: Message, into_name: str) -> None:
    """Set the field `into_name` of `into` (the last item, where it is repeated) to a field of `message`."""
    value = getattr(message, name)
    target = into.DESCRIPTOR.fields_by_name[into_name]
    if is_repeated(target):
        many = is_repeated(message.DESCRIPTOR.fields_by_name[name])
        getattr(into, into_name).extend(value if many else [value])
    elif target.message_type:
        getattr(into, into_name).CopyFrom(value)
    else:
        setattr(into, into_name, value)
