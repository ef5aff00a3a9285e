"""One logistic loss a value, for labels that do not exclude one another."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import OnnxGraph, Shape, layer
from caffe_compat.layers.common.losses import Loss
from caffe_compat.proto import LossParameter


@layer("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLoss(Loss):
    """top = -sum (t log s(x) + (1 - t) log(1 - s(x))) / normalizer, s the logistic function

    Caffe: src/caffe/layers/sigmoid_cross_entropy_loss_layer.cpp
    The normalizer is the batch size unless loss_param says otherwise. Targets may be fractions; a
    target is ignored if it is ignore_label when truncated to an integer. A third bottom (daijifeng001/caffe-mnc) weighs
    the values; the sum is then divided by that of the weights, or 0 if that is not above 0.
    """

    num_bottom: int | tuple[int, int | None] | None = (2, 3)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.loss_param
        self.ignore = p.ignore_label if p.HasField("ignore_label") else None
        if p.HasField("normalization"):
            self.normalization = p.normalization
        else:
            self.normalization = LossParameter.VALID if p.normalize else LossParameter.BATCH_SIZE

    def reshape(self, *bottom: Shape) -> list[Shape]:
        top = super().reshape(*bottom)
        for i, what in enumerate(("target", "weight")[: len(bottom) - 1], 1):
            a, b = math.prod(bottom[0]), math.prod(bottom[i])
            if a != b:
                self.fail(
                    f"bottom 0 of shape {bottom[0]} has {a} values and bottom {i} of shape {bottom[i]} has {b}; "
                    f"give one {what} a value"
                )
        return top

    def allow_force_backward(self, index: int) -> bool:
        return index == 0

    def forward(self, data: Tensor, target: Tensor, *weight: Tensor) -> Tensor:
        self.refuse_gradient(target, "label inputs")
        target = target.reshape(data.shape)
        loss = F.binary_cross_entropy_with_logits(data, target, reduction="none")
        keep = None
        if self.ignore is not None:
            keep = target.long() != self.ignore
            loss = loss.where(keep, 0)
        if weight:
            scale = weight[0].detach().reshape(data.shape)
            total = scale.sum()
            return torch.where(total > 0, (loss * scale).sum() / total.where(total > 0, 1), 0)
        return loss.sum() / self.normalizer(self.normalization, data.shape[0], data.numel(), keep)

    def prediction(self, bottom: Tensor) -> Tensor:
        return bottom.sigmoid()

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Sigmoid", bottoms[:1], tops)
