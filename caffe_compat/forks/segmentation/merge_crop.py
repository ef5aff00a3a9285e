"""MergeCrop: two blobs joined, the larger one cut to the smaller one's size."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer
from caffe_compat.proto import MergeCropParameter


@layer("MergeCrop")
class MergeCrop(Layer):
    """top = the channels of bottom 0, then those of the middle of bottom 1 (operation STACK), or their sum (ADD)

    Fork: naibaf7/caffe, src/caffe/layers/mergecrop_layer.cpp
    Axes from 2 on are cut to bottom 0's, from (size 1 - size 0) / 2, rounded down. `backward`, once a bottom, says which
    of them get a gradient: the first, unless it says otherwise. A bottom that `forward` leaves out is refused.
    """

    num_bottom = 2
    num_top = 1
    in_place = False
    fork_fields = ("mergecrop_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.mergecrop_param
        if not all(p.forward):
            self.fail("mergecrop_param.forward is false for a bottom; remove it, or the layer")
        self.adds = p.operation == MergeCropParameter.ADD
        self.learns = [*p.backward, *(True, False)[len(p.backward) :]]

    def reshape(self, *bottom: Shape) -> list[Shape]:
        a, b = bottom
        if len(a) != len(b) or len(a) < 3 or a[0] != b[0] or (self.adds and a[1] != b[1]):
            self.fail(
                f"bottom 0 of shape {a} and bottom 1 of shape {b} must have as many axes and records"
                + (", and channels for operation ADD" if self.adds else "")
            )
        if any(small > large for small, large in zip(a[2:], b[2:], strict=True)):
            self.fail(f"bottom 1 of shape {b} is cut to bottom 0's {a}, and smaller; exchange the bottoms")
        self.starts = [(large - small) // 2 for small, large in zip(a[2:], b[2:], strict=True)]
        self.sizes = a[2:]
        return [(a[0], a[1] if self.adds else a[1] + b[1], *a[2:])]

    def per_record(self) -> bool:
        return True

    def forward(self, *bottom: Tensor) -> Tensor:
        a, b = (x if learns else x.detach() for x, learns in zip(bottom, self.learns, strict=True))
        for axis, (start, size) in enumerate(zip(self.starts, self.sizes, strict=True), 2):
            b = b.narrow(axis, start, size)
        return a + b if self.adds else torch.cat((a, b), 1)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        value = bottoms[1]
        for axis, (start, size) in enumerate(zip(self.starts, self.sizes, strict=True), 2):
            value = graph.slice(value, axis, start, start + size)
        if self.adds:
            graph.node("Add", [bottoms[0], value], tops)
        else:
            graph.node("Concat", [bottoms[0], value], tops, axis=1)
