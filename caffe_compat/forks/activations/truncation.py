"""Truncation: values kept between two numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.activations import Elementwise
from caffe_compat.layers.base import OnnxGraph, Shape, layer


class _Truncated(torch.autograd.Function):
    """x between two numbers; one outside gets only a gradient that pulls it in by the fork's signs."""

    @staticmethod
    def forward(ctx, x: Tensor, least: float, most: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bounds = least, most
        return x.clamp(least, most)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        least, most = ctx.bounds
        return (
            torch.where(x < least, grad.clamp(min=0), torch.where(x > most, grad.clamp(max=0), grad)),
            None,
            None,
        )


@layer("Truncation")
class Truncation(Elementwise):
    """top = bottom, but at least truncation_min and at most truncation_max

    Fork: SSAW14/LearnableDilationNetwork, src/caffe/layers/truncation_layer.cpp
    The gradient is the fork's: below the least, what of the top's is above 0; above the most, what is below 0.
    """

    fork_fields = ("truncation_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.truncation_param
        self.least, self.most = p.truncation_min, p.truncation_max
        if not p.truncation_min <= p.truncation_max:
            self.fail(
                f"truncation_param has truncation_min {p.truncation_min:g} above truncation_max {p.truncation_max:g}"
            )

    def forward(self, bottom: Tensor) -> Tensor:
        return _Truncated.apply(bottom, self.least, self.most)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Clip", [bottoms[0], graph.constant(self.least), graph.constant(self.most)], tops)
