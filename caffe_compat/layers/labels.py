"""Class labels as SoftmaxWithLoss and Accuracy read them, and what happens to one that is no class."""

from __future__ import annotations

import math
from typing import Any, NoReturn

import torch
from torch import Tensor

from caffe_compat.layers.base import Context, Layer, Shape


class Labelled(Layer):
    """A layer whose bottom 0 holds scores along a class axis and bottom 1 one class number for each position.

    Caffe's release builds read past their arrays for a label that is no class. Here, on the CPU, it is an
    error at once. On another device looking would mean waiting for it, so the label is left out of the sum
    and the gradient, the top is NaN, and `verify` tells which label it was.
    """

    bad_label: Tensor  # the last label that was no class; NaN if none was

    def __init__(self, param: Any, phase: int, context: Context | None = None):
        super().__init__(param, phase, context)
        self.classes = 0
        self.register_buffer("bad_label", torch.tensor(math.nan), persistent=False)

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
        index = label.detach().long().reshape(self.outer, 1, self.inner)
        counted = None if ignore is None else index != ignore
        bad = (index < 0) | (index >= self.classes)
        if counted is not None:
            bad = bad & counted
        if index.device.type == "cpu" and not torch.compiler.is_compiling():
            if bad.any():
                self._refuse(int(index[bad][0]))
            return index if counted is None else index.clamp(0, self.classes - 1), counted, None
        any_bad = bad.any()
        first = index.flatten().gather(0, bad.flatten().to(torch.uint8).argmax(0, keepdim=True)).squeeze(0)
        self.bad_label.copy_(torch.where(any_bad, first, self.bad_label))
        return (
            index.clamp(0, self.classes - 1),
            ~bad if counted is None else counted & ~bad,
            torch.where(any_bad, math.nan, 0.0),
        )

    def verify(self) -> None:
        """Raise LayerError if a label was no class where `forward` could not say so; waits for the device."""
        label = float(self.bad_label)
        if not math.isnan(label):
            self._refuse(int(label))

    def _refuse(self, label: int) -> NoReturn:
        self.fail(
            f"label {label} is outside 0 to {self.classes - 1} (there are {self.classes} classes); "
            "correct the labels or the number of outputs, or set ignore_label"
        )
