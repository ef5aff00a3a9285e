"""EuclideanLoss: half the mean squared distance of two bottoms."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.layers.base import layer
from caffe_compat.layers.common.losses import DifferenceLoss


@layer("EuclideanLoss")
class EuclideanLoss(DifferenceLoss):
    """top = sum (bottom0 - bottom1)^2 / (2 N), N the first dimension; both bottoms get a gradient.

    Caffe: src/caffe/layers/euclidean_loss_layer.cpp
    Caffe stops at bottoms of more than four axes.
    """

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        difference = prediction - target.reshape(prediction.shape)
        return difference.square().sum() / (2 * prediction.shape[0])
