"""BoxOutput, BoxGroupOutput: proposals out of the scores and offsets of fields."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import suppress
from caffe_compat.forks.rcnn.bbox_reg import Fields
from caffe_compat.layers.base import Shape, as_tops, layer
from caffe_compat.layers.common.legacy_shape import legacy_shape
from caffe_compat.proto import BoxGroupOutputParameter, BoxOutputParameter


class Proposals(Fields):
    """A layer that makes proposals of the scores and offsets of fields."""

    num_top: int | tuple[int, int | None] | None = (1, 2)
    dynamic = True
    extra = 0.0  # 1 where both ends of a box are pixels of it
    output: BoxOutputParameter | BoxGroupOutputParameter
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
