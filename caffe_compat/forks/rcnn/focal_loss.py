"""FocalLoss: a cross entropy that counts what is already right for little."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import OnnxGraph, Shape, layer
from caffe_compat.layers.common.losses import KnownGradient
from caffe_compat.layers.softmax_loss import FLT_MIN, SoftmaxWithLoss


@layer("FocalLoss")
class FocalLoss(SoftmaxWithLoss):
    """top0 = -sum alpha (1 - p[label])^gamma log max(p[label], FLT_MIN) / normalizer, p = softmax(bottom0); top1 = p

    Fork: chuanqi305/FocalLoss, focal_loss_layer.cpp; BOBrown/JADF-caffe
    `axis` is focal_loss_param's; labels to ignore and the normalizer are SoftmaxWithLoss's. The gradient knows the floor
    only in the logarithm. top1 takes no gradient.
    """

    num_top = (1, 2)
    fork_fields = ("focal_loss_param",)

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.param.focal_loss_param
        self.alpha, self.gamma = p.alpha, p.gamma
        self.class_axis = p.axis

    def reshape(self, *bottom: Shape) -> list[Shape]:
        tops = super(SoftmaxWithLoss, self).reshape(*bottom)
        self.fold(bottom[0], bottom[1], self.axis(self.class_axis, bottom[0]))
        return [*tops, *bottom][: self.tops]

    def forward(self, scores: Tensor, label: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        self.refuse_gradient(label, "label inputs")
        index, counted, nan = self.read_labels(label, self.ignore)
        valid = None if self.ignore is None else counted
        divisor = self.normalizer(self.normalization, self.outer, self.outer * self.inner, valid)
        folded = scores.reshape(self.outer, self.classes, self.inner)
        p = torch.softmax(folded.detach(), 1)
        right = p.gather(1, index)
        log, wrong = right.clamp(min=FLT_MIN).log(), 1 - right
        terms = -self.alpha * wrong**self.gamma * log
        slope = self.gamma * right * wrong ** (self.gamma - 1) * log - wrong**self.gamma
        gradient = -self.alpha * slope * p
        gradient = gradient.scatter_add(1, index, self.alpha * slope)
        if counted is not None:
            terms, gradient = terms.where(counted, 0), gradient.where(counted, 0)
        loss = KnownGradient.apply(folded, terms.sum() / divisor, gradient / divisor)
        loss = loss if nan is None else loss + nan
        return loss if self.tops == 1 else (loss, p.view(scores.shape))

    def prediction(self, bottom: Tensor) -> Tensor:
        return torch.softmax(bottom, self.axis(self.class_axis, bottom.shape))

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Softmax", bottoms[:1], tops, axis=self.axis(self.class_axis, graph.shape(bottoms[0])))
