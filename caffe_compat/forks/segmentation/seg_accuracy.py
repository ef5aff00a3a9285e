"""SegAccuracy: how well every pixel is labelled, by three measures."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.labels import Labelled


@layer("SegAccuracy")
class SegAccuracy(Labelled):
    """top (1, 1, 1, 3) = accuracy of all pixels, mean accuracy of the classes met, mean intersection over union

    Fork: hszhao/PSPNet (DeepLab's SegAccuracy layer)
    Bottom 0 holds scores (N, C, H, W), bottom 1 labels (N, 1, H, W), where each ignore_label does not count. Of equal
    scores the last class wins. A class that is neither a label nor an answer has the intersection over union 1. With
    `reset: false` the counts of all forwards add up. No gradient.
    """

    num_bottom, num_top = 2, 1
    is_metric = True
    is_accuracy = True
    fork_fields = ("seg_accuracy_param",)
    counts: torch.Tensor

    def setup(self, scores: Shape, labels: Shape) -> None:
        p = self.param.seg_accuracy_param
        self.ignored, self.fresh = list(p.ignore_label), p.reset
        classes = scores[1] if len(scores) > 1 else 1
        self.register_buffer("counts", torch.zeros(classes, classes, dtype=torch.float64), persistent=False)

    def reshape(self, scores: Shape, labels: Shape) -> list[Shape]:
        if len(scores) != 4 or labels != (scores[0], 1, *scores[2:]):
            self.fail(
                f"bottom 0 of shape {scores} must be num x channels x height x width, and bottom 1 of shape {labels} "
                "its labels, with 1 channel"
            )
        self.fold(scores, labels, 1)
        return [(1, 1, 1, 3)]

    @torch.no_grad()
    def forward(self, scores: Tensor, label: Tensor) -> Tensor:
        ignore = self.ignored[0] if self.ignored else None
        label = label.long()
        for other in self.ignored[1:]:
            label = label.masked_fill(label == other, self.ignored[0])
        index, counted, nan = self.read_labels(label, ignore)
        answer = self.classes - 1 - scores.flip(1).argmax(1)
        pairs = (index.flatten() * self.classes + answer.flatten()).clamp(min=0)
        weight = torch.ones_like(pairs) if counted is None else counted.flatten().to(pairs.dtype)
        counts = self.counts.new_zeros(self.classes**2).index_add(0, pairs, weight.to(self.counts.dtype))
        counts = counts.view_as(self.counts)
        if not self.fresh:
            counts = self.counts.add_(counts).clone()
        right, labels, answers = counts.diagonal(), counts.sum(1), counts.sum(0)
        met, union = labels > 0, labels + answers - right
        pixels = right.sum() / counts.sum().clamp(min=1)
        classes = (right / labels.clamp(min=1)).sum() / met.sum().clamp(min=1)
        overlap = torch.where(union == right, 1, right / union.clamp(min=1)).mean()
        top = torch.stack([pixels, classes, overlap]).to(scores.dtype).view(1, 1, 1, 3)
        return top if nan is None else top + nan
