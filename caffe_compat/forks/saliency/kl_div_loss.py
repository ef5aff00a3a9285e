"""Losses of maps of where people look: KLDivLoss and NSSLoss."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.losses import KnownGradient, Loss, rows

_LEAST = 1e-6


class _MapLoss(Loss):
    """A loss of a map (N, 1, H, W) and of its target of the same shape."""

    def reshape(self, *bottom: Shape) -> list[Shape]:
        data, target = bottom
        if len(data) != 4 or data != target or data[1] != 1:
            self.fail(
                f"bottom 0 of shape {data} and bottom 1 of shape {target} must be maps of one shape: N x 1 x H x W"
            )
        return super().reshape(*bottom)


@layer("KLDivLoss")
class KLDivLoss(_MapLoss):
    """top = sum f log(f / (s + e) + e) / N, s and f the maps divided by the sum of their absolute values + e; e = 1e-6

    Fork: the one with the layers KLDivLoss and NSSLoss for eye fixations, src/caffe/layers/kldiv_loss_layer.cpp
    Its gradient for a value x of a map with sum S is -f (S - x) / (S x + e) / N: what other values lose by x is left out.
    """

    def forward(self, data: Tensor, target: Tensor) -> Tensor:
        self.refuse_gradient(target, "label inputs")
        x, target = rows(data), rows(target)
        total = x.detach().abs().sum(1, keepdim=True)
        wanted = target / (target.abs().sum(1, keepdim=True) + _LEAST)
        share = x.detach() / (total + _LEAST)
        value = (wanted * torch.log(wanted / (share + _LEAST) + _LEAST)).sum() / len(x)
        gradient = -wanted * (total - x.detach()) / (total * x.detach() + _LEAST) / len(x)
        return KnownGradient.apply(x, value, gradient)


@layer("NSSLoss")
class NSSLoss(_MapLoss):
    """top = -sum s f / N, f the target divided by the sum of its absolute values; s is normalised before (MVN)

    Fork: as of KLDivLoss, src/caffe/layers/nss_loss_layer.cpp
    """

    def forward(self, data: Tensor, target: Tensor) -> Tensor:
        self.refuse_gradient(target, "label inputs")
        target = rows(target)
        return -(rows(data) * target / target.abs().sum(1, keepdim=True)).sum() / len(data)
