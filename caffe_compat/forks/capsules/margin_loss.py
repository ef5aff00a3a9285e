"""MarginLoss: the capsule of the label is to be long, the others short."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from caffe_compat.forks.capsules.capsule import capsules_of, lengths_of, positive
from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.losses import Loss


@layer("MarginLoss")
class MarginLoss(Loss):
    """top = sum_nk (k is label_n ? max(0, upper - r_nk)^2 : lambda max(0, r_nk - lower)^2) / N, r a capsule's length

    Fork: chenzhenhua986/CAFFE-CapsNet
    Bottom 0 holds num_class capsules an item, m_upper_bound and m_lower_bound are the bounds, and r is
    sqrt(|capsule|^2 + 1e-7). A label that is no class counts as none of them. The gradient is the fork's: that of
    the sum, not divided by N.
    """

    fork_fields = ("margin_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.margin_param
        (self.classes,) = positive(self, p, "num_class")
        self.upper, self.lower, self.weight = p.m_upper_bound, p.m_lower_bound, getattr(p, "lambda")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        top = super().reshape(*bottom)
        capsules_of(self, bottom[0], self.classes, "num_class")
        if prod(bottom[1]) != bottom[0][0]:
            self.fail(f"bottom 1 of shape {bottom[1]} has {prod(bottom[1])} labels for {bottom[0][0]} items")
        return top

    def forward(self, data: Tensor, label: Tensor) -> Tensor:
        self.refuse_gradient(label, "label inputs")
        count = data.shape[0]
        lengths = lengths_of(data.reshape(count, self.classes, -1))
        own = label.detach().long().reshape(count, 1) == torch.arange(self.classes, device=data.device)
        short, long = (self.upper - lengths).relu().square(), (lengths - self.lower).relu().square()
        total = torch.where(own, short, self.weight * long).sum()
        return total + (total / count - total).detach()
