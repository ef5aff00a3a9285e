"""`--set FIELD=VALUE`: change any field of a solver or a net from the command line.

    max_lr=3.5                                       a solver field, else a field of the net
    stepvalue=100,200                                a repeated field, whole; `stepvalue=` empties it
    stepvalue[1]=300   weights[0]=a.caffemodel       one element; the index after the last appends
    net.force_backward=true                          a field of the net for certain
    layer.batch_norm_param.eps=1e-4                  in every layer that has the message or is of its type
    layer[L2_*].convolution_param.num_output=8       the same among the layers of these names
    layer[loss].loss_weight=0.5                      a field of the layer itself
    layer[ip1].param[0].lr_mult=2                    inside one element of a repeated message
    layer[conv1].convolution_param.weight_filler={type: "msra"}     a whole message, as prototxt

Works on the messages alone: nothing is built, and torch is not needed.
"""

import fnmatch
import re
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from caffe_compat import proto
from caffe_compat.errors import ParseError, UsageError, nearest, some
from caffe_compat.log.write import NULL, Log, cpp_float
from caffe_compat.proto import LayerParameter, NetParameter, SolverParameter, is_repeated
from caffe_compat.proto.owners import shared, takes
from caffe_compat.proto.text import parse, to_text

_LAYER = re.compile(r"(?:net\.)?layer(?:\[(.+?)\])?\.(?=\w)")
_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?([.=])")
Step = tuple[str, int | None]  # a field's name, and an index if it was given one
_PRIVATE = "origin"  # where the reader found a message; no field of Caffe's


def apply_overrides(
    solver: SolverParameter | None,
    net: NetParameter | Sequence[NetParameter] | None,
    settings: Iterable[str],
    log: Log = NULL,
) -> list[str]:
    """Carry out `--set` settings, in order, on a SolverParameter and one or several NetParameters.

    Either may be None where a command has none. The messages are changed in place. Returns one line for
    each setting, `FIELD: old -> new (n layers)`, and writes it to `log`.

    Raises UsageError for a setting that is not FIELD=VALUE, an unknown field (with the nearest names), a
    value of the wrong kind (with the kind that is wanted) and layers that do not exist.
    """
    nets = [] if net is None else [net] if isinstance(net, NetParameter) else list(net)
    lines = [_apply(setting, solver, nets) for setting in settings]
    for line in lines:
        log.info(f"--set {line}")
    return lines


def _apply(setting: str, solver: SolverParameter | None, nets: Sequence[NetParameter]) -> str:
    what = f"--set '{setting}'"
    if match := _LAYER.match(setting):
        steps, value = _parse_path(setting, match.end())
        layers = _layers(what, nets, match[1], steps[0][0])
        changes = [change for layer in layers for change in _set(what, layer, steps, value)]
        return _describe(setting, value, changes, f" ({len(layers)} layer{'s' * (len(layers) > 1)})")
    steps, value = _parse_path(setting, 0)
    if steps[0] == ("net", None) and len(steps) > 1:
        steps, owners = steps[1:], nets
        if not nets:
            raise UsageError(f"{what}: there is no net here to change")
    else:
        owners = _owners(what, steps[0][0], solver, nets)
    return _describe(setting, value, [c for owner in owners for c in _set(what, owner, steps, value)], "")


def _parse_path(setting: str, start: int) -> tuple[list[Step], str]:
    """`param[0].lr_mult=2` from `start` on: the steps [("param", 0), ("lr_mult", None)] and the value "2"."""
    steps: list[Step] = []
    while match := _STEP.match(setting, start):
        steps.append((match[1], None if match[2] is None else int(match[2])))
        start = match.end()
        if match[3] == "=":
            return steps, setting[start:].strip()
    raise UsageError(
        f"--set '{setting}' is not FIELD=VALUE; write, say, max_lr=3.5 or 'layer[ip1].param[0].lr_mult=2'"
    )


def _owners(
    what: str, name: str, solver: SolverParameter | None, nets: Sequence[NetParameter]
) -> Sequence[Message]:
    """The message that has a field of this name: the solver before the net."""
    if name == "solver_type":  # which is upgraded when the file is read, before any setting
        raise UsageError(f"{what}: solver_type is the old form of type; write, say, type=Adam")
    if solver is not None and name in _fields(SolverParameter):
        return [solver]
    if nets and name in _fields(NetParameter):
        return nets
    messages = [m for m in (solver, *nets[:1]) if m is not None]
    known = {field for message in messages for field in _fields(message)}
    kinds = " and ".join(message.DESCRIPTOR.name for message in messages)
    raise UsageError(f"{what}: there is no field '{name}' in {kinds}{nearest(name, known)}")


def _layers(what: str, nets: Sequence[NetParameter], pattern: str | None, field: str) -> list[LayerParameter]:
    """The layers that a setting of `field` is meant for."""
    if not nets:
        raise UsageError(f"{what}: there is no net here to change")
    every = [layer for net in nets for layer in net.layer]
    if not every:
        raise UsageError(f"{what}: the net has no layers")
    descriptor = _field(what, every[0], field)
    named = every
    if pattern is not None:
        # A name is meant literally first: layer names may contain the characters of a pattern.
        named = [layer for layer in every if layer.name == pattern] or [
            layer for layer in every if fnmatch.fnmatchcase(layer.name, pattern)
        ]
        if not named:
            close = nearest(pattern, {layer.name for layer in every})
            raise UsageError(f"{what}: no layer's name matches '{pattern}'{close}")
    takers = [layer for layer in named if _is_set(layer, descriptor) or takes(layer.type, field)]
    if pattern is not None and (not shared(field) or not takers) and not field.endswith("_param"):
        takers = named  # a field that any layer may have, asked for by name
    if not takers:
        which = "no layer" if pattern is None else f"none of the {len(named)} layers that match '{pattern}'"
        types = some(sorted({layer.type for layer in named}))
        raise UsageError(f"{what}: {which} has {field} or a type that takes it; the types are {types}")
    return takers


def _fields(message: Message | type[Message]) -> dict[str, FieldDescriptor]:
    fields = dict(message.DESCRIPTOR.fields_by_name)
    fields.pop(_PRIVATE, None)
    return fields


def _field(what: str, message: Message, name: str) -> FieldDescriptor:
    """The descriptor of field `name`; UsageError names the nearest ones where there is none."""
    fields = _fields(message)
    if name not in fields:
        kind = message.DESCRIPTOR.name
        raise UsageError(f"{what}: {kind} has no field '{name}'{nearest(name, fields)}")
    return fields[name]


def _is_set(message: Message, field: FieldDescriptor) -> bool:
    return bool(getattr(message, field.name)) if is_repeated(field) else message.HasField(field.name)


def _set(what: str, message: Message, steps: Sequence[Step], value: str) -> list[tuple[str, str]]:
    """Set the field that `steps` lead to; returns (old, new) for each place that was set."""
    (name, index), rest = steps[0], steps[1:]
    field = _field(what, message, name)
    is_message = field.message_type is not None
    if rest and not is_message:
        raise UsageError(f"{what}: {name} is {_kind(field)} and has no fields")
    if not is_repeated(field):
        if index is not None:
            raise UsageError(f"{what}: {name} is not a repeated field; leave [{index}] out")
        if rest:
            return _set(what, getattr(message, name), rest, value)
        old = _show(field, getattr(message, name)) if message.HasField(name) else _unset(field)
        if is_message:
            getattr(message, name).CopyFrom(_message(what, field, value))
        else:
            setattr(message, name, _scalar(what, field, value))
        return [(old, _show(field, getattr(message, name)))]

    elements = getattr(message, name)
    if index is not None and index > len(elements):
        count = len(elements)
        raise UsageError(f"{what}: {name} has {count} elements; an index may be 0 to {count}, not {index}")
    if rest:
        if index is None and not elements:
            raise UsageError(f"{what}: {name} has no elements; give an index, {name}[0], to make one")
        if index == len(elements):
            elements.add()
        chosen = elements if index is None else [elements[index]]
        return [change for element in chosen for change in _set(what, element, rest, value)]

    old = _show(field, elements)
    if index is None:
        if is_message and value:
            raise UsageError(f"{what}: {name} is a repeated message; set one element, {name}[0]=...")
        new = [_scalar(what, field, word) for word in value.split(",")] if value else []
        del elements[:]
        elements.extend(new)
    elif is_message:
        new_message = _message(what, field, value)
        (elements.add() if index == len(elements) else elements[index]).CopyFrom(new_message)
    elif index == len(elements):
        elements.append(_scalar(what, field, value))
    else:
        elements[index] = _scalar(what, field, value)
    return [(old, _show(field, elements))]


def _kind(field: FieldDescriptor) -> str:
    """What a field wants, in words."""
    if field.message_type is not None:
        return f"a message ({field.message_type.name})"
    if field.enum_type is not None:
        return f"one of {some(field.enum_type.values_by_name)}"
    return {
        field.CPPTYPE_FLOAT: "a number",
        field.CPPTYPE_DOUBLE: "a number",
        field.CPPTYPE_BOOL: "true or false",
        field.CPPTYPE_STRING: "text",
        field.CPPTYPE_UINT32: "a whole number from 0 on",
        field.CPPTYPE_UINT64: "a whole number from 0 on",
    }.get(field.cpp_type, "a whole number")


def _scalar(what: str, field: FieldDescriptor, text: str) -> Any:
    """`text` as a value of the field's type."""
    text = text.strip()
    try:
        if field.enum_type is not None:
            names = field.enum_type.values_by_name
            return names[text if text in names else text.upper()].number
        match field.cpp_type:
            case field.CPPTYPE_BOOL:
                return {"true": 1, "t": 1, "1": 1, "false": 0, "f": 0, "0": 0}[text.lower()]
            case field.CPPTYPE_FLOAT | field.CPPTYPE_DOUBLE:
                return float(text)
            case field.CPPTYPE_STRING:
                quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
                text = text[1:-1] if quoted else text
                return text.encode() if field.type == field.TYPE_BYTES else text
            case _:
                number = int(text)
                bits = 64 if field.cpp_type in (field.CPPTYPE_INT64, field.CPPTYPE_UINT64) else 32
                signed = field.cpp_type in (field.CPPTYPE_INT32, field.CPPTYPE_INT64)
                least = -(2 ** (bits - 1)) if signed else 0
                if not least <= number < least + 2**bits:
                    raise ValueError
                return number
    except (KeyError, ValueError):
        raise UsageError(f"{what}: '{text}' does not fit; {field.name} wants {_kind(field)}") from None


def _message(what: str, field: FieldDescriptor, text: str) -> Message:
    """`{type: "msra"}`, braces optional, as a message of the field's type."""
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    try:
        return parse(text, getattr(proto, field.message_type.name), source=what)
    except ParseError as error:
        raise UsageError(str(error)) from None


def _show(field: FieldDescriptor, value: Any) -> str:
    """A value as a prototxt would have it, on one line."""
    if is_repeated(field):
        return "[" + ", ".join(_show_one(field, v) for v in value) + "]"
    return _show_one(field, value)


def _show_one(field: FieldDescriptor, value: Any) -> str:
    if field.message_type is not None:
        return "{ " + " ".join(to_text(value).split()) + " }"
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return cpp_float(value)
    if field.cpp_type == field.CPPTYPE_BOOL:
        return str(value).lower()
    return f'"{value}"' if field.cpp_type == field.CPPTYPE_STRING else str(value)


def _unset(field: FieldDescriptor) -> str:
    """How a field that was not given is named: with the value it has all the same."""
    if field.message_type is not None or not field.has_default_value:
        return "unset"
    return f"default {_show_one(field, field.default_value)}"


def _describe(setting: str, value: str, changes: Sequence[tuple[str, str]], where: str) -> str:
    """`FIELD: old -> new`, with every value named once."""
    path = setting[: len(setting) - len(value)].rstrip().removesuffix("=")
    old, new = (", ".join(dict.fromkeys(values)) for values in zip(*changes, strict=True))
    return f"{path}: {old} -> {new}{where}"
