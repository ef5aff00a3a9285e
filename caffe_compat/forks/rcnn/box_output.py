"""Proposals and what follows from them: BoxOutput, BoxGroupOutput, DecodeBBox, ProposalTarget, BboxAccuracy, FrcnnOutput,
ScaleRoute, HardMining.

Regions are rows: record, left, top, right, bottom, in pixels. Offsets from a region are those of R-CNN: the move of
the centre over the size, and the logarithm of the change of size, less bbox_reg_param's mean, over its std.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import area, overlap, pairwise, rank, suppress
from caffe_compat.forks.ssd.detection_output import Results
from caffe_compat.layers.base import TRAIN, Layer, Shape, as_tops, constant, layer
from caffe_compat.layers.common.legacy_shape import legacy_shape


class Regression(Layer):
    """A layer with a bbox_reg_param; `mean` and `std` are its numbers, or 0 and 1."""

    def setup(self, *bottom: Shape) -> None:
        p = self.param.bbox_reg_param
        self.by_class = p.cls_aware
        self.mean, self.std = [0.0] * 4, [1.0] * 4
        if p.bbox_mean and p.bbox_std:
            self.mean, self.std = list(p.bbox_mean), list(p.bbox_std)
            if len(self.mean) != 4 or len(self.std) != 4 or min(self.std) <= 0:
                self.fail(
                    f"bbox_reg_param has bbox_mean {self.mean} and bbox_std {self.std}; give four of each, std above 0"
                )

    def offsets(self, x: Tensor, axis: int) -> Tensor:
        """Offsets as they are meant, of normalised ones whose four numbers stand along `axis`."""
        shape = [4 if i == axis else 1 for i in range(x.dim())]
        return x * constant(self.std, x).view(shape) + constant(self.mean, x).view(shape)

    def rows(self, bottom: Sequence[Shape], index: int, *widths: int) -> tuple[int, int]:
        """The legacy number and channels of a bottom, whose channels must be one of `widths` if any are given."""
        number, channels, *_ = legacy_shape(self, bottom[index])
        if widths and channels not in widths:
            wanted = " or ".join(map(str, widths))
            self.fail(
                f"bottom {index} of shape {bottom[index]} has {channels} numbers a row and must have {wanted}"
            )
        return number, channels

    def same_rows(self, bottom: Sequence[Shape]) -> None:
        """Fail unless all bottoms have as many rows as the first."""
        for i, shape in enumerate(bottom):
            if shape[0] != bottom[0][0]:
                self.fail(
                    f"bottom {i} of shape {shape} has {shape[0]} rows and bottom 0 of shape {bottom[0]} has "
                    f"{bottom[0][0]}; they belong together, so make them the same"
                )


def flat(bottom: Tensor) -> Tensor:
    """A bottom of rows as a matrix, outside the autograd graph."""
    return bottom.detach().flatten(1)


def moved(regions: Tensor, offsets: Tensor) -> Tensor:
    """Where offsets (R, ..., 4) lead from regions (R, 4), both ends of which are pixels of theirs."""
    regions = regions.view(len(regions), *(1,) * (offsets.dim() - 2), 4)
    size = regions[..., 2:] - regions[..., :2] + 1
    centre = offsets[..., :2] * size + (regions[..., :2] + regions[..., 2:]) / 2
    size = offsets[..., 2:].exp() * size
    first = centre - (size - 1) / 2
    return torch.cat((first, first + size - 1), -1)


class Fields(Regression):
    """A layer of the offsets of fields around the positions of feature maps.

    A field is field_w x field_h pixels; offsets are cut to 1 / field_xyr of it and its size to field_whr times.
    """

    def limits(self, field_whr: float, field_xyr: float) -> None:
        if field_whr <= 0 or field_xyr <= 0:
            self.fail(f"field_whr is {field_whr:g} and field_xyr is {field_xyr:g}; both must be above 0")
        self.size_limit, self.move_limit = math.log(field_whr), 1 / field_xyr

    def fields(
        self, offsets: Tensor, sizes: Sequence[tuple[float, float]], stride: float
    ) -> tuple[Tensor, Tensor]:
        """First corner and size (N, F, 2, H, W) of offsets (N, F, 4, H, W) of fields of these widths and heights."""
        offsets = self.offsets(offsets, 2)
        move = offsets[:, :, :2].clamp(-self.move_limit, self.move_limit)
        grow = offsets[:, :, 2:].clamp(min(-self.size_limit, self.size_limit), self.size_limit)
        field = torch.stack([constant(size, offsets) for size in sizes])[:, :, None, None]
        height, width = offsets.shape[3:]
        y = (torch.arange(height, dtype=offsets.dtype, device=offsets.device) + 0.5) * stride
        x = (torch.arange(width, dtype=offsets.dtype, device=offsets.device) + 0.5) * stride
        position = torch.stack(torch.broadcast_tensors(x, y[:, None]))
        size = field * grow.exp()
        return move * field + position - size / 2, size


class Proposals(Fields):
    """A layer that makes proposals of the scores and offsets of fields."""

    num_top: int | tuple[int, int | None] | None = (1, 2)
    dynamic = True
    extra = 0.0  # 1 where both ends of a box are pixels of it
    output: Any  # box_output_param, or what takes its place
    tops: int

    def proposals(self, boxes: Tensor, scores: Tensor, alive: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The tops, of all boxes (N, K, 4): the best of each record after suppression, by falling score."""
        p = self.output
        most = int(alive.sum(1).max()) if alive.numel() else 0
        most = min(most, p.max_nms_num) if p.max_nms_num else most
        order = scores.masked_fill(~alive, -torch.inf).argsort(dim=1, descending=True, stable=True)[:, :most]
        scores, alive = scores.gather(1, order), alive.gather(1, order)
        boxes = boxes.gather(1, order[..., None].expand(*order.shape, 4))
        kept = (
            suppress(boxes, alive, p.iou_thr, extra=self.extra, least=1, mode=p.nms_type) if most else alive
        )
        if p.max_post_nms_num:
            kept = kept & (kept.cumsum(1) <= p.max_post_nms_num)
        record, place = kept.nonzero(as_tuple=True)
        rows = torch.cat((record[:, None].to(boxes), boxes[record, place], scores[record, place][:, None]), 1)
        if len(rows):
            tops = rows[:, :5], rows
        else:  # so that what follows has something to work on, as in the fork
            tops = rows.new_tensor([[0, 1, 1, 10, 10]]), rows.new_zeros(1, 6)
        return as_tops(top[:, :, None, None] for top in tops[: self.tops])


@layer("BoxOutput")
class BoxOutput(Proposals):
    """top0 = (R, 5, 1, 1): the proposals that suppression leaves, one row a region; top1 = the same, and their score

    Fork: zhaoweicai/mscnn, src/caffe/layers/box_output_layer.cpp
    Each bottom is (N, C + 4, H, W), its own field_w, field_h, downsample_rate: scores of C classes, the first being
    the background, and offsets. The score is that of the best class less the background's. Those from fg_thr on of at
    least min_size on each side, the max_nms_num best (0: all), go into suppression by nms_type at iou_thr; the
    max_post_nms_num best stay. Without any there is one region 1 to 10 of record 0. Nothing gets a gradient.
    """

    num_bottom = (1, None)
    fork_fields = ("box_output_param", "bbox_reg_param")

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.output = self.param.box_output_param
        self.tops = len(self.param.top)
        counts = len(p.field_w), len(p.field_h), len(p.downsample_rate)
        if counts != (len(bottom),) * 3:
            self.fail(
                f"box_output_param has {counts[0]} field_w, {counts[1]} field_h and {counts[2]} downsample_rate for "
                f"{len(bottom)} bottoms; give one of each a bottom"
            )
        self.limits(p.field_whr, p.field_xyr)
        self.maps = list(zip(p.field_w, p.field_h, p.downsample_rate, strict=True))

    def reshape(self, *bottom: Shape) -> list[Shape]:
        for i, shape in enumerate(bottom):
            number, channels, *_ = legacy_shape(self, shape)
            if channels < 6 or number != bottom[0][0]:
                self.fail(
                    f"bottom {i} of shape {shape} must be {bottom[0][0]} x (classes + 4) x H x W with at least 2 classes"
                )
        return [(1, width, 1, 1) for width in (5, 6)[: self.tops]]

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        boxes, scores, alive = [], [], []
        for x, (width, height, rate) in zip((b.detach() for b in bottom), self.maps, strict=True):
            first, size = self.fields(x[:, None, -4:], [(width, height)], rate)
            edge = first.new_tensor([x.shape[3] * rate, x.shape[2] * rate]).view(2, 1, 1)
            first = first.clamp(min=0)
            size = torch.minimum(size, edge - first)
            score = (x[:, 1:-4].amax(1) - x[:, 0]).flatten(1)
            boxes.append(torch.cat((first, first + size), 2).flatten(3)[:, 0].transpose(1, 2))
            alive.append((score >= self.output.fg_thr) & (size >= self.output.min_size).all(2).flatten(1))
            scores.append(score)
        return self.proposals(torch.cat(boxes, 1), torch.cat(scores, 1), torch.cat(alive, 1))


@layer("BoxGroupOutput")
class BoxGroupOutput(Proposals):
    """top0 = (R, 5, 1, 1): the proposals that suppression leaves, one row a region; top1 = the same, and their score

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/box_group_output_layer.cpp
    Bottoms come in pairs, each with a box_group_param: probabilities (N G, C, H, W), of which the first is the
    background's, and offsets (N G, 4, H, W) of G fields. The score is 1 less the background's. The rest is as in
    BoxOutput, but both ends of a box are pixels of it.
    """

    num_bottom = (2, None)
    fork_fields = ("box_group_output_param", "bbox_reg_param")
    extra = 1.0

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.output = self.param.box_group_output_param
        self.tops = len(self.param.top)
        if len(bottom) != 2 * len(p.box_group_param):
            self.fail(
                f"has {len(bottom)} bottoms for {len(p.box_group_param)} box_group_param; give two bottoms each, "
                "probabilities and offsets"
            )
        self.groups = []
        for group in p.box_group_param:
            if not group.field_w or len(group.field_w) != len(group.field_h):
                self.fail(
                    f"a box_group_param has {len(group.field_w)} field_w and {len(group.field_h)} field_h; give as many "
                    "of both"
                )
            self.groups.append((list(zip(group.field_w, group.field_h, strict=True)), group.stride))
        self.limits(p.field_whr, p.field_xyr)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        records = bottom[0][0] // len(self.groups[0][0])
        for i, (sizes, _) in enumerate(self.groups):
            scores, offsets = bottom[2 * i : 2 * i + 2]
            wanted = (records * len(sizes), 4, *scores[2:])
            if scores[0] != wanted[0] or offsets != wanted:
                self.fail(
                    f"bottoms {2 * i} and {2 * i + 1} of shapes {scores} and {offsets} must have {wanted[0]} rows "
                    f"({records} records x {len(sizes)} fields), and the second be {wanted}"
                )
        return [(1, width, 1, 1) for width in (5, 6)[: self.tops]]

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        boxes, scores, alive = [], [], []
        for i, (sizes, stride) in enumerate(self.groups):
            probability, x = (b.detach() for b in bottom[2 * i : 2 * i + 2])
            first, size = self.fields(x.unflatten(0, (-1, len(sizes))), sizes, stride)
            edge = first.new_tensor([x.shape[3] * stride, x.shape[2] * stride]).view(2, 1, 1)
            last = torch.minimum(first + size - 1, edge)
            first = first.clamp(min=0)
            score = (1 - probability[:, 0]).unflatten(0, (-1, len(sizes))).flatten(1)
            boxes.append(torch.cat((first, last), 2).transpose(1, 2).flatten(2).transpose(1, 2))
            large = (last - first + 1 >= self.output.min_size).all(2).flatten(1)
            alive.append((score >= self.output.fg_thr) & large)
            scores.append(score)
        return self.proposals(torch.cat(boxes, 1), torch.cat(scores, 1), torch.cat(alive, 1))


@layer("DecodeBBox")
class DecodeBBox(Regression):
    """top = regions (bottom1) moved by the second four of the offsets in bottom0 (R, 8)

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/decode_bbox_layer.cpp
    In TRAIN regions that end before they start are left out, and those whose overlap with their box, the last number
    of a row of bottom 2 (as ProposalTarget's sixth top gives it), is gt_iou_thr or more. Nothing gets a gradient.
    """

    num_bottom = (2, 3)
    num_top = 1
    dynamic = True
    in_place = False
    fork_fields = ("decode_bbox_param", "bbox_reg_param")

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        self.threshold = self.param.decode_bbox_param.gt_iou_thr
        if len(bottom) > 2 and self.phase != TRAIN:
            self.fail("has a third bottom, which only TRAIN uses; name two bottoms in TEST")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.same_rows(bottom)
        self.rows(bottom, 0, 8)
        self.rows(bottom, 1, 5)
        return [bottom[1]]

    def forward(self, *bottom: Tensor) -> Tensor:
        offsets, regions, *truth = (flat(b) for b in bottom)
        boxes = moved(regions[:, 1:], self.offsets(offsets[:, 4:], 1))
        if self.phase == TRAIN:
            kept = (boxes[:, 2:] >= boxes[:, :2]).all(1)
            if truth:
                kept = kept & (truth[0][:, -1] < self.threshold)
            if not kept.any():
                self.fail(
                    f"none of the {len(kept)} regions stay: all end before they start or overlap their box by "
                    f"{self.threshold:g} or more; lower the learning rate or raise gt_iou_thr"
                )
            regions, boxes = regions[kept], boxes[kept]
        return torch.cat((regions[:, :1], boxes), 1).view(-1, *bottom[1].shape[1:])


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


@layer("BboxAccuracy")
class BboxAccuracy(Regression):
    """top0 = mean overlap of regions (bottom1) moved by bottom0 with their boxes (bottom2); top1 = before the move

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/bbox_accuracy_layer.cpp
    Bottoms: 0 offsets (R, 4 classes), or (R, 8) without cls_aware; 1 regions (R, 5); 2 label, corners, overlap (R, 6),
    as ProposalTarget gives them. Rows of label 0, or that overlap by more than 0.975, do not count; -1 if none does.
    """

    num_bottom = 3
    num_top = (1, 2)
    is_accuracy = True
    fork_fields = ("bbox_reg_param",)

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        self.tops = len(self.param.top)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.same_rows(bottom)
        self.rows(bottom, 0, *([] if self.by_class else [8]))
        return [(1, 1, 1, 1)] * self.tops

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        offsets, regions, truth = (flat(b) for b in bottom)
        label = truth[:, 0].long()
        slot = label if self.by_class else label.clamp(max=1)
        columns = slot.clamp(0, offsets.shape[1] // 4 - 1)[:, None] * 4 + torch.arange(4, device=slot.device)
        counted = (label > 0) & (truth[:, -1] <= 0.975)
        before = regions[:, 1:5]
        after = moved(before, self.offsets(offsets.gather(1, columns), 1))
        tops = []
        for boxes in (after, before)[: self.tops]:
            shared = overlap(boxes, truth[:, 1:5], 1, 1)
            mean = shared.where(counted, 0).sum() / counted.sum().clamp(min=1)
            tops.append(torch.where(counted.any(), mean, -1).view(1, 1, 1, 1))
        return as_tops(tops)


@layer("FrcnnOutput")
class FrcnnOutput(Regression):
    """top = (1 + D, 7, 1, 1): record, left, top, right, bottom, label, confidence of what suppression leaves

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/frcnn_output_layer.cpp
    Bottoms: 0 probabilities (R, C), 1 offsets (R, 4 C), or (R, 8) without cls_aware, 2 regions (R, 5 or 6), all of
    record 0, 3 the picture's height and width (1, 2). Per class but the first, those from conf_thr on go into
    suppression by nms_type at iou_thr; the max_det_num most confident stay (0: all). The first row is 0 and then -1.
    save_output_param is as in DetectionOutput. Nothing gets a gradient.
    """

    num_bottom = 4
    num_top = 1
    dynamic = True
    fork_fields = ("frcnn_output_param", "bbox_reg_param")

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.output = self.param.frcnn_output_param
        save = p.save_output_param
        saves = save.output_directory and save.label_map_file and save.name_size_file
        self.results = Results(self, save, 0) if saves else None

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.same_rows(bottom[:3])
        _, classes = self.rows(bottom, 0)
        self.rows(bottom, 1, 4 * classes if self.by_class else 8)
        self.rows(bottom, 2, 5, 6)
        if self.rows(bottom, 3, 2)[0] != 1:
            self.fail(f"bottom 3 of shape {bottom[3]} must hold one picture's height and width: 1 x 2")
        return [(1, 7, 1, 1)]

    def forward(self, *bottom: Tensor) -> Tensor:
        p = self.output
        probability, offsets, regions, size = (flat(b) for b in bottom)
        scores = probability[:, 1:].T  # (classes, R)
        offsets = self.offsets(offsets.unflatten(1, (-1, 4)), 2)
        offsets = offsets[:, 1:] if self.by_class else offsets[:, 1:2].expand(-1, len(scores), -1)
        boxes = moved(regions[:, 1:5], offsets).transpose(0, 1)
        boxes = torch.cat((boxes[..., :2].clamp(min=0), torch.minimum(boxes[..., 2:], size[0].flip(0))), 2)
        alive = scores >= p.conf_thr
        order = scores.masked_fill(~alive, -torch.inf).argsort(dim=1, descending=True, stable=True)
        scores, alive = scores.gather(1, order), alive.gather(1, order)
        boxes = boxes.gather(1, order[..., None].expand(*order.shape, 4))
        kept = suppress(boxes, alive, p.iou_thr, extra=1, least=1, mode=p.nms_type)
        label, place = kept.nonzero(as_tuple=True)
        box, score = boxes[label, place], scores[label, place]
        if p.max_det_num:
            best = rank(score, torch.zeros_like(label)) < p.max_det_num
            label, box, score = label[best], box[best], score[best]
        rows = torch.cat((torch.zeros_like(box[:, :1]), box, label[:, None] + 1.0, score[:, None]), 1)
        if self.results is not None:
            shares = box / size[0].flip(0).repeat(2)
            self.results.add(torch.cat((rows[:, [0, 5, 6]], shares), 1), 1)
        first = rows.new_full((1, 7), -1.0)
        first[0, 0] = 0
        return torch.cat((first, rows))[:, :, None, None]


class Chosen(Layer):
    """A layer whose tops are some rows of bottoms, which get no gradient."""

    num_bottom = (1, None)
    dynamic = True
    in_place = False

    def check_rows(self, bottom: Sequence[Shape], regions: int) -> None:
        """Fail unless the bottom of this number has regions, and all as many rows."""
        for i, shape in enumerate(bottom):
            if not shape or shape[0] != bottom[regions][0]:
                self.fail(
                    f"bottom {i} of shape {shape} has not the {bottom[regions][0]} rows of the regions, bottom {regions} "
                    f"of shape {bottom[regions]}; they belong together, so make them the same"
                )
        if legacy_shape(self, bottom[regions])[1] != 5:
            self.fail(
                f"bottom {regions} of shape {bottom[regions]} must hold regions: record, left, top, right, bottom"
            )


@layer("ScaleRoute")
class ScaleRoute(Chosen):
    """tops = those rows of all bottoms whose region, in bottom 0, has a size from low_scale to below high_scale

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/scale_route_layer.cpp
    A size is the root of the area, both ends of a side being pixels of it. If there is none the row of the size nearest
    to the middle is taken: that of the root of low_scale high_scale, or the one given, or 256.
    """

    equal_num_bottom_top = True
    fork_fields = ("scale_route_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.scale_route_param
        given = [getattr(p, name) for name in ("low_scale", "high_scale") if p.HasField(name)]
        self.low, self.high = p.low_scale, p.high_scale if p.HasField("high_scale") else math.inf
        if given and (min(given) <= 0 or self.high < self.low):
            self.fail(
                f"scale_route_param has low_scale {self.low:g} and high_scale {self.high:g}; use 0 < low <= high"
            )
        self.middle = math.prod(given) ** (1 / len(given)) if given else 256.0

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_rows(bottom, 0)
        return [(1, *shape[1:]) for shape in bottom]

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        size = area(flat(bottom[0])[:, 1:], 1).sqrt()
        rows = ((size >= self.low) & (size < self.high)).nonzero().squeeze(1)
        if not len(rows):
            rows = (size / self.middle).log2().abs().argmin(keepdim=True)
        return as_tops(b.detach()[rows] for b in bottom)


@layer("HardMining")
class HardMining(Chosen):
    """tops = the rows of bottoms 1, 2, ... of each record's num_roi_per_image greatest scores, in bottom 0

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/hard_mining_layer.cpp
    Bottom 1 holds the regions. Where a record of the num_image has fewer, the greatest of what others have left fill up
    the num_image x num_roi_per_image rows, as long as there are any. Rows stay in their order; of equal scores the later
    ones are taken.
    """

    num_bottom = (2, None)
    num_top = (1, None)
    fork_fields = ("hard_mining_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.hard_mining_param
        self.records, self.most = p.num_image, p.num_roi_per_image
        if not self.records or not self.most:
            self.fail(f"num_image is {self.records} and num_roi_per_image {self.most}; both must be above 0")
        if len(self.param.top) != len(bottom) - 1:
            self.fail(
                f"has {len(bottom)} bottoms and {len(self.param.top)} tops; give one top less than bottoms"
            )

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_rows(bottom, 1)
        if math.prod(bottom[0][1:]) != 1:
            self.fail(f"bottom 0 of shape {bottom[0]} must hold one score a row")
        count = min(self.records * self.most, bottom[0][0])
        return [(count, *shape[1:]) for shape in bottom[1:]]

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        score, record = bottom[0].detach().reshape(-1).flip(0), flat(bottom[1])[:, 0].long().flip(0)
        bad = (record < 0) | (record >= self.records)
        if bad.any():
            self.fail(
                f"a region is of record {int(record[bad][0])}, and num_image is {self.records}; use 0 to "
                f"{self.records - 1}"
            )
        beyond = (rank(score, record) >= self.most).long()
        # The greatest of those beyond come after all that are within.
        place = rank(score, beyond) + beyond * (beyond == 0).sum()
        rows = (place < self.records * self.most).flip(0).nonzero().squeeze(1)
        return as_tops(b.detach()[rows] for b in bottom[1:])
