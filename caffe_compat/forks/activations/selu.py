"""SeLU and its dropout."""

from __future__ import annotations

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
