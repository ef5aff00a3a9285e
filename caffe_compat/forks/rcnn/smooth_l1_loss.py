"""SmoothL1Loss and SmoothL1LossOHEM: quadratic near 0, linear beyond."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import OnnxGraph, Shape, layer
from caffe_compat.layers.common.legacy_shape import legacy_shape
from caffe_compat.layers.common.losses import Loss
from caffe_compat.proto import LossParameter


def smooth_l1(x: Tensor, sigma: float = 1.0) -> Tensor:
    """0.5 (sigma x)^2 where |x| < 1 / sigma^2, |x| - 0.5 / sigma^2 elsewhere."""
    square = sigma * sigma
    return torch.where(x.abs() < 1 / square, 0.5 * square * x * x, x.abs() - 0.5 / square)


class _Weighted(torch.autograd.Function):
    """weight * x, whose gradient is passed on without the weight."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor) -> Tensor:
        return weight * x

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


@layer("SmoothL1Loss")
class SmoothL1Loss(Loss):
    """top = sum w_out smooth(w_in (bottom0 - bottom1)) / N, w_in = bottom2, w_out = bottom3, N the first dimension

    Fork: rbgirshick/caffe-fast-rcnn, src/caffe/layers/smooth_L1_loss_layer.cpp
    The function: smooth(x) = 0.5 (sigma x)^2 where |x| < 1 / sigma^2, |x| - 0.5 / sigma^2 elsewhere. Bottoms 0 and
    1 get a gradient. With three bottoms (Fast R-CNN, SSD) the gradient leaves out the factor w_in, as in those
    forks: it is the same for weights of 0 and 1. With loss_param or a second top it is SmoothL1LossOHEM.
    """

    num_bottom = (2, 4)
    num_top = (1, 2)
    fork_fields = (
        "smooth_l1_loss_param",
        "loss_param.pre_fixed_normalizer",
        "loss_param.normalization: PRE_FIXED",
    )

    def allow_force_backward(self, index: int) -> bool:
        return index < 2

    def setup(self, *bottom: Shape) -> None:
        p = self.param.loss_param
        self.sigma = self.param.smooth_l1_loss_param.sigma
        if self.sigma <= 0:
            self.fail(f"smooth_l1_loss_param.sigma is {self.sigma:g} and must be above 0")
        self.instances = len(self.param.top) > 1
        self.by_position = self.type != "SmoothL1Loss" or self.instances or self.param.HasField("loss_param")
        self.mode, self.fixed = p.normalization, p.pre_fixed_normalizer
        if p.HasField("normalize") and not p.HasField("normalization"):
            self.mode = LossParameter.VALID if p.normalize else LossParameter.BATCH_SIZE

    def reshape(self, *bottom: Shape) -> list[Shape]:
        tops = super().reshape(*bottom)
        outer, _, height, width = first = legacy_shape(self, bottom[0])
        for i, shape in enumerate(bottom[1:], 1):
            if legacy_shape(self, shape) != first:
                self.fail(
                    f"bottom {i} of shape {shape} and bottom 0 of shape {bottom[0]} differ; make them the same"
                )
        divisor: float = outer
        if self.by_position:
            positions = outer * height * width
            divisor = {
                LossParameter.FULL: positions,
                LossParameter.VALID: positions,
                LossParameter.BATCH_SIZE: outer,
                LossParameter.NONE: 1,
            }.get(self.mode, self.fixed)
            divisor = max(1, divisor)
        self.divisor, self.folded = divisor, first
        return [*tops, (outer, 1, height, width)] if self.instances else tops

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        prediction, target, *weights = (b.reshape(self.folded) for b in bottom)
        x = prediction - target
        if len(weights) == 1:
            x = _Weighted.apply(x, weights[0].detach())
        elif weights:
            x = x * weights[0].detach()
        errors = smooth_l1(x, self.sigma)
        if len(weights) > 1:
            errors = errors * weights[1].detach()
        loss = errors.sum() / self.divisor
        return (loss, errors.detach().sum(1, keepdim=True)) if self.instances else loss

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Identity", bottoms[:1], tops)


@layer("SmoothL1LossOHEM")
class SmoothL1LossOHEM(SmoothL1Loss):
    """top0 = sum smooth(w (bottom0 - bottom1)) / normalizer, w = bottom2; top1 = the sum over channels, a position

    Fork: daijifeng001/caffe-rfcn (R-FCN), src/caffe/layers/smooth_L1_loss_layer.cpp
    The normalizer is, and is at least 1: VALID (the default) and FULL the positions N H W, BATCH_SIZE N, PRE_FIXED
    pre_fixed_normalizer, NONE 1. The gradient leaves out the factor w, as in the fork. top1 takes no gradient.
    """
