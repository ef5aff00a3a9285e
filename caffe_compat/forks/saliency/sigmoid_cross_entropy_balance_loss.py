"""Losses of edges: SigmoidCrossEntropyBalanceLoss, and CASENet's two, of many classes of edges."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.losses import Loss, rows


@layer("SigmoidCrossEntropyBalanceLoss")
class SigmoidCrossEntropyBalanceLoss(Loss):
    """top = -sum w (t log s(x) + (1 - t) log(1 - s(x))) / N, with w of an item's ones its share of zeros, and vice versa

    Fork: s9xie/hed, kmaninis/OSVOS-caffe, src/caffe/layers/sigmoid_cross_entropy_balance_loss_layer.cpp
    Targets that are neither 0 nor 1 count for nothing; an item without ones or without zeros has loss 0.
    """

    def reshape(self, *bottom: Shape) -> list[Shape]:
        a, b = (math.prod(shape) for shape in bottom)
        if a != b:
            self.fail(
                f"bottom 0 of shape {bottom[0]} has {a} values and bottom 1 of shape {bottom[1]} has {b}; "
                "give one target a value"
            )
        return super().reshape(*bottom)

    def allow_force_backward(self, index: int) -> bool:
        return index == 0

    def forward(self, data: Tensor, target: Tensor) -> Tensor:
        self.refuse_gradient(target, "label inputs")
        x, target = rows(data), rows(target)
        ones, zeros = target == 1, target == 0
        loss = F.binary_cross_entropy_with_logits(x, target, reduction="none")
        counts = [part.sum(1, keepdim=True).to(x.dtype) for part in (ones, zeros)]
        known = (counts[0] + counts[1]).clamp(min=1)
        weight = torch.where(ones, counts[1], torch.where(zeros, counts[0], 0)) / known
        return (weight * loss).sum() / len(x)


@layer("MultiChannelReweightedSigmoidCrossEntropyLoss", "MultiChannelSigmoidCrossEntropyLoss")
class MultiChannelSigmoidCrossEntropyLoss(Loss):
    """top = -sum w (t log s(x) + (1 - t) log(1 - s(x))) / N, t for channel c bit c % 32 of bottom 1's channel c / 32

    Fork: lt573152873/CASEnet and Chrisding/seal, src/caffe/layers/multichannel_reweighted_sigmoid_cross_entropy_loss_layer.cpp
    Bottom 1 holds float32 values as in a file of whole numbers of 32 bits: a bit a class. Positions with the last bit of
    its last channel count for nothing. w is 1; reweighted, that of ones is the share of positions of the item without
    any class, that of zeros the share of the others.
    """

    def reshape(self, *bottom: Shape) -> list[Shape]:
        data, label = bottom
        self.check_pictures(data)
        if len(label) != 4 or label[2:] != data[2:] or data[1] >= 32 * label[1]:
            self.fail(
                f"bottom 0 has shape {data} and bottom 1 has {label}; it must have as many positions, and one channel of "
                f"bits for each 32 of {data[1] + 1}: the classes and one that says what does not count"
            )
        return super().reshape(*bottom)

    def allow_force_backward(self, index: int) -> bool:
        return index == 0

    def forward(self, data: Tensor, label: Tensor) -> Tensor:
        self.refuse_gradient(label, "label inputs")
        bits = label.detach().float().view(torch.int32)
        channel = torch.arange(data.shape[1], device=data.device)
        target = (bits[:, channel // 32] >> (channel % 32)[:, None, None]) & 1
        counted = bits[:, -1:] >= 0  # bit 31 is the sign
        loss = F.binary_cross_entropy_with_logits(data, target.to(data.dtype), reduction="none")
        if self.type == "MultiChannelSigmoidCrossEntropyLoss":
            return loss.where(counted, 0).sum() / len(data)
        edge = (bits[:, : data.shape[1] // 32 + 1] != 0).any(1, keepdim=True) & counted
        ones, all_ = (part.flatten(1).sum(1).to(data.dtype)[:, None, None, None] for part in (edge, counted))
        share = ones / all_.clamp(min=1)
        weight = torch.where(target > 0, 1 - share, share)
        return (weight * loss).where(counted, 0).sum() / len(data)
