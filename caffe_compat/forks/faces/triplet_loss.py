"""TripletLoss: an item nearer to one like it than to one unlike it."""

from __future__ import annotations

import math

from torch import Tensor

from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.losses import Loss, rows


@layer("TripletLoss")
class TripletLoss(Loss):
    """top = sum w max(0, |bottom0 - bottom1|^2 - |bottom0 - bottom2|^2 + margin) / (2 N), w = bottom3 or 1

    Fork: AlfredXiangWu/caffe, jwyang/JULE-Caffe (triplet_loss_param.margin), huangyangyu/SeqFace (bottom 3),
    lferrer/iccv2017 (threshold_param.threshold is the margin), src/caffe/layers/triplet_loss_layer.cpp
    """

    num_bottom = (3, 4)
    fork_fields = ("triplet_loss_param",)

    def setup(self, *bottom: Shape) -> None:
        given = [name for name in ("triplet_loss_param", "threshold_param") if self.param.HasField(name)]
        if len(given) != 1:
            self.fail(
                f"has {' and '.join(given) or 'neither triplet_loss_param nor threshold_param'}; set the margin in one: "
                "triplet_loss_param.margin or threshold_param.threshold"
            )
        p = self.param
        self.margin = (
            p.threshold_param.threshold if p.HasField("threshold_param") else p.triplet_loss_param.margin
        )
        other = [f.name for f, _ in p.triplet_loss_param.ListFields() if f.name != "margin"]
        if other:
            self.fail(
                f"triplet_loss_param.{other[0]} is another fork's, which is not known; keep margin only"
            )

    def reshape(self, *bottom: Shape) -> list[Shape]:
        if bottom[1] != bottom[0] or bottom[2] != bottom[0]:
            self.fail(
                f"bottoms 0, 1 and 2 have shapes {bottom[0]}, {bottom[1]} and {bottom[2]}; they must be equal"
            )
        if len(bottom) > 3 and math.prod(bottom[3]) != bottom[0][0]:
            self.fail(
                f"bottom 3 of shape {bottom[3]} must have {bottom[0][0]} values, a weight for each triplet"
            )
        return [()]

    def allow_force_backward(self, index: int) -> bool:
        return index < 3

    def forward(self, anchor: Tensor, like: Tensor, unlike: Tensor, *weight: Tensor) -> Tensor:
        near, far = (rows(anchor - other).square().sum(1) for other in (like, unlike))
        loss = (near - far + self.margin).clamp(min=0)
        if weight:
            self.refuse_gradient(weight[0], "weights")
            loss = weight[0].reshape(-1) * loss
        return loss.sum() / (2 * len(anchor))
