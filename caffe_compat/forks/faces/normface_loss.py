"""Losses of the distances of items to the centers of all classes: GeneralContrastiveLoss, GeneralTripletLoss."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.labels import Labelled
from caffe_compat.layers.common.losses import KnownGradient, Loss


class _ByClass(Labelled, Loss):
    """A loss of the distances (N, C) of items to the centers of all classes, with labels as bottom 1."""

    num_bottom = (2, 3)
    num_top = (1, 2)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        (top,) = super().reshape(*bottom)
        self.fold((bottom[0][0], math.prod(bottom[0][1:])), bottom[1], 1)
        if self.classes < 2:
            self.fail(f"bottom 0 of shape {bottom[0]} has one distance an item, and at least 2 are needed")
        self.count = len(self.param.top)
        return [top, (self.statistics,)][: self.count]

    statistics = 2  # numbers in top 1

    def own(self, label: Tensor) -> tuple[Tensor, Tensor | None]:
        """Which distances (N, C) are to the item's own center, and a NaN to add if a label is no class."""
        self.refuse_gradient(label, "label inputs")
        index, _, nan = self.read_labels(label, None)
        return torch.nn.functional.one_hot(index.flatten(), self.classes).bool(), nan

    def tops(
        self, data: Tensor, loss: Tensor, gradient: Tensor, statistics: Tensor, nan: Tensor | None
    ) -> tuple[Tensor, ...]:
        value = KnownGradient.apply(data, loss / len(data), (gradient / len(data)).view_as(data))
        return (value if nan is None else value + nan, statistics)[: self.count]


@layer("GeneralContrastiveLoss")
class GeneralContrastiveLoss(_ByClass):
    """top = (sum of positive_weight min(t, max(0, d - positive_margin)) over items' distances d to their own centers
    + sum of negative_weight max(0, negative_margin - d) over all others) / N

    Fork: happynear/caffe-windows, src/caffe/layers/general_contrastive_loss_layer.cpp (NormFace)
    Bottoms: 0 distances (N, C), 1 labels, 2 distances to look at in place of bottom 0, which gets the gradient.
    t is positive_outlier_thresh, from which on a distance has no gradient. exp_negative_weight: negative_weight e^-d for
    others. positive_first: an item farther from its center than positive_upper_bound has no others, and its gradient.
    max_negative_only, max_positive_only: only the greatest term of an item's others (as in the fork, if class 0 is its own,
    only one greater than its own term), and of all own terms the smallest. normalize_negative: the others' gradient is
    divided by its sum / N / normalize_negative, where that is above positive_weight. add_intra_mae: a mean of the own
    distances, moving by 1 %, at most max_negative_margin, is added to negative_margin.
    Top 1: the mean own distance so cut off, the mean of max(0, negative_margin - d), and that moving mean; no gradient.
    A general_triplet_loss_param beside means nothing.
    """

    fork_fields = ("general_contrastive_loss_param", "general_triplet_loss_param")
    moving: Tensor

    def setup(self, *bottom: Shape) -> None:
        p = self.param.general_contrastive_loss_param
        self.margins, self.weights = (
            (p.positive_margin, p.negative_margin),
            (p.positive_weight, p.negative_weight),
        )
        self.outlier, self.exp = p.positive_outlier_thresh, p.exp_negative_weight
        self.first = p.positive_upper_bound if p.positive_first else math.inf
        self.one_other, self.one_own = p.max_negative_only, p.max_positive_only
        self.norm = p.normalize_negative if p.HasField("normalize_negative") else None
        self.moves, self.most = p.add_intra_mae, p.max_negative_margin
        self.statistics = 3 if self.moves else 2
        self.register_buffer("moving", torch.zeros((), dtype=self.context.dtype), persistent=False)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        if len(bottom) == 3 and math.prod(bottom[2]) != math.prod(bottom[0]):
            self.fail(
                f"bottom 2 of shape {bottom[2]} must hold as many distances as bottom 0 of shape {bottom[0]}"
            )
        return super().reshape(*bottom)

    def forward(self, data: Tensor, label: Tensor, *seen: Tensor) -> tuple[Tensor, ...]:
        own, nan = self.own(label)
        d = (seen[0] if seen else data).detach().reshape(own.shape)
        (margin, least), (pull, push) = self.margins, self.weights
        apart = self.moving + least if self.moves else least
        near = ~own & (d < apart)
        gap = (apart - d).where(near, 0)
        cut = (d - margin).clamp(0, self.outlier).where(own, 0)
        far = (own & (d > self.first)).any(1, keepdim=True)

        others = push * (torch.exp(-d).where(near, 0) if self.exp else gap)
        terms = pull * cut + others
        counts = own | ~far
        if self.one_own:
            chosen = (pull * cut).sum(1).argmin()
            counts = counts & (~own | (torch.arange(len(d), device=d.device) == chosen)[:, None])
        if self.one_other:
            rival = others.where(~own, -math.inf)
            rival[:, 0] = torch.where(own[:, 0], terms[:, 0], rival[:, 0])
            counts = counts & (own | torch.nn.functional.one_hot(rival.argmax(1), d.shape[1]).bool())
        value = terms.where(counts, 0).abs().sum()

        inside = far | ((d > margin) & (d < self.outlier))
        steep = -push * (torch.exp(-d) if self.exp else torch.ones_like(d))
        steep = steep.where(near & counts & ~far, 0)
        if self.norm is not None:
            share = steep.sum().abs() / self.norm / len(d)
            steep = torch.where(share > pull, steep / share, steep)
        gradient = torch.where(own, torch.where(inside & (counts | far), pull, 0), steep)

        distances = [cut.sum() / len(d), gap.sum() / len(d) / (d.shape[1] - 1)]
        if self.moves:
            self.moving.copy_((0.99 * self.moving + 0.01 * distances[0]).clamp(max=self.most))
            distances.append(self.moving.clone())
        return self.tops(data, value, gradient, torch.stack(distances), nan)


@layer("GeneralTripletLoss")
class GeneralTripletLoss(_ByClass):
    """top = sum of negative_weight max(0, own + margin - d) over items' distances d to others' centers / N

    Fork: happynear/caffe-windows, src/caffe/layers/general_triplet_loss_layer.cpp (NormFace)
    Bottoms: 0 distances (N, C), 1 labels, 2 a weight of each item's gradient. Above 0 a term has the gradient
    -negative_weight; the own distance has positive_weight if the item has such a term, or always with add_center_loss.
    hardest_only: only an item's greatest term. positive_first: an item farther from its center than positive_upper_bound
    has no terms, but the own distance's gradient. Top 1: the mean own and other distance; no gradient.
    """

    fork_fields = ("general_triplet_loss_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.general_triplet_loss_param
        self.margin, self.always, self.hardest = p.margin, p.add_center_loss, p.hardest_only
        self.pull, self.push = p.positive_weight, p.negative_weight
        self.first = p.positive_upper_bound if p.positive_first else math.inf

    def reshape(self, *bottom: Shape) -> list[Shape]:
        if len(bottom) == 3 and math.prod(bottom[2]) != bottom[0][0]:
            self.fail(f"bottom 2 of shape {bottom[2]} must have a weight for each of {bottom[0][0]} items")
        return super().reshape(*bottom)

    def forward(self, data: Tensor, label: Tensor, *weight: Tensor) -> tuple[Tensor, ...]:
        own, nan = self.own(label)
        d = data.detach().reshape(own.shape)
        same = d.where(own, 0).sum(1, keepdim=True)
        far = same > self.first
        terms = (same + self.margin - d).clamp(min=0).where(~own & ~far, 0)
        if self.hardest:
            terms = terms.where(torch.nn.functional.one_hot(terms.argmax(1), d.shape[1]).bool(), 0)
        live = terms > 0
        drawn = far | live.any(1, keepdim=True) | self.always
        gradient = torch.where(own, torch.where(drawn, self.pull, 0), torch.where(live, -self.push, 0)).to(d)
        if weight:
            gradient = gradient * weight[0].detach().reshape(-1, 1)
        count = len(d)
        distances = torch.stack((same.sum() / count, d.where(~own, 0).sum() / count / (d.shape[1] - 1)))
        return self.tops(data, self.push * terms.sum(), gradient, distances, nan)
