"""What loss layers share.

Caffe: src/caffe/layers/loss_layer.cpp
"""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from caffe_compat.layers.base import Layer, Shape
from caffe_compat.layers.common.labels import Labelled
from caffe_compat.proto import LossParameter

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
    def forward(ctx, x: Tensor, least: float) -> Tensor:
        return x.clamp(min=least)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


class KnownGradient(torch.autograd.Function):
    """(x, value, gradient) -> value, whose gradient for x is `gradient`, where a loss is not what it is derived from."""

    @staticmethod
    def forward(ctx, x: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
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
