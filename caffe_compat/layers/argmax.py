"""ArgMax: where the largest values are."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.layers.base import ONNX_FLOAT, Layer, OnnxGraph, Shape, layer


@layer("ArgMax")
class ArgMax(Layer):
    """top = positions of the top_k largest values, largest first; of equal values the last one comes first.

    Caffe: src/caffe/layers/argmax_layer.cpp
    Without `axis`: over everything after axis 0, top (N, 1, top_k), or with out_max_val (N, 2, top_k),
    positions then values; ones are appended up to the bottom's number of axes. With `axis`: the bottom's
    shape with top_k on that axis, and out_max_val gives the values instead of the positions.
    """

    num_bottom = num_top = 1

    def allow_force_backward(self, index: int) -> bool:
        return False

    def reshape(self, *bottom: Shape) -> list[Shape]:
        (shape,) = bottom
        if not shape:
            self.fail("bottom shape () has 0 axes, at least 1 is needed")
        p = self.param.argmax_param
        self.top_k, self.out_max_val = p.top_k, p.out_max_val
        if p.top_k < 1:
            self.fail(f"argmax_param.top_k is {p.top_k} and must be at least 1")
        self.along = self.axis(p.axis, shape) if p.HasField("axis") else None
        size = math.prod(shape[1:]) if self.along is None else shape[self.along]
        if p.top_k > size:
            what = "values an item" if self.along is None else f"values on axis {self.along}"
            self.fail(
                f"argmax_param.top_k is {p.top_k}, but shape {shape} has {size} {what}; use at most {size}"
            )
        if self.along is not None:
            return [(*shape[: self.along], p.top_k, *shape[self.along + 1 :])]
        return [(shape[0], 2 if p.out_max_val else 1, p.top_k, *(1,) * (len(shape) - 3))]

    def per_record(self) -> bool:
        return self.along is None or self.along > 0

    def forward(self, bottom: Tensor) -> Tensor:
        return self.without_gradient(self.largest(bottom.detach()), bottom)

    def largest(self, bottom: Tensor) -> Tensor:
        """The top, outside the autograd graph."""
        axis = 1 if self.along is None else self.along
        x = bottom.detach()
        if self.along is None:
            x = x.reshape(x.shape[0], math.prod(x.shape[1:]))
        # torch finds the first of equal values, so look from the end.
        x = x.flip(axis)
        if self.top_k == 1:
            index = x.argmax(axis, keepdim=True)
        else:
            index = x.sort(dim=axis, descending=True, stable=True).indices.narrow(axis, 0, self.top_k)
        position = (x.shape[axis] - 1 - index).to(x.dtype)
        if self.along is not None:
            return x.gather(axis, index) if self.out_max_val else position
        top = torch.stack((position, x.gather(axis, index)), 1) if self.out_max_val else position[:, None]
        return top.reshape(*top.shape, *(1,) * (bottom.dim() - 3))

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        axis = 1 if self.along is None else self.along
        x = graph.node("Flatten", bottoms, axis=1) if self.along is None else bottoms[0]
        values, position = self._largest_to_onnx(graph, x, axis)
        if self.along is not None:
            graph.node("Identity", [values], tops) if self.out_max_val else graph.node(
                "Cast", [position], tops, to=ONNX_FLOAT
            )
            return
        parts = [graph.node("Cast", [position], to=ONNX_FLOAT), *([values] if self.out_max_val else [])]
        rows = [graph.node("Unsqueeze", [part, graph.constant([1])]) for part in parts]
        top = graph.node("Concat", rows, axis=1) if len(rows) > 1 else rows[0]
        shape = graph.shape(tops[0])
        graph.reshape(top, shape, tops, source=shape[:3])

    def _largest_to_onnx(self, graph: OnnxGraph, x: str, axis: int) -> tuple[str, str]:
        """The values, and where they are in int64."""
        if self.top_k == 1:
            position = graph.node("ArgMax", [x], axis=axis, keepdims=1, select_last_index=1)
            return graph.reduce("ReduceMax", x, [axis], keepdims=True), position
        # TopK, too, finds the first of equal values.
        backwards = [graph.constant([number]) for number in (-1, -(2**63), axis, -1)]
        values, index = graph.fresh(2)
        graph.node(
            "TopK",
            [graph.node("Slice", [x, *backwards]), graph.constant([self.top_k])],
            [values, index],
            axis=axis,
        )
        last = graph.node("Sub", [graph.size(x, axis), graph.constant(1)])
        return values, graph.node("Sub", [last, index])
