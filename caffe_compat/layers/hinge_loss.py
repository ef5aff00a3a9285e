"""HingeLoss: scores that should be above 1 at the label and below -1 elsewhere."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.losses import RowLoss
from caffe_compat.proto import HingeLossParameter


@layer("HingeLoss")
class HingeLoss(RowLoss):
    """top = sum_nk max(0, 1 - s_nk x_nk)^p / N, s = +1 at the label and -1 elsewhere, p = 1 (L1) or 2 (L2).

    Caffe: src/caffe/layers/hinge_loss_layer.cpp
    """

    def setup(self, *bottom: Shape) -> None:
        self.squared = self.param.hinge_loss_param.norm == HingeLossParameter.L2

    def term(self, data: Tensor, index: Tensor) -> Tensor:
        sign = torch.ones_like(data).scatter(1, index, -1.0)
        margin = F.relu(1 + sign * data)
        return margin.square() if self.squared else margin

    def leftover_diffs(self, *bottom: Tensor) -> dict[int, Tensor]:
        # Caffe's forward works out the margins in bottom 0's diff.
        terms = self.terms(*(b.detach() for b in bottom))[0].view(bottom[0].shape)
        return {0: terms.sqrt() if self.squared else terms}
