"""Which of the fields that a message sets are a fork's, and which of those are hints."""

from collections.abc import Iterable

from caffe_compat.proto.messages import SCHEMA, FieldDescriptor, Message
from caffe_compat.proto.schema import LABELS

TRAINING_NETS = ("net", "net_param", "train_net", "train_net_param")  # the fields of a solver for it


def is_repeated(field: FieldDescriptor) -> bool:
    """Whether a field descriptor is of a repeated field; protobuf 7 has no `label`, protobuf 4 no `is_repeated`."""
    return field.is_repeated if hasattr(field, "is_repeated") else field.label == LABELS["repeated"]


def fork_fields(message: Message) -> list[str]:
    """What `message` sets that only a fork of Caffe knows, such as ["pooling_param.ceil_mode"].

    A fork's value of Caffe's enum counts, as in "loss_param.normalization: PRE_FIXED"; a field that is set to
    its default does not. Whoever acts on messages compares this with what it supports, so that nothing is ignored
    in silence.
    """
    return _find(message, SCHEMA.forks)


def hints(message: Message) -> list[str]:
    """What `message` sets, as `fork_fields` says it, that changes no number: a fork's hints about speed."""
    return _find(message, SCHEMA.hints)


def own(message: str, names: Iterable[str]) -> list[str]:
    """Of the names of fields or enum values of `message` those that Caffe itself knows."""
    return [
        name
        for name in names
        if f"{message}.{name}" not in SCHEMA.forks and f"{message}.{name}" not in SCHEMA.hints
    ]


def _find(message: Message, names: set[str]) -> list[str]:
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
