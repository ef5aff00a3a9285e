"""SigmoidCrossEntropyLoss: one logistic loss a value, for labels that do not exclude one another."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import OnnxGraph, Shape, layer
from caffe_compat.layers.loss import Loss
from caffe_compat.proto import LossParameter


@layer("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLoss(Loss):
    """top = -sum (t log s(x) + (1 - t) log(1 - s(x))) / normalizer, s the logistic function

    Caffe: src/caffe/layers/sigmoid_cross_entropy_loss_layer.cpp
    The normalizer is the batch size unless loss_param says otherwise. Targets may be fractions; a
    target is ignored if it is ignore_label when truncated to an integer.
    """

    def setup(self, *bottom: Shape) -> None:
        p = self.param.loss_param
        self.ignore = p.ignore_label if p.HasField("ignore_label") else None
        if p.HasField("normalization"):
            self.normalization = p.normalization
        else:
            self.normalization = LossParameter.VALID if p.normalize else LossParameter.BATCH_SIZE

    def reshape(self, *bottom: Shape) -> list[Shape]:
        top = super().reshape(*bottom)
        a, b = (math.prod(shape) for shape in bottom)
        if a != b:
            self.fail(
                f"bottom 0 of shape {bottom[0]} has {a} values and bottom 1 of shape {bottom[1]} has {b}; "
                "give one target a value"
            )
        return top

    def forward(self, data: Tensor, target: Tensor) -> Tensor:
        self.refuse_gradient(target, "label inputs")
        target = target.reshape(data.shape)
        loss = F.binary_cross_entropy_with_logits(data, target, reduction="none")
        keep = None
        if self.ignore is not None:
            keep = target.long() != self.ignore
            loss = loss.where(keep, 0)
        return loss.sum() / self.normalizer(self.normalization, data.shape[0], data.numel(), keep)

    def prediction(self, bottom: Tensor) -> Tensor:
        return bottom.sigmoid()

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Sigmoid", bottoms[:1], tops)
