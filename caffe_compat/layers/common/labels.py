"""Class labels as SoftmaxWithLoss and Accuracy read them, and what happens to one that is no class."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.layers.base import Context, Shape
from caffe_compat.layers.common.indices import Indexed
from caffe_compat.proto import LayerParameter


class Labelled(Indexed):
    """A layer whose bottom 0 holds scores along a class axis and bottom 1 one class number for each position.

    A label that is no class, where that is no error at once, is left out of the sum and the gradient, and the top
    is NaN.
    """

    label_bottom = 1

    def __init__(self, param: LayerParameter, phase: int, context: Context | None = None):
        super().__init__(param, phase, context)
        self.classes = 0

    def fold(self, scores: Shape, labels: Shape, axis: int) -> None:
        """Note how `scores` folds into (outer, classes, inner); fails unless there are outer * inner labels."""
        self.classes = scores[axis]
        self.outer, self.inner = math.prod(scores[:axis]), math.prod(scores[axis + 1 :])
        if self.outer * self.inner != math.prod(labels):
            self.fail(
                f"bottom 0 of shape {tuple(scores)} has {self.outer * self.inner} predictions ({self.classes} classes "
                f"on axis {axis}) and bottom 1 of shape {tuple(labels)} has {math.prod(labels)} labels; give one a "
                "prediction"
            )

    def read_labels(self, label: Tensor, ignore: int | None) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The class numbers (outer, 1, inner), which of them count, and a NaN to add if any is no class.

        Labels are truncated to integers. None means that all of them count, and that all of them are classes.
        """
        index = label.detach().long().reshape(-1, 1, self.inner)
        counted = None if ignore is None else index != ignore
        bad = (index < 0) | (index >= self.classes)
        if counted is not None:
            bad = bad & counted
        any_bad = self.any_bad(bad, index)
        if any_bad is None:
            return index if counted is None else index.clamp(0, self.classes - 1), counted, None
        return (
            index.clamp(0, self.classes - 1),
            ~bad if counted is None else counted & ~bad,
            torch.where(any_bad, math.nan, 0.0),
        )

    def no_class(self, position: float) -> str:
        """What is wrong with a label."""
        return f"label {int(position)} is outside 0 to {self.classes - 1} (there are {self.classes} classes)"

    def refuse(self, position: float) -> None:
        self.fail(
            f"{self.no_class(position)}; correct the labels or the number of outputs, or set ignore_label"
        )
