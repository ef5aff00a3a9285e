"""LabelSpecificAdd, and CosinAddm of ArcFace: scores that are changed at the label alone."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.layers.base import TEST, Context, Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.common.labels import Labelled
from caffe_compat.proto import LayerParameter


class Annealed(Labelled):
    """A layer of scores and labels whose number changes from one forward to the next.

    How many there were begins at the parameter `iteration` whenever a run begins, as in the forks.
    """

    num_bottom = 2
    num_top = (1, 2)
    passes: Tensor

    def __init__(self, param: LayerParameter, phase: int, context: Context | None = None):
        super().__init__(param, phase, context)
        self.register_buffer("passes", torch.zeros((), dtype=torch.float64), persistent=False)

    def allow_force_backward(self, index: int) -> bool:
        return index == 0

    def at_labels(self, label: Tensor) -> tuple[Tensor, Tensor | None]:
        """The label's column of each item (M, 1), and a NaN to add if a label is no class."""
        index, _, nan = self.read_labels(label, None)
        return index.reshape(-1, 1), nan


@layer("CosinAddm")
class CosinAddm(Labelled, Layer):
    """top = bottom, an item's cosine at its label cos(angle + m), or cosine - m sin(m) where angle + m is above pi

    Fork: xialuxi/arcface-caffe (ArcFace), src/caffe/layers/cosin_add_m_layer.cpp; in TEST, too, as there
    A cosine above 1 counts as 1. Where angle + m is above pi, or the cosine is 1, its gradient is the top's.
    """

    num_bottom, num_top = 2, 1
    in_place = False
    fork_fields = ("cosin_add_m_param",)

    def setup(self, *bottom: Shape) -> None:
        self.m = self.param.cosin_add_m_param.m

    def reshape(self, *bottom: Shape) -> list[Shape]:
        scores, label = bottom
        self.fold((scores[0], math.prod(scores[1:])), label, 1)
        return [scores]

    def allow_force_backward(self, index: int) -> bool:
        return index == 0

    def forward(self, data: Tensor, label: Tensor) -> Tensor:
        index, _, nan = self.read_labels(label, None)
        column = index.reshape(-1, 1)
        cosine = data.flatten(1).gather(1, column)
        c = cosine.detach().clamp(max=1)
        sine = (1 - c * c).sqrt()
        far = c <= math.cos(math.pi - self.m)
        value = torch.where(
            far, c - math.sin(math.pi - self.m) * self.m, c * math.cos(self.m) - sine * math.sin(self.m)
        )
        slope = math.cos(self.m) + math.sin(self.m) * c / sine.where(sine > 0, 1)
        slope = torch.where(far | (sine == 0), 1, slope)
        # The value, with that slope.
        value = value + slope * (cosine - cosine.detach())
        top = data.flatten(1).scatter(1, column, value).view_as(data)
        return top if nan is None else top + nan


@layer("LabelSpecificAdd")
class LabelSpecificAdd(Annealed):
    """top = bottom, with `bias` added to an item's score at its label where that is above -bias

    Fork: happynear/caffe-windows, openvinotoolkit/training_toolbox_caffe, src/caffe/layers/label_specific_add.cpp
    In TEST top = bottom, whatever transform_test says. The second fork, known by its positive bias, takes |bias| away.
    bias_base: the k-th forward, from `iteration` on, has bias_base + (1 + bias_gamma k)^bias_power - 1, between bias_min
    and bias_max. Top 1: the bias. Scores get the top's gradient.
    """

    fork_fields = ("label_specific_add_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.label_specific_add_param
        self.bias, self.anneals = -abs(p.bias), p.HasField("bias_base")
        self.base, self.gamma, self.power = p.bias_base, p.bias_gamma, p.bias_power
        self.least, self.most = p.bias_min, p.bias_max
        self.passes.fill_(p.iteration)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        scores, label = bottom
        self.fold((scores[0], math.prod(scores[1:])), label, 1)
        self.tops = len(self.param.top)
        return [scores, (1,)][: self.tops]

    def forward(self, data: Tensor, label: Tensor) -> Tensor | tuple[Tensor, ...]:
        bias = data.new_full((1,), 0.0 if self.anneals and self.phase == TEST else self.bias)
        if self.phase == TEST:
            top = data.clone()
        else:
            if self.anneals:
                grown = self.base + (1 + self.gamma * self.passes) ** self.power - 1
                bias = grown.clamp(self.least, self.most).to(data).reshape(1)
                self.passes.add_(1)
            column, nan = self.at_labels(label)
            score = data.flatten(1).gather(1, column)
            step = torch.where(score > -bias, bias, 0).detach()
            top = data.flatten(1).scatter_add(1, column, step.expand_as(score)).view_as(data)
            top = top if nan is None else top + nan
        return (top, bias) if self.tops == 2 else top

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if self.phase != TEST:
            self.fail("cannot be exported: in TRAIN it needs labels; export the TEST net")
        graph.node("Identity", bottoms[:1], tops[:1])
