"""Insanity, RReLU in another fork: a rectifier whose slope is drawn in training."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.layers.activations import Elementwise
from caffe_compat.layers.base import TRAIN, OnnxGraph, Shape, layer


@layer("Insanity", "RReLU")
class Insanity(Elementwise):
    """top = bottom where it is above 0, else bottom / a: in TRAIN a is drawn for each value between lb and ub

    Fork: happynear/caffe-windows, ducha-aiki/caffe
    In TEST a = (ub - lb) / (log |ub| - log |lb|). The gradient at 0 is 1 / a.
    """

    is_random = True
    fork_fields = ("insanity_param", "rrelu_param")

    def setup(self, bottom: Shape) -> None:
        p = self.param.rrelu_param if self.type == "RReLU" else self.param.insanity_param
        self.least, self.most = p.lb, p.ub
        if len(bottom) < 2:
            self.fail(f"bottom shape {tuple(bottom)} has {len(bottom)} axes, at least 2 are needed")
        if not p.ub > p.lb or p.lb * p.ub == 0:
            self.fail(f"lb is {p.lb:g} and ub {p.ub:g}; ub must be above lb, and neither of them 0")
        # Equal but for their signs, the bounds have no such mean; Caffe divides by 0 then, too.
        spread = math.log(abs(p.ub)) - math.log(abs(p.lb))
        self.mean = (p.ub - p.lb) / spread if spread else math.inf

    def random_reason(self) -> str:
        return "draws slopes at random in TRAIN" if self.phase == TRAIN else ""

    def forward(self, bottom: Tensor) -> Tensor:
        if self.phase == TRAIN:
            slope = self.drawn(bottom, lambda like: torch.empty_like(like).uniform_(self.least, self.most))
            return torch.where(bottom > 0, bottom, bottom / slope)
        return torch.where(bottom > 0, bottom, bottom / self.mean)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if self.phase == TRAIN:
            self.fail("cannot be exported: in TRAIN it draws slopes at random; export the TEST net")
        graph.node("LeakyRelu", bottoms, tops, alpha=1 / self.mean)
