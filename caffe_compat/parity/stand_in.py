"""Layers that cannot be run against Caffe's numbers, and what takes their place.

Data layers need their sources, a fork's own layers need its code, random layers draw other numbers. Where
Caffe's tops are known (a bundle has the values, a log the shapes) the net runs on with those, so that all the
other layers can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from caffe_compat.layers.base import Context, Layer, Shape
from caffe_compat.layers.registry import class_for, create_layer, not_acted_on
from caffe_compat.log.write import NULL, Log
from caffe_compat.proto import LayerParameter, NetParameter

GIVEN = "Given (stand-in)"

Shapes = Callable[[LayerParameter], "Sequence[Shape] | None"]


class Given(Layer):
    """tops = zeros in the shapes of input_param, to be overwritten with what Caffe had

    No type of Caffe's: it takes the place of a layer that cannot run.
    """

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return [tuple(shape.dim) for shape in self.param.input_param.shape]

    def forward(self, *bottom: Tensor) -> tuple[Tensor, ...]:
        nothing = sum((b.sum() * 0 for b in bottom), torch.zeros((), dtype=self.context.dtype))
        return tuple(nothing + torch.zeros(shape) for shape in self.reshape())


def create(param: LayerParameter, phase: int, context: Context | None = None, log: Log = NULL) -> Layer:
    """`create_layer` that knows stand-ins; no net of a user's can name one."""
    return Given(param, phase, context) if param.type == GIVEN else create_layer(param, phase, context, log)


def replace(net_param: NetParameter, shapes: Shapes, notes: list[str]) -> dict[str, str]:
    """Put stand-ins into `net_param`; returns {layer name: why} for those whose absence keeps us from comparing.

    `shapes(layer_param)` says the top shapes that Caffe had, or None where nobody knows them: then the layer
    stays, and building the net will say what is wrong with it. Data layers are replaced, too, but their absence
    is no fault. `notes` are the reader's warnings: a layer with a field that nobody knows is as strange as one of
    an unknown type.
    """
    unknown: dict[str, str] = {}
    ignored = _layers_of(net_param, notes)
    for param in net_param.layer:
        cls = class_for(param)
        why = ""
        if cls is None:
            why = f"type {param.type} is not one of this package's"
        elif forks := not_acted_on(cls, param):
            why = f"{', '.join(forks)}: a fork's, which this layer does not act on"
        elif param.name in ignored:
            why = ignored[param.name]
        is_source = not param.bottom and (cls is None or cls.is_data)
        if not why and cls is not None and (not is_source or cls.makes_the_same(param)):
            continue
        tops = shapes(param)
        if tops is None:
            continue
        if why and not is_source:
            unknown[param.name] = why
        _replace(param, "Input" if is_source else GIVEN, tops)
    return unknown


def _replace(param: LayerParameter, kind: str, tops: Sequence[Shape]) -> None:
    kept = {"name", "top", "bottom", "include", "exclude", "phase", "loss_weight", "origin", "propagate_down"}
    for field, _ in param.ListFields():
        if field.name not in kept:
            param.ClearField(field.name)
    param.type = kind
    for shape in tops:
        param.input_param.shape.add().dim.extend(shape)


def _layers_of(net_param: NetParameter, notes: Sequence[str]) -> dict[str, str]:
    """The reader's warnings by the name of the layer in whose lines they are."""
    lines = []
    for param in net_param.layer:
        source, _, line = param.origin.rpartition(":")
        if line.isdigit():
            lines.append((source, int(line), param.name))
    found: dict[str, str] = {}
    for note in notes:
        if not (match := re.match(r"(.+?):(\d+):\d+: (.*)", note)):
            continue
        before = [entry for entry in lines if entry[0] == match[1] and entry[1] <= int(match[2])]
        if before:
            found[max(before, key=lambda entry: entry[1])[2]] = match[3]
    return found
