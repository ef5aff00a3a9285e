"""Sparsify: values near 0 become 0."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer


class _Pulled(torch.autograd.Function):
    """x, with coef sign(x) added to its gradient."""

    @staticmethod
    def forward(ctx, x: Tensor, coef: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.coef = coef
        return x.clone()

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return grad + ctx.coef * x.sign(), None


@layer("Sparsify")
class Sparsify(Layer):
    """top = x moved towards 0 by `thre`, and 0 within it; backward adds coef sign(top) to the top's gradient

    Fork: wenwei202/caffe, src/caffe/layers/sparsify_layer.cpp
    Values that became 0 get no gradient, if thre is above 0.
    """

    num_bottom = num_top = 1
    fork_fields = ("sparsify_param",)

    def setup(self, bottom: Shape) -> None:
        p = self.param.sparsify_param
        self.threshold, self.coef = p.thre, p.coef
        if min(p.thre, p.coef) < 0:
            self.fail(f"sparsify_param has thre {p.thre:g} and coef {p.coef:g}; both must be at least 0")

    def reshape(self, bottom: Shape) -> list[Shape]:
        return [bottom]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        top = bottom
        if self.threshold:
            top = torch.nn.functional.softshrink(bottom, self.threshold)
        return _Pulled.apply(top, self.coef) if self.coef else top.clone()

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if self.threshold:
            graph.node("Shrink", bottoms, tops, lambd=self.threshold, bias=self.threshold)
        else:
            graph.node("Identity", bottoms, tops)
