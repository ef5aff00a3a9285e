"""ProposalTarget: sampled regions, and what they learn."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import pairwise
from caffe_compat.forks.rcnn.bbox_reg import Regression, flat
from caffe_compat.layers.base import Shape, constant, layer


@layer("ProposalTarget")
class ProposalTarget(Regression):
    """tops = sampled regions, their labels, offsets to their boxes, two weights of these, their boxes, sample weights

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/proposal_target_layer.cpp
    Bottoms: 0 regions (R, 5); 1 boxes (G, 7 or more): record, left, top, right, bottom, label, ignored; record -1 is
    none. Tops: 0 (S, 5), 1 (S, 1), 2 to 4 (S, 4 cls_num), or (S, 8) without cls_aware, 5 (S, 6): label, corners,
    overlap; 6 (S, 1); each with two axes of 1. The boxes themselves are regions too (append_gtbox).
    A region is foreground from an overlap of fg_thr on, background from bg_thr_lw to below bg_thr_hg. Of batch_size
    regions (-1: all) fg_fraction may be foreground; both kinds are drawn at random if there are too many, from
    torch's default generator. Too few are filled up with the first of the rest (pickup_discard), and an empty sample
    with one random region of at least 32 x 32 of the img_width x img_height picture. Offsets weigh 1 where the
    overlap is from bbox_thr_lw to bbox_thr_hg. Nothing gets a gradient.
    """

    num_bottom = 2
    num_top = (6, 7)
    dynamic = True
    is_random = True
    in_place = False
    fork_fields = ("proposal_target_param", "bbox_reg_param")

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.p = self.param.proposal_target_param
        self.weighs = len(self.param.top) > 6
        if not p.cls_num:
            self.fail("proposal_target_param.cls_num must be set and above 0")
        if p.batch_size != -1 and p.batch_size < 1:
            self.fail(
                f"proposal_target_param.batch_size is {p.batch_size} and must be above 0, or -1 for all"
            )
        if p.fg_thr < p.bg_thr_hg:
            self.fail(
                f"proposal_target_param.fg_thr {p.fg_thr:g} is below bg_thr_hg {p.bg_thr_hg:g}; raise it"
            )
        self.width = 4 * p.cls_num if self.by_class else 8

    def reshape(self, *bottom: Shape) -> list[Shape]:
        count = max(1, self.rows(bottom, 0, 5)[0]) if self.p.batch_size == -1 else self.p.batch_size
        if self.rows(bottom, 1)[1] < 7:
            self.fail(
                f"bottom 1 of shape {bottom[1]} has {bottom[1][1]} numbers a box and must have at least 7"
            )
        widths = (5, 1, *[self.width] * 3, 6, *[1] * self.weighs)
        return [(count, width, 1, 1) for width in widths]

    def random_reason(self) -> str:
        return "samples regions at random"

    def forward(self, *bottom: Tensor) -> tuple[Tensor, ...]:
        p = self.p
        regions, truth = (flat(b) for b in bottom)
        truth = truth[truth[:, 0] != -1]
        if p.append_gtbox:
            regions = torch.cat((regions, truth[:, :5]))
        best, which = self._best(regions, truth)
        foreground = best >= p.fg_thr
        background = ~foreground & (best >= p.bg_thr_lw) & (best < p.bg_thr_hg)
        rest = (~foreground & ~background).nonzero().squeeze(1)
        if len(truth):
            foreground = foreground & (truth[which, 6] == 0)
        foreground, background = (mask.nonzero().squeeze(1) for mask in (foreground, background))
        count = len(foreground) + len(background) if p.batch_size == -1 else p.batch_size
        most = len(foreground) if p.batch_size == -1 else math.floor(p.fg_fraction * p.batch_size + 0.5)
        foreground = _some(foreground, most)
        room = count - len(foreground)
        if len(background) > room:
            background = _some(background, room)
        elif p.pickup_discard:
            background = torch.cat((background, rest[: room - len(background)]))
        if not len(foreground) + len(background):
            regions = torch.cat((regions, self._any_region(truth).to(regions)))
            best, which = torch.cat((best, best.new_zeros(1))), torch.cat((which, which.new_zeros(1)))
            background = background.new_tensor([len(regions) - 1])
        chosen = torch.cat((foreground, background))
        return self._tops(regions[chosen], truth, which[chosen], best[chosen], len(foreground))

    def _best(self, regions: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """The greatest overlap of each region with a box of its record, and with which."""
        if not len(truth):
            return regions.new_zeros(len(regions)), torch.zeros_like(regions[:, 0], dtype=torch.long)
        shared = pairwise(regions[:, 1:], truth[:, 1:5], 1, 1)
        return shared.where(regions[:, :1] == truth[:, 0], 0).max(1)

    def _any_region(self, truth: Tensor) -> Tensor:
        p = self.p
        if p.img_width <= 32 or p.img_height <= 32:
            self.fail(
                f"no region was sampled, and proposal_target_param.img_width x img_height is {p.img_width} x "
                f"{p.img_height}; set it above 32 x 32, the size of the region that stands in"
            )
        while True:
            record, x, y = (
                int(torch.randint(0, n, ()))
                for n in (p.num_img_per_batch, p.img_width - 32, p.img_height - 32)
            )
            width, height = (
                max(32, int(torch.randint(0, n, ()))) for n in (p.img_width - x, p.img_height - y)
            )
            region = truth.new_tensor([[record, x, y, x + width - 1, y + height - 1]])
            if self._best(region, truth)[0].max() < p.fg_thr:
                return region

    def _tops(
        self, regions: Tensor, truth: Tensor, which: Tensor, best: Tensor, positive: int
    ) -> tuple[Tensor, ...]:
        p, count = self.p, len(regions)
        label = regions.new_zeros(count)
        targets, weights = regions.new_zeros(count, self.width), regions.new_zeros(count, self.width)
        boxes = regions.new_zeros(count, 6)
        if positive:
            box = truth[which[:positive]]
            label[:positive] = box[:, 5]
            boxes[:positive] = torch.cat((box[:, 5:6], box[:, 1:5], best[:positive, None]), 1)
            own = label[:positive].long()
            slot = own if self.by_class else own.clamp(max=1)
            bad = (own < 1) | (slot * 4 + 4 > self.width)
            if bad.any():
                self.fail(
                    f"a box has label {int(own[bad][0])}, but proposal_target_param.cls_num is {p.cls_num}; "
                    f"use labels 1 to {p.cls_num - 1}"
                )
            columns = slot[:, None] * 4 + torch.arange(4, device=slot.device)
            targets.scatter_(1, columns, self._offsets(regions[:positive, 1:], box[:, 1:5]))
            counts = (best[:positive] >= p.bbox_thr_lw) & (best[:positive] <= p.bbox_thr_hg)
            weights.scatter_(1, columns, counts[:, None].to(weights).expand(-1, 4).contiguous())
        tops = [regions, label[:, None], targets, weights, weights, boxes]
        if self.weighs:
            tops.append(self._sample_weights(label, best)[:, None])
        return tuple(top[:, :, None, None] for top in tops)

    def _offsets(self, regions: Tensor, boxes: Tensor) -> Tensor:
        size, wanted = (b[:, 2:] - b[:, :2] + 1 for b in (regions, boxes))
        move = (boxes[:, :2] + wanted / 2 - regions[:, :2] - size / 2) / size
        offsets = torch.cat((move, (wanted / size).log()), 1)
        return (offsets - constant(self.mean, offsets)) / constant(self.std, offsets)

    def _sample_weights(self, label: Tensor, best: Tensor) -> Tensor:
        """1, or the overlap of foreground if iou_weighted, then foreground together as fg_fraction has it."""
        positive = label > 0
        weight = torch.where(positive, best, 1) if self.p.iou_weighted else torch.ones_like(label)
        if not positive.any():
            return weight
        share = torch.where(positive, self.p.fg_fraction, 1 - self.p.fg_fraction)
        total = torch.where(positive, weight[positive].sum(), weight[~positive].sum())
        return weight * share * len(label) / total


def _some(index: Tensor, most: int) -> Tensor:
    """At most so many of these, drawn at random if there are more."""
    if len(index) <= most:
        return index
    return index[torch.randperm(len(index), device=index.device)[:most]]
