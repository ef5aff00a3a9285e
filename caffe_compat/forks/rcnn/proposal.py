"""Proposal: Faster R-CNN's regions, out of the scores and offsets of anchors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import FLT_MAX, joined, suppress, suppress_in_onnx
from caffe_compat.layers.base import ONNX_FLOAT, Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.common.onnx_values import values


def anchors(base_size: int, ratios: list[float], scales: list[float]) -> Tensor:
    """The boxes of the first position (A, 4), by ratio of height to width and then by scale; both ends are theirs."""
    centre, area = 0.5 * (base_size - 1), base_size * base_size
    boxes = []
    for ratio in ratios:
        width = math.floor(math.sqrt(area / ratio) + 0.5)
        height = math.floor(width * ratio + 0.5)
        for scale in scales:
            x, y = 0.5 * (width * scale - 1), 0.5 * (height * scale - 1)
            boxes.append([centre - x, centre - y, centre + x, centre + y])
    return torch.tensor(boxes)


@layer("Proposal")
class Proposal(Layer):
    """top0 = (R, 5): record, left, top, right, bottom of what suppression leaves; top1 = (R,): their scores

    Fork: sanghoon/caffe (PVANet), openvinotoolkit/training_toolbox_caffe, src/caffe/layers/proposal_layer.cpp
    Bottoms: 0 probabilities (1, 2 A, H, W), background before foreground, of A = ratios x scales anchors; 1 their
    offsets (1, 4 A, H, W); 2 the picture's height and width, and the factor (or one for each of both) by which it was
    resized. Anchors stand every feat_stride pixels. They are moved, cut to the picture, and those with a side
    below min_size x the factor have the score 0; the pre_nms_topn best go into suppression at nms_thresh, the
    post_nms_topn best of what is left stay. Nothing gets a gradient.
    """

    num_bottom = 3
    num_top = (1, 2)
    dynamic = True
    fork_fields = ("proposal_param", "proposal_param.ratio", "proposal_param.scale__list")

    def setup(self, *bottom: Shape) -> None:
        p = self.param.proposal_param
        other = [field.name for field, _ in p.ListFields() if field.name not in _KNOWN]
        if other:
            self.fail(
                f"proposal_param.{other[0]}: another fork's Proposal, which is not known here; give feat_stride, "
                "base_size, min_size, ratio, scale, pre_nms_topn, post_nms_topn and nms_thresh"
            )
        # One scale is read into the field of another fork, whose Proposal has no more.
        scales = list(p.scale__list) or [p.scale] * p.HasField("scale")
        if not p.ratio or not scales or min(*p.ratio, *scales) <= 0:
            self.fail(
                f"proposal_param has ratio {list(p.ratio)} and scale {scales}; give at least one of each, above 0"
            )
        self.anchors = anchors(p.base_size, list(p.ratio), scales)
        self.stride, self.min_size = p.feat_stride, p.min_size
        self.before, self.after, self.threshold = p.pre_nms_topn, p.post_nms_topn, p.nms_thresh
        self.scored = len(self.param.top) > 1

    def reshape(self, *bottom: Shape) -> list[Shape]:
        scores, offsets, info = bottom
        count = len(self.anchors)
        if scores[:2] != (1, 2 * count) or offsets != (1, 4 * count, *scores[2:]):
            self.fail(
                f"bottoms 0 and 1 of shapes {scores} and {offsets} must be 1 x {2 * count} x H x W and 1 x {4 * count} "
                f"x H x W for {count} anchors, one picture at a time"
            )
        if not 3 <= math.prod(info) <= 6 or math.prod(info[:-1]) != 1:
            self.fail(
                f"bottom 2 of shape {info} must hold the picture's height, width and scale: 1 x 3, or more"
            )
        return [(self.after, 5), (self.after,)][: 1 + self.scored]

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        scores, offsets, info = (b.detach() for b in bottom)
        count, (height, width) = len(self.anchors), scores.shape[2:]
        info = info.flatten()
        y, x = (torch.arange(n, device=scores.device) * self.stride for n in (height, width))
        corner = torch.stack(torch.broadcast_tensors(x, y[:, None]), 2).to(scores.dtype)
        boxes = self.anchors.to(scores) + corner.repeat(1, 1, 2)[:, :, None]  # (H, W, A, 4)
        offsets = offsets.view(count, 4, height, width).permute(2, 3, 0, 1)
        size = boxes[..., 2:] - boxes[..., :2] + 1
        centre = boxes[..., :2] + size / 2 + offsets[..., :2] * size
        half = offsets[..., 2:].exp() * size / 2
        edge = torch.stack((info[1], info[0])).repeat(2) - 1
        boxes = torch.minimum(torch.cat((centre - half, centre + half), 3), edge).clamp(min=0)
        factor = torch.stack((info[3] if len(info) == 4 else info[2], info[2]))  # of width, of height
        large = (boxes[..., 2:] - boxes[..., :2] + 1 >= self.min_size * factor).all(3)
        score = (scores[0, count:].permute(1, 2, 0) * large).flatten()
        order = score.argsort(descending=True, stable=True)[: self.before]
        score, boxes = score[order], boxes.view(-1, 4)[order]
        alive = torch.ones_like(order, dtype=torch.bool)
        kept = (
            suppress(boxes[None], alive[None], self.threshold, extra=1)[0].nonzero().squeeze(1)[: self.after]
        )
        regions = torch.cat((torch.zeros_like(boxes[kept, :1]), boxes[kept]), 1)
        return (regions, score[kept]) if self.scored else regions

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        scores, offsets, info = values(graph, bottoms)
        count, height, width = len(self.anchors), scores.size(2), scores.size(3)
        info = info.reshape(-1)
        x, y = (scores.range(n, ONNX_FLOAT) * float(self.stride) for n in (width, height))
        x, y = (part.expand(height, width).unsqueeze(2) for part in (x.unsqueeze(0), y.unsqueeze(1)))
        boxes = joined([x, y, x, y]).unsqueeze(2) + self.anchors.numpy()  # (H, W, A, 4)
        offsets = offsets.reshape(count, 4, height, width).transpose(2, 3, 0, 1)
        low, high = boxes.part(3, 0, 2), boxes.part(3, 2)
        size = high - low + 1.0
        centre = low + size / 2.0 + offsets.part(3, 0, 2) * size
        half = offsets.part(3, 2).op("Exp") * size / 2.0
        edge = info.take(0, [1, 0, 1, 0]) - 1.0
        boxes = joined([centre - half, centre + half]).least(edge).most(0.0)
        factor = info.take(0, [3 if math.prod(graph.shape(bottoms[2])) == 4 else 2, 2])
        large = (boxes.part(3, 2) - boxes.part(3, 0, 2) + 1.0 >= factor * float(self.min_size)).all(3)
        score = scores.part(1, count).squeeze(0).transpose(1, 2, 0) * large.float()
        score, boxes = score.reshape(-1), boxes.reshape(-1, 4)
        score, order = score.largest(score.shape().least(self.before))
        boxes = boxes.take(0, order)
        found = suppress_in_onnx(
            boxes.unsqueeze(0), score.unsqueeze(0, 1), self.threshold, -FLT_MAX, self.after, extra=1
        )
        kept = found.pick(1, 2)
        boxes = boxes.take(0, kept)
        joined([boxes.part(1, 0, 1) * 0.0, boxes]).write(tops[0])
        if self.scored:
            score.take(0, kept).write(tops[1])


_KNOWN = (
    "feat_stride",
    "base_size",
    "min_size",
    "ratio",
    "scale",
    "scale__list",
    "pre_nms_topn",
    "post_nms_topn",
    "nms_thresh",
)
