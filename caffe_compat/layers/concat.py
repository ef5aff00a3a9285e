"""Concat: bottoms one after the other along an axis."""

import torch

from caffe_compat.layers.base import Layer, layer


@layer("Concat")
class Concat(Layer):
    """top = the bottoms joined along `axis` (1 unless set; `concat_dim` is its old, unsigned form)

    Caffe: src/caffe/layers/concat_layer.cpp
    """

    drawn_as = "arrangement"
    num_bottom = (1, None)
    num_top = 1

    def setup(self, *bottom):
        p = self.param.concat_param
        if p.HasField("axis") and p.HasField("concat_dim"):
            self.fail(f"axis {p.axis} and concat_dim {p.concat_dim} are both set; keep axis")
        self.shares_memory = self.shares_diff = len(bottom) == 1

    def reshape(self, *bottom):
        p, first = self.param.concat_param, bottom[0]
        if p.HasField("concat_dim"):
            self.start = self.axis(p.concat_dim, first, "concat_dim")
        else:
            self.start = self.axis(p.axis, first)
        for i, shape in enumerate(bottom):
            if len(shape) != len(first) or any(
                a != b for j, (a, b) in enumerate(zip(shape, first, strict=True)) if j != self.start
            ):
                self.fail(
                    f"bottom {i} has shape {tuple(shape)} and bottom 0 has {tuple(first)}; they may differ "
                    f"in axis {self.start} only"
                )
        joined = sum(shape[self.start] for shape in bottom)
        return [(*first[: self.start], joined, *first[self.start + 1 :])]

    def per_record(self) -> bool:
        return self.start > 0

    def forward(self, *bottom):
        return bottom[0] if len(bottom) == 1 else torch.cat(bottom, self.start)

    def to_onnx(self, graph, bottoms, tops):
        if len(bottoms) == 1:
            graph.node("Identity", bottoms, tops)
        else:
            graph.node("Concat", bottoms, tops, axis=self.start)
