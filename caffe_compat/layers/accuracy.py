"""Accuracy: how often the right class is among the top_k best."""

import torch

from caffe_compat.layers.base import layer
from caffe_compat.layers.common.labels import Labelled


@layer("Accuracy")
class Accuracy(Labelled):
    """top0 = the share of labels with at most top_k scores >= their own (itself included); top1 = the same by class

    Caffe: src/caffe/layers/accuracy_layer.cpp
    So equal scores count against the label, and a NaN score, which nothing is >=, counts for it. Labels equal
    to `ignore_label` do not count. Where nothing counts, the share is 0. No gradient.
    A label that is no class is wrong, and of no class in top1. SegNet's nets label void pixels so; Caffe compares
    with whatever number lies there.
    """

    num_bottom = 2
    num_top = (1, 2)
    is_metric = True
    is_accuracy = True

    def setup(self, *bottom):
        p = self.param.accuracy_param
        self.ignore = p.ignore_label if p.HasField("ignore_label") else None
        self.top_k, self.by_class = p.top_k, len(self.param.top) > 1

    def reshape(self, *bottom):
        scores, labels = bottom
        self.fold(scores, labels, self.axis(self.param.accuracy_param.axis, scores))
        if self.top_k > self.classes:
            self.fail(f"top_k is {self.top_k}, it must be at most the number of classes, {self.classes}")
        return [(), (self.classes,)] if self.by_class else [()]

    def allow_force_backward(self, index):
        return False

    def forward(self, scores, label):
        tops = self.shares(scores.detach(), label.detach())
        tops = tuple(self.without_gradient(self.without_gradient(top, scores), label) for top in tops)
        return tops if self.by_class else tops[0]

    def refuse(self, position):
        self.warn_once(
            f"{self.no_class(position)}; such labels count as wrong, set ignore_label to leave them out"
        )

    def shares(self, scores, label):
        """The tops, outside the autograd graph."""
        index, counted, _ = self.read_labels(label, self.ignore)
        scores = scores.reshape(self.outer, self.classes, self.inner)
        right = (scores >= scores.gather(1, index)).sum(1, keepdim=True) <= self.top_k
        asked = torch.ones_like(right)
        if self.ignore is not None:
            asked = label.long().reshape(asked.shape) != self.ignore
        counted = asked if counted is None else counted
        right = (right & counted).to(scores.dtype)
        counted = counted.to(scores.dtype)
        top = right.sum() / asked.to(scores.dtype).sum().clamp(min=1)
        if not self.by_class:
            return (top,)
        index, zeros = index.flatten(), scores.new_zeros(self.classes)
        of_class = zeros.scatter_add(0, index, counted.flatten())
        return top, zeros.scatter_add(0, index, right.flatten()) / of_class.clamp(min=1)
