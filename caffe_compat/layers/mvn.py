"""MVN: mean-variance normalisation, item by item."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.common.legacy_shape import legacy_shape


class _Normalize(torch.autograd.Function):
    """(x - mean) / (deviation + eps) along the last axis.

    Caffe's gradient takes eps for no part of the deviation that varies with x, which also keeps it
    finite where all x are equal.
    """

    @staticmethod
    def forward(ctx, x: Tensor, eps: float) -> Tensor:
        top = x - x.mean(-1, keepdim=True)
        scale = top.square().mean(-1, keepdim=True).sqrt() + eps
        top = top / scale
        ctx.save_for_backward(top, scale)
        return top

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        top, scale = ctx.saved_tensors
        centred = grad - grad.mean(-1, keepdim=True) - top * (grad * top).mean(-1, keepdim=True)
        return centred / scale, None


@layer("MVN")
class MVN(Layer):
    """top = (bottom - mean) / (sqrt(variance) + eps), or bottom - mean without normalize_variance

    Caffe: src/caffe/layers/mvn_layer.cpp
    Statistics are one channel's of one item, or with across_channels one item's; the variance is the
    biased one. The top always has four axes.
    """

    num_bottom = num_top = 1

    def reshape(self, *bottom: Shape) -> list[Shape]:
        p = self.param.mvn_param
        self.first = 1 if p.across_channels else 2  # the first of the axes that are normalised together
        self.normalize_variance, self.eps = p.normalize_variance, p.eps
        return [legacy_shape(self, bottom[0])]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        shape = legacy_shape(self, tuple(bottom.shape))
        x = bottom.reshape(shape).flatten(self.first)
        top = _Normalize.apply(x, self.eps) if self.normalize_variance else x - x.mean(-1, keepdim=True)
        return top.reshape(shape)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        axes = range(self.first, 4)
        x = graph.reshape(bottoms[0], graph.shape(tops[0]))
        mean = graph.reduce("ReduceMean", x, axes, keepdims=True)
        x = graph.node("Sub", [x, mean], None if self.normalize_variance else tops)
        if self.normalize_variance:
            variance = graph.reduce("ReduceMean", graph.node("Mul", [x, x]), axes, keepdims=True)
            deviation = graph.node("Add", [graph.node("Sqrt", [variance]), graph.constant(self.eps)])
            graph.node("Div", [x, deviation], tops)
