"""DecodeBBox: regions moved by their offsets."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.forks.rcnn.bbox_reg import Regression, flat, moved
from caffe_compat.layers.base import TRAIN, Shape, layer


@layer("DecodeBBox")
class DecodeBBox(Regression):
    """top = regions (bottom1) moved by the second four of the offsets in bottom0 (R, 8)

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/decode_bbox_layer.cpp
    In TRAIN regions that end before they start are left out, and those whose overlap with their box, the last number
    of a row of bottom 2 (as ProposalTarget's sixth top gives it), is gt_iou_thr or more. Nothing gets a gradient.
    """

    num_bottom = (2, 3)
    num_top = 1
    dynamic = True
    in_place = False
    fork_fields = ("decode_bbox_param", "bbox_reg_param")

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        self.threshold = self.param.decode_bbox_param.gt_iou_thr
        if len(bottom) > 2 and self.phase != TRAIN:
            self.fail("has a third bottom, which only TRAIN uses; name two bottoms in TEST")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.same_rows(bottom)
        self.rows(bottom, 0, 8)
        self.rows(bottom, 1, 5)
        return [bottom[1]]

    def forward(self, *bottom: Tensor) -> Tensor:
        offsets, regions, *truth = (flat(b) for b in bottom)
        boxes = moved(regions[:, 1:], self.offsets(offsets[:, 4:], 1))
        if self.phase == TRAIN:
            kept = (boxes[:, 2:] >= boxes[:, :2]).all(1)
            if truth:
                kept = kept & (truth[0][:, -1] < self.threshold)
            if not kept.any():
                self.fail(
                    f"none of the {len(kept)} regions stay: all end before they start or overlap their box by "
                    f"{self.threshold:g} or more; lower the learning rate or raise gt_iou_thr"
                )
            regions, boxes = regions[kept], boxes[kept]
        return torch.cat((regions[:, :1], boxes), 1).view(-1, *bottom[1].shape[1:])
