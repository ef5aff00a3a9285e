"""L1Loss, ManhattanLoss in another fork: the mean absolute difference of an item."""

import math

from caffe_compat.layers.base import layer
from caffe_compat.layers.loss import Loss


@layer("L1Loss", "ManhattanLoss")
class L1Loss(Loss):
    """top = sum |bottom0 - bottom1| / N, N the first dimension; both bottoms get a gradient, 0 where they are equal

    Fork: NVIDIA/caffe, qxcv/caffe
    """

    def allow_force_backward(self, index):
        return True

    def reshape(self, *bottom):
        top = super().reshape(*bottom)
        a, b = (math.prod(shape[1:]) for shape in bottom)
        if a != b:
            self.fail(
                f"bottom 0 of shape {bottom[0]} has {a} values an item and bottom 1 of shape {bottom[1]} has {b}; "
                "make them the same"
            )
        return top

    def forward(self, prediction, target):
        return (prediction - target.reshape(prediction.shape)).abs().sum() / prediction.shape[0]
