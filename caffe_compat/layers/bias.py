"""Bias: a learned or given blob added, broadcast from an axis on."""

from collections.abc import Sequence

from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer, nothing_multiplied


def broadcast_shape(layer: Layer, bottom: Shape, axis: int, num_axes: int) -> Shape:
    """The shape of a blob that is broadcast over `bottom` from `axis` on: num_axes axes, -1 for all the rest."""
    start = layer.axis(axis, bottom)
    if num_axes < -1:
        layer.fail(f"num_axes is {num_axes}; use 0 or more, or -1 for all axes from `axis` on")
    if start + num_axes > len(bottom):
        layer.fail(
            f"axis {start} + num_axes {num_axes} is past the {len(bottom)} axes of bottom 0, {tuple(bottom)}"
        )
    return bottom[start:] if num_axes == -1 else bottom[start : start + num_axes]


def check_broadcast(layer: Layer, bottom: Shape, axis: int, blob: Shape, what: str) -> int:
    """Where `blob` starts in `bottom` (0 for a scalar); fails unless it equals that part of bottom's shape."""
    start = layer.axis(axis, bottom) if blob else 0
    if bottom[start : start + len(blob)] != blob:
        layer.fail(
            f"{what} of shape {blob} does not fit bottom 0 of shape {tuple(bottom)} from axis {start} on; "
            f"they must agree in the {len(blob)} axes they share"
        )
    return start


def keeps_records_apart(start: int, blob: Shape, given: bool) -> bool:
    """Whether a blob broadcast from axis `start` on leaves records apart: a given one has to have the record axis
    itself, a learned one must not."""
    return (start == 0 and bool(blob)) == given


def spread(blob: Tensor, start: int, axes: int) -> Tensor:
    """`blob` as a view that broadcasts over a tensor of `axes` axes from axis `start` on."""
    return blob.reshape(*blob.shape, *[1] * (axes - start - blob.dim()))


def spread_in_onnx(layer: Layer, graph: OnnxGraph, bottoms: Sequence[str], index: int, start: int) -> str:
    """`spread` of bottom 1, or of the layer's blob `index`, over bottom 0."""
    axes = len(graph.shape(bottoms[0]))
    if len(bottoms) == 1:
        shape = tuple(layer.blobs[index].shape)
        return graph.blob(layer, index, (*shape, *[1] * (axes - start - len(shape))))
    first, last = len(graph.shape(bottoms[1])), axes - start
    if first == last:
        return bottoms[1]
    return graph.node("Unsqueeze", [bottoms[1], graph.constant(range(first, last))])


@layer("Bias")
class Bias(Layer):
    """top = bottom[0] + (blobs[0], or bottom[1] when given), broadcast from `axis` on

    Caffe: src/caffe/layers/bias_layer.cpp
    Blobs: 0 bias, shape bottom.shape[axis : axis + num_axes]; none with two bottoms.
    """

    drawn_as = "follower"
    num_bottom = (1, 2)
    num_top = 1
    bias_blob = 0
    multiply_adds = nothing_multiplied

    def setup(self, *bottom):
        p = self.param.bias_param
        if len(bottom) == 1:
            self.add_blob(broadcast_shape(self, bottom[0], p.axis, p.num_axes), p.filler)

    def reshape(self, *bottom):
        blob = bottom[1] if len(bottom) > 1 else tuple(self.blobs[0].shape)
        what = "bottom 1" if len(bottom) > 1 else "the bias"
        self.start = check_broadcast(self, bottom[0], self.param.bias_param.axis, blob, what)
        self.apart = keeps_records_apart(self.start, blob, len(bottom) > 1)
        return [bottom[0]]

    def per_record(self) -> bool:
        return self.apart

    def forward(self, bottom, bias=None):
        bias = self.blobs[0] if bias is None else bias
        return bottom + spread(bias, self.start, bottom.dim())

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Add", [bottoms[0], spread_in_onnx(self, graph, bottoms, 0, self.start)], tops)
