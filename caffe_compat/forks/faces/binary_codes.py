"""Layers that learn binary codes: HashingLoss, K1_EuclideanLoss, K2_EuclideanLoss, and ScaleTanH, which grows steeper."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import TRAIN, Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.common.losses import Loss, rows


class _Spread(Loss):
    """A loss of how far values are from 0.5; bottom 1 is there for its shape only."""

    sign: float

    def reshape(self, *bottom: Shape) -> list[Shape]:
        if bottom[0][1:] != bottom[1][1:]:
            self.fail(f"bottom 0 has shape {bottom[0]} and bottom 1 has {bottom[1]}; make the items the same")
        return super().reshape(*bottom)

    def forward(self, data: Tensor, other: Tensor) -> Tensor:
        self.refuse_gradient(other, "bottom 1")
        return self.sign * (data - 0.5).square().sum() / (2 * data.numel())


@layer("K1_EuclideanLoss")
class K1EuclideanLoss(_Spread):
    """top = -sum (x - 0.5)^2 / (2 n), n the number of values: codes far from 0.5

    Fork: kevinlin311tw/Caffe-DeepBinaryCode, src/caffe/layers/K1_euclidean_loss_layer.cpp
    """

    sign = -1.0


@layer("K2_EuclideanLoss")
class K2EuclideanLoss(_Spread):
    """top = sum (x - 0.5)^2 / (2 n), n the number of values: mean codes near 0.5

    Fork: kevinlin311tw/Caffe-DeepBinaryCode, src/caffe/layers/K2_euclidean_loss_layer.cpp
    """

    sign = 1.0


@layer("HashingLoss")
class HashingLoss(Loss):
    """top = sum over pairs / (N (N - 1)) + tradeoff sum | |x| - 1 | / N: codes near -1 and 1, alike for like items

    Fork: lhmRyan/deep-supervised-hashing-DSH, src/caffe/layers/hashing_loss_layer.cpp
    A pair of like items, each pair once, gives its squared distance d, another one max(0, bi_margin - d). Items are
    alike if their labels, cut to whole numbers, are equal or, where an item has several, share one that is not 0. The
    gradient of the pairs is half of what the formula has, as in the fork.
    """

    fork_fields = ("hashing_loss_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.hashing_loss_param
        self.margin, self.tradeoff = p.bi_margin, p.tradeoff
        if bottom[0][0] < 2:
            self.fail(f"bottom 0 of shape {bottom[0]} has {bottom[0][0]} items; a pair needs two")

    def allow_force_backward(self, index: int) -> bool:
        return index == 0

    def forward(self, data: Tensor, label: Tensor) -> Tensor:
        self.refuse_gradient(label, "label inputs")
        x, label = rows(data), rows(label)
        alike = label.long() == label.long().T if label.shape[1] == 1 else label @ label.T > 0
        squares = (x[:, None] - x).square().sum(2)
        pairs = torch.where(alike, squares, (self.margin - squares).clamp(min=0)).triu(1).sum()
        pairs = (pairs + pairs.detach()) / (
            2 * len(x) * (len(x) - 1)
        )  # half of the gradient, all of the value
        far = torch.where(x > 0, x - 1, x + 1).abs().sum()
        return pairs + self.tradeoff * far / len(x)


@layer("ScaleTanH")
class ScaleTanH(Layer):
    """top = tanh(scale x), scale = init_scale (1 + gamma k)^power, k the last multiple of step_size that was reached

    Fork: thuml/HashNet, caffe/src/caffe/layers/scale_tanh_layer.cpp
    Reached by forward passes, of TRAIN and TEST nets each for itself; before the first step the scale is init_scale.
    Setting up counts as one. As in the fork, no snapshot holds the count: a run that is resumed starts anew.
    """

    num_bottom = num_top = 1
    fork_fields = ("scale_tanh_param",)
    passes: Tensor

    def setup(self, bottom: Shape) -> None:
        p = self.param.scale_tanh_param
        if p.step_size < 1:
            self.fail("scale_tanh_param.step_size is 0; set it to a number of passes")
        self.first, self.gamma, self.power, self.step = p.init_scale, p.gamma, p.power, p.step_size
        # One number, kept where compiled code may change it.
        self.register_buffer("passes", torch.ones((), dtype=torch.float64), persistent=False)

    def reshape(self, bottom: Shape) -> list[Shape]:
        return [bottom]

    def per_record(self) -> bool:
        return True

    def steepness(self) -> Tensor:
        reached = self.passes - self.passes % self.step
        return torch.where(reached > 0, self.first * (1 + self.gamma * reached) ** self.power, self.first)

    def forward(self, bottom: Tensor) -> Tensor:
        self.passes.add_(1)
        return torch.tanh(self.steepness().to(bottom.dtype) * bottom)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if self.phase == TRAIN:
            self.fail("cannot be exported: in TRAIN its scale grows; export the TEST net")
        scaled = graph.node("Mul", [bottoms[0], graph.constant(float(self.steepness()))])
        graph.node("Tanh", [scaled], tops)
