"""SeLU and its dropout, and Truncation: layers of one formula an element, of forks."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.activations import Elementwise
from caffe_compat.layers.base import TRAIN, OnnxGraph, Shape, layer


@layer("SeLU", "SeLu")
class SeLU(Elementwise):
    """top = lambda bottom where it is above 0, else lambda alpha (exp(bottom) - 1)

    Fork: foss-for-synopsys-dwc-arc-processors/synopsys-caffe, src/caffe/layers/selu_layer.cpp
    """

    fork_fields = ("selu_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.selu_param
        self.scale, self.alpha = getattr(p, "lambda"), p.alpha

    def forward(self, bottom: Tensor) -> Tensor:
        return self.scale * F.elu(bottom, self.alpha)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Selu", bottoms, tops, alpha=self.alpha, gamma=self.scale)


@layer("SeLUDropout", "SeLuDropout")
class SeLUDropout(Elementwise):
    """top = a (bottom, or alpha where it is dropped) + b in TRAIN, bottom in TEST; mean 0 and variance 1 stay

    Fork: foss-for-synopsys-dwc-arc-processors/synopsys-caffe, src/caffe/layers/selu_dropout_layer.cpp
    Dropped with the probability dropout_ratio r: a = ((1 - r) (1 + alpha^2 r))^-1/2, b = -a r alpha.
    """

    is_random = True
    fork_fields = ("selu_dropout_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.selu_dropout_param
        self.ratio, self.alpha = p.dropout_ratio, p.alpha
        if not 0 < p.dropout_ratio < 1:
            self.fail(
                f"selu_dropout_param.dropout_ratio is {p.dropout_ratio:g}; it must be above 0 and below 1"
            )
        self.a = ((1 - self.ratio) * (1 + self.alpha**2 * self.ratio)) ** -0.5
        self.b = -self.a * self.ratio * self.alpha

    def random_reason(self) -> str:
        return "drops values at random in TRAIN" if self.phase == TRAIN else ""

    def forward(self, bottom: Tensor) -> Tensor:
        if self.phase != TRAIN:
            return bottom.clone()
        kept = self.drawn(bottom, torch.rand_like) >= self.ratio
        return self.a * bottom.where(kept, self.alpha) + self.b

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if self.phase == TRAIN:
            self.fail("cannot be exported: in TRAIN it drops values at random; export the TEST net")
        graph.node("Identity", bottoms, tops)


class _Truncated(torch.autograd.Function):
    """x between two numbers; one outside gets only a gradient that pulls it in by the fork's signs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, least: float, most: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bounds = least, most
        return x.clamp(least, most)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
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
