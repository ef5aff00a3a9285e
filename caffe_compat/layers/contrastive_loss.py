"""ContrastiveLoss: pairs drawn together or apart."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.legacy_shape import legacy_shape
from caffe_compat.layers.common.losses import Loss, rows


class _Hadsell(torch.autograd.Function):
    """max(margin - d, 0)^2 of the squared distances d^2.

    Caffe divides its gradient by d + 1e-4 where the derivative has d, so equal pairs get 0, not NaN.
    """

    @staticmethod
    def forward(ctx, squared: Tensor, margin: float) -> Tensor:
        distance = squared.sqrt()
        gap = F.relu(margin - distance)
        ctx.save_for_backward(distance, gap)
        return gap.square()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        distance, gap = ctx.saved_tensors
        return -grad * gap / (distance + 1e-4), None


@layer("ContrastiveLoss")
class ContrastiveLoss(Loss):
    """top = sum_n (y_n ? d_n^2 : max(margin - d_n, 0)^2) / (2 N), d_n = |bottom0_n - bottom1_n|, y = bottom2.

    Caffe: src/caffe/layers/contrastive_loss_layer.cpp
    `legacy_version` has max(margin - d^2, 0) for dissimilar pairs. bottom2 may come from layers that learn; it
    passes no gradient on.
    """

    num_bottom = 3

    def allow_force_backward(self, index: int) -> bool:
        return index != 2

    def setup(self, *bottom: Shape) -> None:
        p = self.param.contrastive_loss_param
        self.margin, self.legacy = p.margin, p.legacy_version
        a, b, similar = (legacy_shape(self, shape) for shape in bottom)
        if a[1] != b[1]:
            self.fail(f"bottom 0 has {a[1]} channels and bottom 1 has {b[1]}; pairs must be of one size")
        for i, (shape, channels) in enumerate(((a, a[1]), (b, b[1]), (similar, 1))):
            if shape[1:] != (channels, 1, 1):
                self.fail(f"bottom {i} of shape {bottom[i]} must be N x {channels}; flatten it first")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        top = super().reshape(*bottom)
        if math.prod(bottom[2]) < bottom[0][0]:
            self.fail(f"bottom 2 has {math.prod(bottom[2])} labels for {bottom[0][0]} pairs; give one a pair")
        return top

    def forward(self, a: Tensor, b: Tensor, similar: Tensor) -> Tensor:
        count = a.shape[0]
        squared = (rows(a) - rows(b)).square().sum(1)
        apart = F.relu(self.margin - squared) if self.legacy else _Hadsell.apply(squared, self.margin)
        return torch.where(similar.reshape(-1)[:count].long() != 0, squared, apart).sum() / (2 * count)
