"""Boxes: areas, overlaps, offsets from priors, non-maximum suppression. Boxes are (..., 4): xmin ymin xmax ymax."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from caffe_compat.layers.base import ONNX_INT64
from caffe_compat.layers.common.onnx_values import Size, Value
from caffe_compat.proto import PriorBoxParameter, ResizeParameter

FLT_MAX = 3.4028234663852886e38

CORNER, CENTER_SIZE, CORNER_SIZE = (
    PriorBoxParameter.CORNER,
    PriorBoxParameter.CENTER_SIZE,
    PriorBoxParameter.CORNER_SIZE,
)


def area(boxes: Tensor, extra: float = 0) -> Tensor:
    """Width times height, 0 for a box that ends before it starts; `extra` is 1 where both ends are pixels of it."""
    size = boxes[..., 2:] - boxes[..., :2]
    return (size + extra).prod(-1).where((size >= 0).all(-1), 0)


def intersection(a: Tensor, b: Tensor, extra: float = 0, least: float = 0) -> Tensor:
    """What boxes share; a and b broadcast. Sides shorter than `least` share nothing."""
    size = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2]) + extra
    return size.where(size >= least, 0).prod(-1) if least else size.clamp(min=0).prod(-1)


def overlap(a: Tensor, b: Tensor, extra: float = 0, least: float = 0, mode: str = "IOU") -> Tensor:
    """Intersection over union (Jaccard); a and b broadcast.

    mode: "IOMU" divides by the smaller of the two areas instead, "IOFU" by that of `a`.
    """
    shared, own, other = intersection(a, b, extra, least), area(a, extra), area(b, extra)
    if mode == "IOMU":
        whole = torch.minimum(own, other)
    else:
        whole = own.expand_as(shared) if mode == "IOFU" else own + other - shared
    return (shared / whole).where(shared > 0, 0)


def pairwise(a: Tensor, b: Tensor, extra: float = 0, least: float = 0) -> Tensor:
    """The overlap of each of (..., N, 4) with each of (..., M, 4): (..., N, M)."""
    return overlap(a[..., :, None, :], b[..., None, :, :], extra, least)


def _centre_size(boxes: Tensor) -> Tensor:
    return torch.cat(((boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]), -1)


def _sizes(boxes: Tensor) -> Tensor:
    size = boxes[..., 2:] - boxes[..., :2]
    return torch.cat((size, size), -1)


def encode(code: int, prior: Tensor, variance: Tensor | None, box: Tensor) -> Tensor:
    """The offsets that lead from `prior` to `box`, divided by `variance` if there is one.

    code: a PriorBoxParameter.CodeType.
    """
    if code == CENTER_SIZE:
        p, b = _centre_size(prior), _centre_size(box)
        offset = torch.cat(((b[..., :2] - p[..., :2]) / p[..., 2:], (b[..., 2:] / p[..., 2:]).log()), -1)
    else:
        offset = box - prior
        if code == CORNER_SIZE:
            offset = offset / _sizes(prior)
    return offset if variance is None else offset / variance


def decode(code: int, prior: Tensor, variance: Tensor | None, offset: Tensor) -> Tensor:
    """The box that `offset` leads to from `prior`: what `encode` undoes."""
    if variance is not None:
        offset = offset * variance
    if code == CENTER_SIZE:
        p = _centre_size(prior)
        centre = offset[..., :2] * p[..., 2:] + p[..., :2]
        half = offset[..., 2:].exp() * p[..., 2:] / 2
        return torch.cat((centre - half, centre + half), -1)
    if code == CORNER_SIZE:
        offset = offset * _sizes(prior)
    return prior + offset


def suppress(
    boxes: Tensor,
    alive: Tensor,
    threshold: float,
    eta: float = 1.0,
    extra: float = 0,
    least: float = 0,
    mode: str = "IOU",
) -> Tensor:
    """Non-maximum suppression of groups at once; which boxes stay (G, K).

    Args:
        boxes: (G, K, 4), by falling score in each group.
        alive: (G, K), the boxes that take part.
        threshold: a box stays if it overlaps no earlier one that stays by more.
        eta: below 1, the threshold is multiplied by it after each box that stays, while it is above 0.5.
        extra, least, mode: as `overlap` takes them, the box that stays being its `a`.
    """
    kept = torch.zeros_like(alive)
    worst = torch.zeros(alive.shape, dtype=boxes.dtype, device=boxes.device)
    limit = torch.full((len(boxes), 1), threshold, dtype=boxes.dtype, device=boxes.device)
    groups = torch.arange(len(boxes), device=boxes.device)
    left = alive & (worst <= limit)
    while left.any():
        first = left.int().argmax(1)
        found = left.any(1)
        kept[groups, first] |= found
        shared = overlap(boxes[groups, first][:, None], boxes, extra, least, mode)
        worst = torch.where(found[:, None], torch.maximum(worst, shared), worst)
        if eta < 1:
            limit = torch.where(found[:, None] & (limit > 0.5), limit * eta, limit)
        later = torch.arange(alive.shape[1], device=boxes.device) > first[:, None]
        left = left & later & (worst <= limit)
    return kept


def in_pixels(boxes: Tensor, height: int, width: int, resize: ResizeParameter | None = None) -> Tensor:
    """Boxes of a resized picture (shares of its size) in pixels of the picture of height x width, inside it.

    resize: the ResizeParameter that the picture went through; None for none, which is as WARP.
    """
    scale = boxes.new_tensor([width, height] * 2)
    if resize is not None and resize.resize_mode == ResizeParameter.FIT_LARGE_SIZE_AND_PAD:
        aspect, wanted = width / height, resize.width / resize.height
        x = 0 if aspect > wanted else (1 - resize.height * aspect / resize.width) / 2
        y = (1 - resize.width / aspect / resize.height) / 2 if aspect > wanted else 0
        source = boxes.new_tensor([x, y, 1 - x, 1 - y])
        outside = (boxes[..., :2] >= source[2:]).any(-1) | (boxes[..., 2:] <= source[:2]).any(-1)
        moved = (boxes - source[:2].repeat(2)) / (source[2:] - source[:2]).repeat(2)
        boxes = torch.where(outside[..., None], boxes, moved)
    elif (
        resize is not None
        and resize.resize_mode == ResizeParameter.FIT_SMALL_SIZE
        and resize.height_scale
        and resize.width_scale
    ):
        boxes = boxes * boxes.new_tensor([resize.width_scale, resize.height_scale] * 2)
        return torch.minimum(boxes, scale).clamp(min=0)
    return boxes.clamp(0, 1) * scale


def rank(value: Tensor, group: Tensor) -> Tensor:
    """The place of each value among those of its group, the greatest first: 0, 1, ...; of equal ones the first."""
    order = value.argsort(descending=True, stable=True)
    order = order[group[order].argsort(stable=True)]
    grouped = group[order]
    place = torch.arange(len(order), device=order.device) - torch.searchsorted(grouped, grouped)
    return torch.empty_like(order).index_copy(0, order, place)


# -- in ONNX ------------------------------------------------------------------------------------


def columns(boxes: Value) -> list[Value]:
    """The four numbers of boxes (..., 4), each (..., 1)."""
    return [boxes.part(-1, i, i + 1) for i in range(4)]


def joined(parts: Sequence[Value]) -> Value:
    """One after the other on the last axis."""
    return parts[0].joined(parts[1:], -1)


def decode_in_onnx(code: int, prior: Value, variance: Value | None, offset: Value) -> Value:
    """The nodes of `decode`."""
    if variance is not None:
        offset = offset * variance
    low, high = prior.part(-1, 0, 2), prior.part(-1, 2)
    size = high - low
    if code == CENTER_SIZE:
        centre = offset.part(-1, 0, 2) * size + (low + high) / 2
        half = offset.part(-1, 2).op("Exp") * size / 2
        return joined([centre - half, centre + half])
    return prior + (offset * joined([size, size]) if code == CORNER_SIZE else offset)


def suppress_in_onnx(
    boxes: Value, scores: Value, threshold: float, least: float, most: Size, extra: float = 0
) -> Value:
    """Non-maximum suppression: record, class and number of each box that stays (D, 3), by falling score in each class.

    Args:
        boxes: (N, P, 4)
        scores: (N, C, P), of which those above `least` take part.
        threshold: as `suppress` takes it.
        most: how many may stay in each class.
        extra: as `overlap` takes it.
    """
    low, high = boxes.part(-1, 0, 2), boxes.part(-1, 2)
    # A box that ends before it starts overlaps nothing; NonMaxSuppression would turn it round.
    proper = (high - low >= 0).all(-1).unsqueeze(-1)
    boxes = joined([low, high + extra if extra else high]).where(proper, 0)
    return boxes.op(
        "NonMaxSuppression",
        scores,
        boxes.whole(most),
        boxes.of([min(threshold, 1.0)]),
        boxes.of([least]),
        kind=ONNX_INT64,
    )


def first_of_each(score: Value, record: Value, records: Size, most: int) -> Value:
    """Numbers of the rows of (D,) whose `rank` among those of their record is below `most`, in order."""
    count = score.size(0)
    _, order = score.largest(count)
    grouped, again = record.take(0, order).largest(count, smallest=True)
    numbers = score.range(records)
    each = grouped.unsqueeze(1).equals(numbers.unsqueeze(0)).long().sum(0)
    start = each.op("CumSum", score.of(0, ONNX_INT64), exclusive=1)
    place = score.range(count) - start.take(0, grouped)
    kept = order.take(0, again).op("Compress", place < most, axis=0)
    return kept.largest(kept.size(0), smallest=True)[0]


def or_empty(rows: Value, width: int, records: Size) -> Value:
    """Rows (D, width) of a number of record and what was found in it; without any a row a record, -1 but for its number."""
    number = rows.range(records).float().unsqueeze(1)
    empty = joined([number, rows.of([[-1.0] * (width - 1)]).expand(records, width - 1)])
    nothing = rows.shape().part(0, 0, 1).equals(0)
    return rows.joined([empty.part(0, 0, nothing.long() * rows.whole(records))], 0)
