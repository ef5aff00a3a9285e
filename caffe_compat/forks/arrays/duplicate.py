"""Duplicate: one value a channel becomes a whole map."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer


@layer("Duplicate")
class Duplicate(Layer):
    """top (N, C, height, width) = the one value of each channel of bottom (N, C, 1, 1)

    Fork: SSAW14/LearnableDilationNetwork, src/caffe/layers/duplicate_layer.cu (its CPU code does nothing)
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("duplicate_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.duplicate_param
        self.size = (int(p.height), int(p.width))
        if min(self.size) < 1:
            self.fail(f"duplicate_param is {p.height:g} x {p.width:g}; height and width must be above 0")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        if len(bottom[0]) < 2 or any(size != 1 for size in bottom[0][2:]):
            self.fail(f"bottom shape {bottom[0]} must be N x C x 1 x 1: one value a channel")
        return [(*bottom[0][:2], *self.size)]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.reshape(*bottom.shape[:2], 1, 1).expand(-1, -1, *self.size).contiguous()

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        value = graph.reshape(bottoms[0], (*graph.shape(bottoms[0])[:2], 1, 1))
        graph.node("Expand", [value, graph.constant([1, 1, *self.size])], tops)
