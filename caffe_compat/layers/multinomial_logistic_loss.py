"""MultinomialLogisticLoss: the cross entropy of probabilities and labels."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.legacy_shape import legacy_shape
from caffe_compat.layers.common.losses import LOG_THRESHOLD, Floor, RowLoss


@layer("MultinomialLogisticLoss")
class MultinomialLogisticLoss(RowLoss):
    """top = -sum_n log max(p_n[label_n], 1e-20) / N; bottom 0 holds probabilities already.

    Caffe: src/caffe/layers/multinomial_logistic_loss_layer.cpp
    Below the floor the gradient is that at the floor, not 0.
    """

    def reshape(self, *bottom: Shape) -> list[Shape]:
        top = super().reshape(*bottom)
        if legacy_shape(self, bottom[1])[1:] != (1, 1, 1):
            self.fail(f"bottom 1 of shape {bottom[1]} must hold one label an item, {bottom[0][0]} in all")
        return top

    def term(self, data: Tensor, index: Tensor) -> Tensor:
        return -Floor.apply(data.gather(1, index), LOG_THRESHOLD).log()
