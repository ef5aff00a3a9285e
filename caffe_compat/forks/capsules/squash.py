"""Squash: capsules made shorter than 1."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from caffe_compat.forks.capsules.capsule import TINY, capsules_of, positive
from caffe_compat.layers.base import Layer, Shape, layer


class _Squash(torch.autograd.Function):
    """x (1 - exp(-r)) / r. The fork's gradient is the diagonal of the derivative, element by element."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        radius = (x.square().sum(-1, keepdim=True) + 2 * TINY).sqrt()
        ctx.save_for_backward(x, radius)
        return x * (-torch.expm1(-radius) / radius)

    @staticmethod
    @once_differentiable
    def backward(ctx, diff: Tensor) -> Tensor:
        x, radius = ctx.saved_tensors
        factor = -torch.expm1(-radius) / radius
        return diff * (factor + x.square() * ((1 - radius * factor) - factor) / radius.square())


@layer("Squash")
class Squash(Layer):
    """top = bottom (1 - exp(-r)) / r for each capsule, r = sqrt(|capsule|^2 + 2e-7)

    Fork: chenzhenhua986/CAFFE-CapsNet
    The gradient is the fork's: a value's own derivative, without those of the rest of its capsule.
    """

    num_bottom = num_top = 1
    fork_fields = ("squash_param",)

    def setup(self, bottom: Shape) -> None:
        (self.size,) = positive(self, self.param.squash_param, "capsule_dim")

    def reshape(self, bottom: Shape) -> list[Shape]:
        capsules_of(self, bottom, self.size, "capsule_dim")
        return [bottom]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        return _Squash.apply(bottom.reshape(-1, self.size)).view(bottom.shape)
