"""L1Loss, ManhattanLoss in another fork, and LpqLoss: the mean absolute difference of an item, and powers of it."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.losses import DifferenceLoss


class FlowLoss(DifferenceLoss):
    """A loss of bottom0 - bottom1, or of bottom 0 alone, in which NaN says that nothing is known."""

    num_bottom = (1, 2)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom[0])
        if len(bottom) > 1 and bottom[1] != bottom[0]:
            self.fail(f"bottom 0 has shape {bottom[0]} and bottom 1 has {bottom[1]}; they must be equal")
        return [()]

    def known(self, by_entries: bool, bottom: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | int]:
        """The difference, 0 where it is NaN, and what the sum is divided by: positions with a value, or N."""
        difference = bottom[0] - bottom[1] if len(bottom) > 1 else bottom[0]
        there = ~difference.isnan()
        count = there.sum().to(difference.dtype) / difference.shape[1] if by_entries else difference.shape[0]
        return torch.where(there, difference, 0), count


def _size(x: Tensor) -> Tensor:
    """|x|, whose gradient at 0 is -1, as in the fork."""
    return x * torch.where(x > 0, 1, -1)


@layer("L1Loss", "ManhattanLoss")
class L1Loss(FlowLoss):
    """top = sum |bottom0 - bottom1| / N, N the first dimension; both bottoms get a gradient, 0 where they are equal

    Fork: NVIDIA/caffe, qxcv/caffe
    lmb-freiburg/flownet2 (l1_loss_param, or one bottom, which is the difference): NaN counts for nothing;
    l2_per_location takes sqrt(sum over channels of squares + epsilon) at each position, of the mean over channels with
    l2_prescale_by_channels; differences, or these sums, of less than plateau count as 0; N is how many positions have a
    value with normalize_by_num_entries; the gradient at 0 is -1 but on a plateau.
    """

    fork_fields = ("l1_loss_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.l1_loss_param
        self.flow = len(bottom) == 1 or self.param.HasField("l1_loss_param")
        self.by_position, self.by_entries = p.l2_per_location, p.normalize_by_num_entries
        self.scale = 1 / bottom[0][1] if p.l2_prescale_by_channels and len(bottom[0]) > 1 else 1
        self.epsilon, self.plateau = p.epsilon, p.plateau

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return super().reshape(*bottom) if self.flow else DifferenceLoss.reshape(self, *bottom)

    def forward(self, *bottom: Tensor) -> Tensor:
        if not self.flow:
            prediction, target = bottom
            return (prediction - target.reshape(prediction.shape)).abs().sum() / prediction.shape[0]
        difference, count = self.known(self.by_entries, bottom)
        if self.by_position:
            squares = difference.square().sum(1) * self.scale
            if self.plateau > 0:
                squares = torch.where(squares < self.plateau**2, 0, squares)
            return (squares + self.epsilon).sqrt().sum() / count
        flat = (
            difference.abs() < self.plateau
            if self.plateau > 0
            else torch.zeros_like(difference, dtype=torch.bool)
        )
        for blob in bottom:
            flat = flat | blob.isnan()
        return torch.where(flat, 0, _size(difference)).sum() / count


@layer("LpqLoss")
class LpqLoss(FlowLoss):
    """top = sum over positions of (s (sum over channels of (|bottom0 - bottom1| + p_epsilon)^p) + q_epsilon)^q / N

    Fork: lmb-freiburg/flownet2, src/caffe/layers/lpq_loss_layer.cu
    N, NaN and a single bottom are as in L1Loss's flow form; s is 1, or 1 / channels with l2_prescale_by_channels. p and q
    that change with the iteration are refused.
    """

    fork_fields = ("lpq_loss_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.lpq_loss_param
        if len(p.p) != 1 or len(p.q) != 1:
            self.fail(
                f"lpq_loss_param has {len(p.p)} p and {len(p.q)} q; give one of each: a schedule of them is not known"
            )
        self.p, self.q, self.by_entries = p.p[0], p.q[0], p.normalize_by_num_entries
        self.p_epsilon, self.q_epsilon = p.p_epsilon, p.q_epsilon
        self.scale = 1 / bottom[0][1] if p.l2_prescale_by_channels and len(bottom[0]) > 1 else 1

    def forward(self, *bottom: Tensor) -> Tensor:
        difference, count = self.known(self.by_entries, bottom)
        powers = (_size(difference) + self.p_epsilon) ** self.p
        return ((powers.sum(1) * self.scale + self.q_epsilon) ** self.q).sum() / count
