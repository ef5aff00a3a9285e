"""The part of a net that goes into a file, its shapes and its values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, Shape
from caffe_compat.net.wiring import Wiring

Value = tuple[int, int]  # top k of layer i
Shapes = dict[Value, Shape]


@dataclass
class Plan:
    """The part of a net that makes some outputs.

    layers   indices of the layers that are needed, in order; data layers among them
    sources  per layer of the net, the values that are its bottoms; Split layers are looked through
    inputs   what data layers make, or was asked to be an input, and its blob's name
    fills    what DummyData layers fill with one number, beside real inputs, and the number; or what was asked to be
             constant, and its numbers along axis 0
    known    values that are the same whatever the inputs hold, as the net stands
    outputs  names in the file, and what they are; a loss layer has what a trained net shows in its place
    unread   inputs that were asked for, and that no output needs
    renamed  blobs that are outputs, and their names in the file, which has an input of that name
    """

    net: Wiring
    layers: list[int] = field(default_factory=list)
    sources: list[list[Value]] = field(default_factory=list)
    inputs: dict[Value, str] = field(default_factory=dict)
    fills: dict[Value, np.ndarray] = field(default_factory=dict)
    known: dict[Value, np.ndarray] = field(default_factory=dict)
    outputs: dict[str, Value] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)

    def bottoms(self, i: int) -> list[Value]:
        """What layer i reads: of a loss or a metric, only what it judges."""
        return self.sources[i][:1] if judges(self.net.layers[i]) else self.sources[i]

    # -- shapes ---------------------------------------------------------------------------------

    def input_shapes(self) -> Shapes:
        """The shapes of the inputs and fills as the net stands."""
        return {value: self.net.blob_shapes[self.name(value)] for value in (*self.inputs, *self.fills)}

    def name(self, value: Value) -> str:
        """The blob's name."""
        return self.net.top_names[value[0]][value[1]]

    def propagate(self, inputs: Shapes, stretched: int | None = None) -> Shapes:
        """The shape of every value for inputs of these; raises LayerError where they do not fit.

        Top sizes that only a run tells are the largest there can be, those of layer `stretched` twice that.
        """
        shapes = dict(inputs)
        for i in self.layers:
            layer = self.net.layers[i]
            if self.is_input(i):
                continue
            bottoms = [shapes[value] for value in self.bottoms(i)]
            if judges(layer):
                tops = bottoms * len(self.net.top_names[i])
            else:
                tops = layer.reshape(*bottoms)
            if layer.dynamic and i == stretched:
                at = layer.dynamic_axis
                tops = [(*top[:at], 2 * top[at], *top[at + 1 :]) for top in tops]
            made = {(i, k): tuple(top) for k, top in enumerate(tops)}
            shapes.update({value: top for value, top in made.items() if value not in inputs})
        return shapes

    def is_input(self, i: int) -> bool:
        return self.net.layers[i].is_source()

    # -- values ---------------------------------------------------------------------------------

    def run(self, feeds: dict[str, Tensor], shapes: Shapes | None = None) -> dict[str, Tensor]:
        """The outputs for these inputs, by this package. The net is left as it was.

        `shapes` are those of inputs and fills, if they are not as the net stands.
        """
        net, shapes = self.net, self.input_shapes() if shapes is None else shapes
        values = {value: feeds[name].to(net.device, net.context.dtype) for value, name in self.inputs.items()}
        for value, numbers in self.fills.items():
            filled = torch.from_numpy(numbers).to(net.device, net.context.dtype)
            values[value] = filled.expand(shapes[value])
        with self.undisturbed(), torch.no_grad():
            self.propagate({value: tuple(data.shape) for value, data in values.items()})
            for i in self.layers:
                if self.is_input(i):
                    continue
                tops = self._tops(i, [values[value] for value in self.bottoms(i)])
                made = {(i, k): top for k, top in enumerate(tops)}
                values.update({value: top for value, top in made.items() if value not in shapes})
        return {name: values[value].cpu() for name, value in self.outputs.items()}

    def _tops(self, i: int, bottoms: Sequence[Tensor]) -> Sequence[Tensor]:
        layer = self.net.layers[i]
        if layer.dynamic:
            layer.reshape(*(tuple(bottom.shape) for bottom in bottoms))
        if judges(layer):
            return [layer.prediction(*bottoms)] * len(self.net.top_names[i])
        tops = layer(*bottoms)
        return [tops] if isinstance(tops, Tensor) else tops

    def find_known(self) -> None:
        """Compute the values that do not depend on the inputs."""
        context = self.net.context
        with self.undisturbed(), torch.no_grad():
            shapes = self.propagate(self.input_shapes())
            values = {
                value: torch.from_numpy(numbers).to(context.dtype).expand(shapes[value])
                for value, numbers in self.fills.items()
            }
            for i in self.layers:
                layer, bottoms = self.net.layers[i], self.bottoms(i)
                whole = all(value in values for value in bottoms)
                count = len(self.net.top_names[i])
                told = [k for k in (range(count) if whole else layer.shape_tops) if k < count]
                if self.is_input(i) or layer.is_random or not told:
                    continue
                zeros = [torch.zeros(shapes[value], dtype=context.dtype) for value in bottoms]
                given = [values.get(value, zero) for value, zero in zip(bottoms, zeros, strict=True)]
                tops = self._tops(i, [value.to(self.net.device) for value in given])
                values.update({(i, k): tops[k].cpu() for k in told if (i, k) not in self.inputs})
        self.known = {value: top.detach().double().numpy() for value, top in values.items()}

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Afterwards the layers have the shapes, carried states and statistics that they had before."""
        layers = [self.net.layers[i] for i in self.layers]
        buffers = [layer._buffers for layer in layers]
        kept = [
            (blob, blob.detach().clone())
            for layer in layers
            for blob in (layer.owned_blobs()[index] for index in layer.fixed_blobs)
        ]
        try:
            for layer in layers:
                layer._buffers = {
                    name: None if buffer is None else buffer.clone()
                    for name, buffer in layer._buffers.items()
                }
                layer.forget()
            yield
        finally:
            for layer, own in zip(layers, buffers, strict=True):
                layer._buffers = own
            with torch.no_grad():
                for blob, value in kept:
                    blob.copy_(value)
            self.propagate(self.input_shapes())
            for layer, own in zip(layers, buffers, strict=True):
                layer._buffers = own


def judges(layer: Layer) -> bool:
    """Whether a file has something else in the layer's place."""
    return layer.is_loss or layer.is_metric


def writes(layer: Layer) -> bool:
    """Whether the layer knows how to write itself."""
    return type(layer).to_onnx is not Layer.to_onnx
