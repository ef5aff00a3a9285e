"""BboxAccuracy: how well moved regions overlap their boxes."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import overlap
from caffe_compat.forks.rcnn.bbox_reg import Regression, flat, moved
from caffe_compat.layers.base import Shape, as_tops, layer


@layer("BboxAccuracy")
class BboxAccuracy(Regression):
    """top0 = mean overlap of regions (bottom1) moved by bottom0 with their boxes (bottom2); top1 = before the move

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/bbox_accuracy_layer.cpp
    Bottoms: 0 offsets (R, 4 classes), or (R, 8) without cls_aware; 1 regions (R, 5); 2 label, corners, overlap (R, 6),
    as ProposalTarget gives them. Rows of label 0, or that overlap by more than 0.975, do not count; -1 if none does.
    """

    num_bottom = 3
    num_top = (1, 2)
    is_accuracy = True
    fork_fields = ("bbox_reg_param",)

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        self.tops = len(self.param.top)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.same_rows(bottom)
        self.rows(bottom, 0, *([] if self.by_class else [8]))
        return [(1, 1, 1, 1)] * self.tops

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        offsets, regions, truth = (flat(b) for b in bottom)
        label = truth[:, 0].long()
        slot = label if self.by_class else label.clamp(max=1)
        columns = slot.clamp(0, offsets.shape[1] // 4 - 1)[:, None] * 4 + torch.arange(4, device=slot.device)
        counted = (label > 0) & (truth[:, -1] <= 0.975)
        before = regions[:, 1:5]
        after = moved(before, self.offsets(offsets.gather(1, columns), 1))
        tops = []
        for boxes in (after, before)[: self.tops]:
            shared = overlap(boxes, truth[:, 1:5], 1, 1)
            mean = shared.where(counted, 0).sum() / counted.sum().clamp(min=1)
            tops.append(torch.where(counted.any(), mean, -1).view(1, 1, 1, 1))
        return as_tops(tops)
