"""L1Loss, ManhattanLoss in another fork: the mean absolute difference of an item."""

from caffe_compat.layers.base import layer
from caffe_compat.layers.loss import DifferenceLoss


@layer("L1Loss", "ManhattanLoss")
class L1Loss(DifferenceLoss):
    """top = sum |bottom0 - bottom1| / N, N the first dimension; both bottoms get a gradient, 0 where they are equal

    Fork: NVIDIA/caffe, qxcv/caffe
    """

    def forward(self, prediction, target):
        return (prediction - target.reshape(prediction.shape)).abs().sum() / prediction.shape[0]
