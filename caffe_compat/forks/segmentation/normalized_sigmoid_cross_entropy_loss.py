"""NormalizedSigmoidCrossEntropyLoss: one logistic loss a value, summed and divided by the number of positions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.sigmoid_cross_entropy_loss import SigmoidCrossEntropyLoss


@layer("NormalizedSigmoidCrossEntropyLoss")
class NormalizedSigmoidCrossEntropyLoss(SigmoidCrossEntropyLoss):
    """top = -sum (t log s(x) + (1 - t) log(1 - s(x))) / (N H W), s the logistic function, bottom0 (N, C, H, W)

    Fork: chwilms/AttentionMask, caffe/src/caffe/layers/normalized_sigmoid_cross_entropy_loss_layer.cpp
    """

    num_bottom = 2

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom[0])
        return super().reshape(*bottom)

    def forward(self, data: Tensor, target: Tensor, *weight: Tensor) -> Tensor:
        self.refuse_gradient(target, "label inputs")
        loss = F.binary_cross_entropy_with_logits(data, target.reshape(data.shape), reduction="sum")
        return loss / (data.numel() // data.shape[1])
