"""Slice: a bottom cut into tops along an axis."""

from itertools import pairwise

import torch

from caffe_compat.layers.base import Layer, layer


@layer("Slice")
class Slice(Layer):
    """tops = bottom cut along `axis` (1 unless set; `slice_dim` is its old, unsigned form)

    Caffe: src/caffe/layers/slice_layer.cpp
    The cuts are at `slice_point`, one fewer than tops and rising; without any, the tops are of equal size.
    """

    drawn_as = "arrangement"
    num_bottom = 1
    num_top = (1, None)

    def setup(self, bottom):
        p = self.param.slice_param
        if p.HasField("axis") and p.HasField("slice_dim"):
            self.fail(f"axis {p.axis} and slice_dim {p.slice_dim} are both set; keep axis")
        self.shares_memory = self.shares_diff = len(self.param.top) == 1

    def reshape(self, bottom):
        p, tops = self.param.slice_param, len(self.param.top)
        if p.HasField("slice_dim"):
            self.start = self.axis(p.slice_dim, bottom, "slice_dim")
        else:
            self.start = self.axis(p.axis, bottom)
        size, points = bottom[self.start], list(p.slice_point)
        if points:
            if len(points) != tops - 1:
                self.fail(f"{len(points)} slice_point for {tops} tops; give one fewer than tops, {tops - 1}")
            cuts = [0, *points, size]
            if any(a >= b for a, b in pairwise(cuts)):
                self.fail(
                    f"slice_point {points} must rise from above 0 to below {size}, the size of axis {self.start}"
                )
            self.sizes = [b - a for a, b in pairwise(cuts)]
        elif size % tops:
            self.fail(
                f"{tops} tops do not divide axis {self.start} of size {size}; give slice_point or change the tops"
            )
        else:
            self.sizes = [size // tops] * tops
        return [(*bottom[: self.start], n, *bottom[self.start + 1 :]) for n in self.sizes]

    def per_record(self) -> bool:
        return self.start > 0

    def forward(self, bottom):
        return bottom if len(self.sizes) == 1 else torch.split(bottom, self.sizes, self.start)

    def to_onnx(self, graph, bottoms, tops):
        if len(tops) == 1:
            graph.node("Identity", bottoms, tops)
        elif isinstance(graph.shape(bottoms[0])[self.start], int):
            graph.node("Split", [*bottoms, graph.constant(self.sizes)], tops, axis=self.start)
        elif self.param.slice_param.slice_point:
            cuts = [0, *self.param.slice_param.slice_point, None]
            for top, (first, end) in zip(tops, pairwise(cuts), strict=True):
                graph.slice(bottoms[0], self.start, first, end, [top])
        else:
            count = {"num_outputs": len(tops)} if graph.opset >= 18 else {}
            graph.node("Split", bottoms, tops, axis=self.start, **count)
