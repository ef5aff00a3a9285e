"""DetectionGroupLoss: what several kinds of fields of a feature map learn."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.forks.rcnn.field_loss import (
    FieldLoss,
    check_fields,
    check_groups,
    check_maps,
    group_sizes,
    places,
)
from caffe_compat.layers.base import OnnxGraph, Shape, constant, layer
from caffe_compat.layers.softmax_loss import FLT_MIN


def _uniform(like: Tensor) -> Tensor:
    return torch.rand(like.shape, device=like.device)


@layer("DetectionGroupLoss")
class DetectionGroupLoss(FieldLoss):
    """top = (1, 1, 1, 2): loss of classes + lambda times that of boxes, and the second of them (which has no gradient)

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/detection_group_loss_layer.cpp
    Bottoms: 0 scores (N G, cls_num, H, W), 1 offsets (N G, 4, H, W), 2 truth (N G, 6, H, W) of G kinds of fields
    (field_w, field_h, one stride). Of each record all fields of a class count, and bg_multiple times as many, but at
    least min_num_neg, of the others that overlap by less than bg_threshold; with batch_size that many in all, of which
    1 / (1 + bg_multiple) of a class if there are. They are drawn from torch's default generator if there are more;
    of the others neg_mining_type takes "random" ones, "bootstrap" those least sure to be background
    (neg_ranking_type: "conf_prob", "conf_loss"), "mixture" half of both. pos_neg_weighted as in DetectionLoss. Each loss
    is a mean over what counts. Offsets are limited if field_whr and field_xyr are both given, which their gradient does
    not mind, and not in bottom 1 itself, as in the fork. bbox_loss_type: "Smooth_L1", "Euclidean_L2".
    """

    num_bottom = 3
    is_random = True
    fork_fields = ("detection_group_loss_param", "bbox_reg_param")

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.p = self.param.detection_group_loss_param
        self.sizes = group_sizes(self, p)
        self.weight, self.stride, self.objectness = getattr(p, "lambda"), p.stride, p.objectness
        check_fields(self, p.cls_num, 4, self.sizes, p.stride, p.objectness)
        if p.batch_size != -1 and p.batch_size < 1:
            self.fail(f"batch_size is {p.batch_size} and must be above 0, or -1 for no limit")
        for name, known in (
            ("neg_mining_type", ("random", "bootstrap", "mixture")),
            ("neg_ranking_type", ("conf_loss", "conf_prob")),
            ("bbox_loss_type", ("Smooth_L1", "Euclidean_L2")),
        ):
            if getattr(p, name) not in known:
                self.fail(f"{name} {getattr(p, name)!r} is not known; use one of {', '.join(known)}")
        self.smooth = p.bbox_loss_type == "Smooth_L1"
        self.bounds = None
        if p.HasField("field_whr") and p.HasField("field_xyr"):
            self.take_bounds(p.field_whr, p.field_xyr)
        self.mining, self.by_loss = p.neg_mining_type, p.neg_ranking_type == "conf_loss"
        self.threshold, self.multiple, self.least = p.bg_threshold, p.bg_multiple, p.min_num_neg
        self.batch, self.evenly, self.count = p.batch_size, p.pos_neg_weighted, p.cls_num

    def allow_force_backward(self, index: int) -> bool:
        return index != 2

    def reshape(self, *bottom: Shape) -> list[Shape]:
        check_maps(self, bottom, (self.count, 4, 6))
        check_groups(self, bottom[0], self.sizes)
        number, _, *size = bottom[0]
        self.fold(bottom[0], (number, *size), 1)
        return [(1, 1, 1, 2)]

    def random_reason(self) -> str:
        if self.mining != "bootstrap":
            return f"draws the background (neg_mining_type: {self.mining})"
        return (
            ""
            if self.batch == -1
            else f"draws fields of classes where there are too many (batch_size {self.batch})"
        )

    def forward(self, *bottom: Tensor) -> Tensor:
        scores, offsets, truth = bottom
        self.refuse_gradient(truth, "the targets")
        label = truth[:, 0].long()
        positive, negative = label > 0, (label == 0) & (truth[:, 5] < self.threshold)
        positive, negative = self._sampled(scores.detach(), positive, negative)
        weight = torch.ones_like(truth[:, 0])
        if self.evenly:
            weight = self.balanced(weight, positive, negative, self.multiple)
        sizes = torch.stack([constant(size, truth) for size in self.sizes])
        sizes = sizes.repeat(len(truth) // len(self.sizes), 1)
        return self.losses(scores, offsets, truth, positive | negative, weight, sizes)

    def _sampled(self, scores: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
        """Which of the fields of a class, and of those that may be background, count."""
        shape = positive.shape
        pos, neg = (which.view(-1, len(self.sizes) * math.prod(shape[1:])) for which in (positive, negative))
        some, others = pos.sum(1, keepdim=True), neg.sum(1, keepdim=True)
        if self.batch == -1:
            wanted = (some * self.multiple).clamp(min=self.least)
        else:
            most = math.floor(self.batch / (1 + self.multiple) + 0.5)
            wanted = self.batch - some.clamp(max=most)
            pos = pos & (places(self.drawn(pos, _uniform), pos) < most)
        wanted = torch.minimum(wanted, others)
        chosen = torch.zeros_like(neg)
        if self.mining != "random":
            sure = scores.softmax(1)[:, 0].reshape(neg.shape)
            score = -sure.clamp(min=FLT_MIN).log() if self.by_loss else 1 - sure
            hard = wanted if self.mining == "bootstrap" else (wanted + 1) // 2
            chosen = neg & (places(score, neg) < hard)
        if self.mining != "bootstrap":
            rest = neg & ~chosen
            left = wanted - chosen.sum(1, keepdim=True)
            chosen = chosen | (rest & (places(self.drawn(neg, _uniform), rest) < left))
        return pos.view(shape), chosen.view(shape)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Identity", bottoms[:1], tops)
