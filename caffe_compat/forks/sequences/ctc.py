"""Connectionist temporal classification: CtcLoss, and LabelsequenceAccuracy of what the scores spell."""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import Layer, Shape, layer
from caffe_compat.layers.common.labels import Labelled
from caffe_compat.layers.common.losses import Loss

IMPOSSIBLE = -1e30  # the logarithm of 0, but with gradients that are numbers


def _packed(sequences: Tensor, kept: Tensor) -> Tensor:
    """The kept values of each row moved to its front, in their order, and -1 after them."""
    order = (~kept).to(torch.int8).argsort(dim=1, stable=True)
    count = kept.sum(1, keepdim=True)
    place = torch.arange(sequences.shape[1], device=sequences.device)
    return sequences.gather(1, order).where(place < count, -1)


def _costs(logarithm: Tensor, labels: Tensor, lengths: Tensor, blank: int) -> Tensor:
    """-log p of each item's first `lengths` labels (N, L) given log scores (T, N, alphabet); 0 where p is 0.

    By the forward recursion over the labels with a blank before, between and after them. torch's own ctc_loss
    waits for the device and cannot be compiled.
    """
    states = F.pad(labels.unsqueeze(2), (1, 0), value=blank).flatten(1)
    states = F.pad(states, (0, 1), value=blank)
    scores = logarithm.gather(2, states.expand(len(logarithm), -1, -1))
    # A label may follow the one before it at once, unless they are equal.
    leaps = (states != blank) & (states != F.pad(states[:, :-2], (2, 0), value=blank))
    place = torch.arange(states.shape[1], device=states.device)
    alpha = scores[0].where(place < 2, IMPOSSIBLE)
    for score in scores[1:].unbind():
        one, two = (F.pad(alpha[:, :-n], (n, 0), value=IMPOSSIBLE) for n in (1, 2))
        alpha = score + torch.stack([alpha, one, two.where(leaps, IMPOSSIBLE)]).logsumexp(0)
    last = torch.stack([2 * lengths, (2 * lengths - 1).clamp(min=0)], 1)
    ends = alpha.gather(1, last).where((last > 0) | (torch.arange(2, device=last.device) == 0), IMPOSSIBLE)
    total = ends.logsumexp(1)
    return -total.where(total > IMPOSSIBLE / 2, 0)


@layer("CtcLoss")
class CtcLoss(Labelled, Loss):
    """top = -sum_n log p(labels of n | scores of n) / N, over all alignments of the labels to the time steps

    Fork: xmfbit/warpctc-caffe
    Bottom 0 holds scores before a softmax, (T, N, alphabet_size) with T at least time_step, of which the first
    time_step steps count; bottom 1 labels (N, L), where blank_label stands for no label. Labels that do not fit into
    the steps cost 0. The gradient is the fork's: that of the sum, not divided by N.
    """

    fork_fields = ("ctc_loss_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.ctc_loss_param
        for name in ("alphabet_size", "time_step"):
            if getattr(p, name) < 1:
                self.fail(f"{name} is {getattr(p, name)}, it must be set and above 0")
        self.steps, self.alphabet, self.blank = p.time_step, p.alphabet_size, p.blank_label
        if not 0 <= self.blank < self.alphabet:
            self.fail(f"blank_label {self.blank} is outside 0 to {self.alphabet - 1}, the alphabet")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        scores, labels = bottom
        if len(scores) < 3 or len(labels) < 2 or scores[1] != labels[0]:
            self.fail(
                f"bottom 0 of shape {scores} must be steps x items x alphabet, and bottom 1 of shape {labels} "
                "items x labels, for the same items"
            )
        if scores[0] < self.steps:
            self.fail(f"bottom 0 of shape {scores} has {scores[0]} steps, fewer than time_step {self.steps}")
        if prod(scores[2:]) != self.alphabet:
            self.fail(
                f"bottom 0 of shape {scores} has {prod(scores[2:])} scores a step and alphabet_size is {self.alphabet}"
            )
        self.fold((scores[1], self.alphabet, prod(labels[1:])), labels, 1)
        return [()]

    def forward(self, scores: Tensor, label: Tensor) -> Tensor:
        self.refuse_gradient(label, "label inputs")
        index, counted, nan = self.read_labels(label, None)
        labels, count = index[:, 0], scores.shape[1]
        kept = labels != self.blank
        if counted is not None:
            kept = kept & counted[:, 0]
        logarithm = F.log_softmax(scores[: self.steps].flatten(2), 2)
        total = _costs(logarithm, _packed(labels, kept).clamp(min=0), kept.sum(1), self.blank).sum()
        loss = total + (total / count - total).detach()
        return loss if nan is None else loss + nan


@layer("LabelsequenceAccuracy")
class LabelsequenceAccuracy(Layer):
    """top = the share of items whose best scores, without repetitions and blanks, spell their labels

    Fork: xmfbit/warpctc-caffe
    Bottom 0 holds scores (N, T, alphabet), bottom 1 labels (N, L), where blank_label stands for no label. No gradient.
    """

    num_bottom, num_top = 2, 1
    is_metric = True
    is_accuracy = True
    fork_fields = ("labelsequence_accuracy_param",)

    def setup(self, *bottom: Shape) -> None:
        self.blank = self.param.labelsequence_accuracy_param.blank_label

    def reshape(self, *bottom: Shape) -> list[Shape]:
        scores, labels = bottom
        if len(scores) != 3 or len(labels) < 2 or scores[0] != labels[0]:
            self.fail(
                f"bottom 0 of shape {scores} must be items x steps x alphabet, and bottom 1 of shape {labels} "
                "items x labels, for the same items"
            )
        return [()]

    @torch.no_grad()
    def forward(self, scores: Tensor, label: Tensor) -> Tensor:
        best = scores.argmax(2)
        before = F.pad(best[:, :-1], (1, 0), value=self.blank)
        spelled = _packed(best, (best != before) & (best != self.blank))
        label = label.flatten(1).long()
        wanted = _packed(label, label != self.blank)
        longer = max(spelled.shape[1], wanted.shape[1])
        spelled, wanted = (F.pad(word, (0, longer - word.shape[1]), value=-1) for word in (spelled, wanted))
        return (spelled == wanted).all(1).to(scores.dtype).mean()
