"""DetectionAccuracy, DetectionGroupAccuracy: how well fields are classified and moved."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import overlap
from caffe_compat.forks.rcnn.bbox_reg import Fields
from caffe_compat.forks.rcnn.field_loss import Sizes, check_fields, check_groups, check_maps, group_sizes
from caffe_compat.layers.base import OnnxGraph, Shape, as_tops, layer


class FieldAccuracy(Fields):
    """top0 = (1, 1, 1, 2): the share of right classes, of all and of those that are no background; top1: mean overlap"""

    num_top = (1, 2)
    is_metric = True
    objectness: bool
    stride: float
    threshold: float
    last_first: bool  # whether the later of equal scores counts as the higher one
    extra = 0.0  # 1 where both ends of a box are pixels of it

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.param.loss_param
        self.ignore = p.ignore_label if p.HasField("ignore_label") else None
        self.tops = len(self.param.top)

    def top_shapes(self) -> list[Shape]:
        shapes: list[Shape] = [(1, 1, 1, 2), (1, 1, 1, 1)]
        return shapes[: self.tops]

    def judged(
        self, scores: Tensor, offsets: Tensor, truth: Tensor, sizes: Sizes, top_k: int
    ) -> Tensor | tuple[Tensor, ...]:
        """The tops, of maps (N G, C, H, W), (N G, 4, H, W), (N G, 6, H, W) for G sizes."""
        own = truth[:, 0].long()
        label = own.clamp(max=1) if self.objectness else own
        counted = (label != 0) | (truth[:, 5] < self.threshold)
        boxes = own != 0
        if self.ignore is not None:
            counted, boxes = counted & (label != self.ignore), boxes & (own != self.ignore)
        classes = torch.arange(scores.shape[1], device=scores.device)[:, None, None]
        score = scores.gather(1, label.clamp(0, scores.shape[1] - 1)[:, None])
        before = classes > label[:, None] if self.last_first else classes < label[:, None]
        place = ((scores > score) | ((scores == score) & before)).sum(1)
        right = (place < top_k) & (label < scores.shape[1]) & (label >= 0)
        shares = [self._mean(right.to(scores), which) for which in (counted, counted & (label != 0))]
        tops = [torch.stack(shares).view(1, 1, 1, 2)]
        if self.tops > 1:
            first, size = self.fields(offsets.unflatten(0, (-1, len(sizes))), sizes, self.stride)
            found = torch.cat((first, first + size - self.extra), 2).flatten(0, 1)
            half = truth[:, 3:5] / 2
            wanted = torch.cat((truth[:, 1:3] - half, truth[:, 1:3] + half - self.extra), 1)
            shared = overlap(found.movedim(1, -1), wanted.movedim(1, -1), self.extra, self.extra)
            tops.append(self._mean(shared, boxes).view(1, 1, 1, 1))
        return as_tops(tops)

    def _mean(self, values: Tensor, which: Tensor) -> Tensor:
        """The mean of some values, or -1."""
        count = which.sum()
        return torch.where(count > 0, values.where(which, 0).sum() / count.clamp(min=1), -1.0)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Identity", bottoms[:1], tops)


@layer("DetectionAccuracy")
class DetectionAccuracy(FieldAccuracy):
    """top0 = (1, 1, 1, 2): the share of right classes, of all and of those that are no background; top1: mean overlap

    Fork: zhaoweicai/mscnn, src/caffe/layers/detection_accuracy_layer.cpp
    Bottoms as DetectionLoss's. A class is right if its score is among the top_k; of equal scores the later counts first.
    Background that overlaps by bg_threshold or more does not count. top1, (1, 1, 1, 1), compares the boxes of fields of
    a class with theirs, offsets limited by field_whr and field_xyr. Each is -1 where nothing counts.
    """

    num_bottom = 2
    is_accuracy = True
    fork_fields = ("detection_accuracy_param", "bbox_reg_param")

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.param.detection_accuracy_param
        self.count, self.top_k, self.stride, self.size = (
            p.cls_num,
            p.top_k,
            p.downsample_rate,
            (p.field_w, p.field_h),
        )
        self.objectness, self.threshold, self.last_first = p.objectness, p.bg_threshold, True
        check_fields(self, p.cls_num, p.coord_num, [self.size], p.downsample_rate, p.objectness)
        if not 1 <= p.top_k <= p.cls_num:
            self.fail(f"top_k is {p.top_k} for {p.cls_num} classes; use 1 to {p.cls_num}")
        self.limits(p.field_whr, p.field_xyr)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        check_maps(self, bottom, (self.count + 4, 6))
        return self.top_shapes()

    def forward(self, prediction: Tensor, truth: Tensor) -> Tensor | tuple[Tensor, ...]:
        prediction, truth = prediction.detach(), truth.detach()
        return self.judged(prediction[:, :-4], prediction[:, -4:], truth, [self.size], self.top_k)


@layer("DetectionGroupAccuracy")
class DetectionGroupAccuracy(FieldAccuracy):
    """top0 = (1, 1, 1, 2): the share of right classes, of all and of those that are no background; top1: mean overlap

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/detection_group_accuracy_layer.cpp
    Bottoms as DetectionGroupLoss's. Otherwise as DetectionAccuracy, but of the best class only, of equal scores the
    first, and both ends are pixels of a box.
    """

    num_bottom = 3
    is_accuracy = True
    extra = 1.0
    fork_fields = ("detection_group_accuracy_param", "bbox_reg_param")

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.param.detection_group_accuracy_param
        self.sizes = group_sizes(self, p)
        self.count, self.stride, self.objectness = p.cls_num, p.stride, p.objectness
        self.threshold, self.last_first = p.bg_threshold, False
        check_fields(self, p.cls_num, 4, self.sizes, p.stride, p.objectness)
        self.limits(p.field_whr, p.field_xyr)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        check_maps(self, bottom, (self.count, 4, 6))
        check_groups(self, bottom[0], self.sizes)
        return self.top_shapes()

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        scores, offsets, truth = (b.detach() for b in bottom)
        return self.judged(scores, offsets, truth, self.sizes, 1)
