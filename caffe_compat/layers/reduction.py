"""Reduction: all axes from one on folded into a number."""

from __future__ import annotations

import math

from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer
from caffe_compat.proto import ReductionParameter


def _sum(x: Tensor) -> Tensor:
    return x.sum(-1)


def _sum_of_sizes(x: Tensor) -> Tensor:
    return x.abs().sum(-1)


def _sum_of_squares(x: Tensor) -> Tensor:
    return x.square().sum(-1)


def _mean(x: Tensor) -> Tensor:
    return x.mean(-1)


# What folds the last axis, and ONNX's name for it. Functions of names, because a layer must pickle.
_FOLD = {
    ReductionParameter.SUM: (_sum, "ReduceSum"),
    ReductionParameter.ASUM: (_sum_of_sizes, "ReduceL1"),
    ReductionParameter.SUMSQ: (_sum_of_squares, "ReduceSumSquare"),
    ReductionParameter.MEAN: (_mean, "ReduceMean"),
}


@layer("Reduction")
class Reduction(Layer):
    """top = coeff * fold of bottom over the axes from `axis` on; fold is SUM, ASUM, SUMSQ or MEAN

    Caffe: src/caffe/layers/reduction_layer.cpp
    """

    num_bottom = num_top = 1

    def reshape(self, *bottom: Shape) -> list[Shape]:
        (shape,) = bottom
        p = self.param.reduction_param
        (self.fold, self.operator), self.coeff = _FOLD[p.operation], p.coeff
        self.start = self.axis(p.axis, shape)
        return [shape[: self.start]]

    def per_record(self) -> bool:
        return self.start > 0

    def forward(self, bottom: Tensor) -> Tensor:
        kept = bottom.shape[: self.start]
        top = self.fold(bottom.reshape(*kept, math.prod(bottom.shape[self.start :])))
        return top if self.coeff == 1 else top * self.coeff

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        axes = range(self.start, len(graph.shape(bottoms[0])))
        top = graph.reduce(self.operator, bottoms[0], axes, tops if self.coeff == 1 else None)
        if self.coeff != 1:
            graph.node("Mul", [top, graph.constant(self.coeff)], tops)
