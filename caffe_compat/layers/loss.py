"""What loss layers share, and the losses of one formula.

Caffe: src/caffe/layers/loss_layer.cpp and the files named below.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from caffe_compat.layers.base import Layer, Shape, layer
from caffe_compat.layers.common.labels import Labelled
from caffe_compat.layers.common.legacy_shape import legacy_shape
from caffe_compat.proto import HingeLossParameter, LossParameter

LOG_THRESHOLD = 1e-20  # Caffe's kLOG_THRESHOLD: no probability below it goes into a logarithm


class Loss(Layer):
    """A scalar top of loss_weight 1; bottom 1 holds labels or targets and gets no gradient."""

    num_bottom: int | tuple[int, int | None] | None = 2
    num_top: int | tuple[int, int | None] | None = 1
    is_loss = True
    fixed = 1.0  # loss_param.pre_fixed_normalizer, for those that know it

    def reshape(self, *bottom: Shape) -> list[Shape]:
        data, label = bottom[:2]
        if not data or not label or data[0] != label[0]:
            self.fail(
                f"bottom 0 of shape {data} and bottom 1 of shape {label} differ in their first dimension, "
                "the batch size; give one label (or target) an item"
            )
        return [()]

    def refuse_gradient(self, bottom: Tensor, what: str) -> None:
        """Fail if a gradient of `bottom`, which no loss can give, is wanted."""
        if bottom.requires_grad:
            self.fail(
                f"cannot backpropagate to {what}, which come from layers that learn; write one propagate_down "
                "a bottom, `propagate_down: false` for these"
            )

    def normalizer(self, mode: int, outer: int, positions: int, keep: Tensor | None) -> Tensor | float:
        """What LossParameter's `mode` divides the sum by: at least 1, so a batch without labels has loss 0.

        outer      the batch size: the product of the axes before the class axis
        positions  how many labels there are
        keep       which of them count; None means all of them
        """
        if mode == LossParameter.VALID and keep is not None:
            return keep.sum().clamp(min=1)
        count = {
            LossParameter.FULL: positions,
            LossParameter.VALID: positions,
            LossParameter.BATCH_SIZE: outer,
            LossParameter.PRE_FIXED: self.fixed,
        }
        return max(1, count.get(mode, 1))


class Floor(torch.autograd.Function):
    """max(x, least), whose gradient is passed on as if nothing had been cut off."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, least: float) -> Tensor:
        return x.clamp(min=least)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


class KnownGradient(torch.autograd.Function):
    """(x, value, gradient) -> value, whose gradient for x is `gradient`, where a loss is not what it is derived from."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return grad * gradient, None, None


def rows(bottom: Tensor) -> Tensor:
    """`bottom` as a matrix, one item a row."""
    return bottom.reshape(bottom.shape[0], math.prod(bottom.shape[1:]))


class DifferenceLoss(Loss):
    """A loss of the difference of two bottoms, which have as many values an item and both get a gradient."""

    def allow_force_backward(self, index: int) -> bool:
        return True

    def reshape(self, *bottom: Shape) -> list[Shape]:
        top = super().reshape(*bottom)
        a, b = (math.prod(shape[1:]) for shape in bottom)
        if a != b:
            self.fail(
                f"bottom 0 of shape {bottom[0]} has {a} values an item and bottom 1 of shape {bottom[1]} has {b}; "
                "make them the same"
            )
        return top


@layer("EuclideanLoss")
class EuclideanLoss(DifferenceLoss):
    """top = sum (bottom0 - bottom1)^2 / (2 N), N the first dimension; both bottoms get a gradient.

    Caffe: src/caffe/layers/euclidean_loss_layer.cpp
    Caffe stops at bottoms of more than four axes.
    """

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        difference = prediction - target.reshape(prediction.shape)
        return difference.square().sum() / (2 * prediction.shape[0])


class RowLoss(Labelled, Loss):
    """A loss of one label an item, whose classes are the positions in everything after axis 0."""

    def reshape(self, *bottom: Shape) -> list[Shape]:
        top = super().reshape(*bottom)
        self.fold((bottom[0][0], math.prod(bottom[0][1:])), bottom[1][:1], 1)
        return top

    def forward(self, data: Tensor, label: Tensor) -> Tensor:
        self.refuse_gradient(label, "label inputs")
        loss, nan = self.terms(data, label)
        loss = loss.sum() / data.shape[0]
        return loss if nan is None else loss + nan

    def terms(self, data: Tensor, label: Tensor) -> tuple[Tensor, Tensor | None]:
        """What is summed, a matrix with a row an item, and a NaN to add if a label is no class."""
        data = rows(data)
        index, counted, nan = self.read_labels(label.reshape(-1)[: data.shape[0]], None)
        terms = self.term(data, index[..., 0])
        return terms if counted is None else terms.where(counted[..., 0], 0), nan

    @abstractmethod
    def term(self, data: Tensor, index: Tensor) -> Tensor:
        """The terms of data (N, classes) and class numbers (N, 1)."""


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


class _Hadsell(torch.autograd.Function):
    """max(margin - d, 0)^2 of the squared distances d^2.

    Caffe divides its gradient by d + 1e-4 where the derivative has d, so equal pairs get 0, not NaN.
    """

    @staticmethod
    def forward(ctx: Any, squared: Tensor, margin: float) -> Tensor:
        distance = squared.sqrt()
        gap = F.relu(margin - distance)
        ctx.save_for_backward(distance, gap)
        return gap.square()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        distance, gap = ctx.saved_tensors
        return -grad * gap / (distance + 1e-4), None


@layer("ContrastiveLoss")
class ContrastiveLoss(Loss):
    """top = sum_n (y_n ? d_n^2 : max(margin - d_n, 0)^2) / (2 N), d_n = |bottom0_n - bottom1_n|, y = bottom2.

    Caffe: src/caffe/layers/contrastive_loss_layer.cpp
    `legacy_version` has max(margin - d^2, 0) for dissimilar pairs. bottom2 may come from layers that learn; it
    passes no gradient on.
    """

    num_bottom = 3

    def allow_force_backward(self, index: int) -> bool:
        return index != 2

    def setup(self, *bottom: Shape) -> None:
        p = self.param.contrastive_loss_param
        self.margin, self.legacy = p.margin, p.legacy_version
        a, b, similar = (legacy_shape(self, shape) for shape in bottom)
        if a[1] != b[1]:
            self.fail(f"bottom 0 has {a[1]} channels and bottom 1 has {b[1]}; pairs must be of one size")
        for i, (shape, channels) in enumerate(((a, a[1]), (b, b[1]), (similar, 1))):
            if shape[1:] != (channels, 1, 1):
                self.fail(f"bottom {i} of shape {bottom[i]} must be N x {channels}; flatten it first")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        top = super().reshape(*bottom)
        if math.prod(bottom[2]) < bottom[0][0]:
            self.fail(f"bottom 2 has {math.prod(bottom[2])} labels for {bottom[0][0]} pairs; give one a pair")
        return top

    def forward(self, a: Tensor, b: Tensor, similar: Tensor) -> Tensor:
        count = a.shape[0]
        squared = (rows(a) - rows(b)).square().sum(1)
        apart = F.relu(self.margin - squared) if self.legacy else _Hadsell.apply(squared, self.margin)
        return torch.where(similar.reshape(-1)[:count].long() != 0, squared, apart).sum() / (2 * count)


@layer("MultinomialLogisticLoss")
class MultinomialLogisticLoss(RowLoss):
    """top = -sum_n log max(p_n[label_n], 1e-20) / N; bottom 0 holds probabilities already.

    Caffe: src/caffe/layers/multinomial_logistic_loss_layer.cpp
    Below the floor the gradient is that at the floor, not 0.
    """

    def reshape(self, *bottom: Shape) -> list[Shape]:
        top = super().reshape(*bottom)
        if legacy_shape(self, bottom[1])[1:] != (1, 1, 1):
            self.fail(f"bottom 1 of shape {bottom[1]} must hold one label an item, {bottom[0][0]} in all")
        return top

    def term(self, data: Tensor, index: Tensor) -> Tensor:
        return -Floor.apply(data.gather(1, index), LOG_THRESHOLD).log()
