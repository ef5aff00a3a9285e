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
        self.start = self.axis(self.param.reduction_param.axis, shape)
        return [shape[: self.start]]

    def per_record(self) -> bool:
        return self.start > 0

    def forward(self, bottom: Tensor) -> Tensor:
        p = self.param.reduction_param
        kept = bottom.shape[: self.start]
        top = _FOLD[p.operation](bottom.reshape(*kept, math.prod(bottom.shape[self.start :])))
        return top if p.coeff == 1 else top * p.coeff
