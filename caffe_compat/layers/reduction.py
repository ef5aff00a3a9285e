"""Reduction: all axes from one on folded into a number."""

from __future__ import annotations

import math

from torch import Tensor

from caffe_compat.layers.base import Layer, Shape, layer
from caffe_compat.proto import ReductionParameter

_FOLD = {
    ReductionParameter.SUM: lambda x: x.sum(-1),
    ReductionParameter.ASUM: lambda x: x.abs().sum(-1),
    ReductionParameter.SUMSQ: lambda x: x.square().sum(-1),
    ReductionParameter.MEAN: lambda x: x.mean(-1),
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
        self.fold, self.coeff = _FOLD[p.operation], p.coeff
        self.start = self.axis(p.axis, shape)
        return [shape[: self.start]]

    def per_record(self) -> bool:
        return self.start > 0

    def forward(self, bottom: Tensor) -> Tensor:
        kept = bottom.shape[: self.start]
        top = self.fold(bottom.reshape(*kept, math.prod(bottom.shape[self.start :])))
        return top if self.coeff == 1 else top * self.coeff
