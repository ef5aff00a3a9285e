"""SoftmaxWithLoss: the cross entropy of a softmax and its labels."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from caffe_compat.layers.base import TRAIN, layer
from caffe_compat.layers.common.labels import Labelled
from caffe_compat.layers.common.losses import Loss
from caffe_compat.proto import LossParameter

FLT_MIN = 1.1754943508222875e-38  # the least probability whose logarithm Caffe takes: at most 87.3365 an item


@layer("SoftmaxWithLoss")
class SoftmaxWithLoss(Labelled, Loss):
    """top0 = -sum log max(p[label], FLT_MIN) / normalizer, p = softmax(bottom0) along `axis`; top1 = p; top2 = the terms

    Caffe: src/caffe/layers/softmax_loss_layer.cpp
    The gradient, (p - 1 at the label) / normalizer, knows nothing of the floor. A NaN probability is floored too, as
    on Caffe's GPU path (its CPU path gives NaN). Labels equal to `ignore_label` give
    neither loss nor gradient. The normalizer is, and is at least 1: VALID (the default) the labels that count, FULL
    all labels, BATCH_SIZE the product of the axes before `axis`, NONE 1, PRE_FIXED (R-FCN's) pre_fixed_normalizer;
    `normalize` is the old form: true is VALID, false BATCH_SIZE. top1 takes no gradient.
    top2 is R-FCN's: each label's term, 0 for an ignored one, without a gradient.
    With SegNet's weight_by_label_freqs the term of label k counts class_weighting[k] times in the loss and its gradient,
    but once in the normalizer.
    DeepLab's softmaxloss_param names several labels to ignore, and in weight_source a file of one weight a class, by which
    the terms and the normalizer count; a batch whose weights add up to 0 has loss 0, there NaN.
    """

    num_top = (1, 3)
    weights: Tensor | None  # (classes,)
    fork_fields: tuple[str, ...] = (
        "loss_param.pre_fixed_normalizer",
        "loss_param.normalization: PRE_FIXED",
        "loss_param.weight_by_label_freqs",
        "loss_param.class_weighting",
        "softmaxloss_param",
    )

    def log_setup(self, log):
        log.creating_layer(self.name)  # Caffe's has a Softmax inside

    def setup(self, *bottom):
        p = self.param.loss_param
        self.fixed = p.pre_fixed_normalizer
        self.ignore = p.ignore_label if p.HasField("ignore_label") else None
        self.normalization, self.tops = p.normalization, max(1, len(self.param.top))
        if p.HasField("normalize") and not p.HasField("normalization"):
            self.normalization = LossParameter.VALID if p.normalize else LossParameter.BATCH_SIZE
        deeplab = self.param.softmaxloss_param
        ignored = [*deeplab.ignore_label, *([] if self.ignore is None else [self.ignore])]
        self.ignore, self.ignored_too = ignored[0] if ignored else None, ignored[1:]
        weights = p.class_weighting if p.weight_by_label_freqs else None
        self.weighs_normalizer = deeplab.HasField("weight_source")
        if self.weighs_normalizer:
            weights = self._read_weights(deeplab.weight_source)
        self.register_buffer(
            "weights",
            None if weights is None else torch.tensor(weights, dtype=self.context.dtype),
            persistent=False,
        )
        if self.phase == TRAIN and list(self.param.propagate_down[1:]) == [True]:
            self.fail(
                "propagate_down is true for the labels, bottom 1, which have no gradient; set it to false"
            )

    def _read_weights(self, source):
        try:
            weights = [float(word) for word in Path(self.context.path(source)).read_text().split()]
        except (OSError, ValueError) as error:
            self.fail(f"softmaxloss_param.weight_source: {error}; give a text file of one weight a class")
        if not all(0 <= weight < math.inf for weight in weights):
            self.fail(f"softmaxloss_param.weight_source: {source} has a weight that is no number from 0 on")
        return weights

    def reshape(self, *bottom):
        tops = super().reshape(*bottom)
        scores, labels = bottom
        self.class_axis = self.axis(self.param.softmax_param.axis, scores)
        self.fold(scores, labels, self.class_axis)
        if self.weights is not None and len(self.weights) != self.classes:
            what = (
                "weights in softmaxloss_param.weight_source" if self.weighs_normalizer else "class_weighting"
            )
            self.fail(f"has {len(self.weights)} {what} for {self.classes} classes; give one a class")
        return [*tops, *bottom][: self.tops]

    def forward(self, scores, label):
        self.refuse_gradient(label, "label inputs")
        for other in self.ignored_too:
            label = label.masked_fill(label.trunc() == other, self.ignore)
        index, counted, nan = self.read_labels(label, self.ignore)
        # Without ignore_label every position is valid, whatever a bad label does to `counted`.
        valid = None if self.ignore is None else counted
        outer = index.shape[0]  # of several replicas at once, it may be
        divisor = self.normalizer(self.normalization, outer, outer * self.inner, valid)
        folded = scores.reshape(outer, self.classes, self.inner)
        folded = folded.to(torch.promote_types(folded.dtype, torch.float32))
        weights = None if self.weights is None else self.weights.to(folded.dtype)[index]
        if self.weighs_normalizer and weights is not None:
            divisor = (weights if counted is None else weights.where(counted, 0)).sum().clamp(min=FLT_MIN)
        loss, probability = _CrossEntropy.apply(folded, index, counted, divisor, weights)
        loss = loss if nan is None else loss + nan
        if self.tops == 1:
            return loss
        tops = loss, probability.view(scores.shape)
        return tops if self.tops == 2 else (*tops, _terms(probability, index, counted).view(label.shape))

    def averages_replicas(self):
        by_count = (LossParameter.VALID, LossParameter.FULL, LossParameter.BATCH_SIZE)
        return (
            self.tops == 1
            and self.ignore is None
            and not self.weighs_normalizer
            and self.normalization in by_count
            and self.class_axis > 0
        )

    def prediction(self, bottom):
        return torch.softmax(bottom, self.axis(self.param.softmax_param.axis, bottom.shape))

    def to_onnx(self, graph, bottoms, tops):
        axis = self.axis(self.param.softmax_param.axis, graph.shape(bottoms[0]))
        graph.node("Softmax", bottoms[:1], tops, axis=axis)


class _CrossEntropy(Function):
    """The loss of scores (outer, classes, inner), floored, and the gradient of the loss without the floor."""

    @staticmethod
    def forward(
        ctx, scores: Tensor, index: Tensor, counted: Tensor | None, divisor: Any, weights: Tensor | None
    ):
        probability = torch.softmax(scores, 1)
        loss = _terms(probability, index, counted)
        if weights is not None:
            loss *= weights
        ctx.save_for_backward(probability, index, counted, weights)
        ctx.divisor = divisor
        ctx.mark_non_differentiable(probability)
        return loss.sum() / divisor, probability

    @staticmethod
    def backward(ctx, diff: Tensor, _: Tensor):
        probability, index, counted, weights = ctx.saved_tensors
        diff = diff / ctx.divisor if weights is None else diff / ctx.divisor * weights
        gradient = probability * diff
        gradient.scatter_add_(1, index, -diff.expand(index.shape))
        if counted is not None:
            gradient = gradient.where(counted, 0)
        return gradient, None, None, None, None


def _terms(probability: Tensor, index: Tensor, counted: Tensor | None) -> Tensor:
    """-log of the label's probability, floored, at each position that counts; 0 at others."""
    chosen = probability.gather(1, index)
    # Not clamp, which would keep a NaN: Caffe on a GPU floors it too, hence the 87.3365 of a diverged net.
    terms = -torch.where(chosen > FLT_MIN, chosen, FLT_MIN).log()
    return terms if counted is None else terms.where(counted, 0)
