"""What YOLO's training losses share: boxes, how alike they are, and which of them count.

The forks work out a gradient and call the sum of its squares the loss, so neither is the other's derivative.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import rank
from caffe_compat.layers.base import Shape
from caffe_compat.layers.common.losses import Loss
from caffe_compat.proto import Yolov3Parameter

FLT_MAX = 3.4028234663852886e38
IOU, GIOU, MSE, DIOU, CIOU = (
    getattr(Yolov3Parameter, name) for name in ("IOU", "GIOU", "MSE", "DIOU", "CIOU")
)


def corners(box: Tensor) -> tuple[Tensor, Tensor]:
    """The two ends of boxes (..., 4) given as centre and size."""
    half = box[..., 2:] / 2
    return box[..., :2] - half, box[..., :2] + half


def similarity(a: Tensor, b: Tensor, kind: int = IOU) -> Tensor:
    """How alike boxes are (centre and size; they broadcast): IoU, or what an IOU_LOSS makes of it.

    DIOU is the fork's: the share of the distance is taken to the power 0.6.
    """
    (a_low, a_high), (b_low, b_high) = corners(a), corners(b)
    side = torch.minimum(a_high, b_high) - torch.maximum(a_low, b_low)
    shared = side.clamp(min=0).prod(-1)
    union = a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - shared
    iou = shared / union
    if kind in (IOU, MSE):
        return iou
    hull = torch.maximum(a_high, b_high) - torch.minimum(a_low, b_low)
    whole = hull.prod(-1) if kind == GIOU else hull.square().sum(-1)
    if kind == GIOU:
        lost = (whole - union) / whole
    else:
        apart = (a[..., :2] - b[..., :2]).square().sum(-1) / whole
        lost = apart**0.6 if kind == DIOU else apart + _aspect(a, b, iou)[1]
    return torch.where(whole == 0, iou, iou - lost)


def _aspect(a: Tensor, b: Tensor, iou: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """CIOU's weight, its term, and the difference of the boxes' angles."""
    turn = torch.atan(b[..., 2] / b[..., 3]) - torch.atan(a[..., 2] / a[..., 3])
    loss = 4 / math.pi**2 * turn.square()
    weight = loss / (1 - iou + loss + 1e-6)
    return weight, weight * loss, turn


def similarity_slope(box: Tensor, truth: Tensor, kind: int) -> Tensor:
    """darknet's gradient of `similarity` for `box` (M, 4): of its centre, and twice that of its size.

    As there, sides that do not meet count as negative ones; for GIOU, DIOU and CIOU such boxes have the gradient of
    the added term alone.
    """
    (low, high), (t_low, t_high) = corners(box), corners(truth)
    size = high - low
    side = torch.minimum(high, t_high) - torch.maximum(low, t_low)
    shared = side.prod(-1, keepdim=True)
    union = size.prod(-1, keepdim=True) + truth[..., 2:].prod(-1, keepdim=True) - shared
    ends = {}
    hull = torch.maximum(high, t_high) - torch.minimum(low, t_low)
    whole = hull.prod(-1, keepdim=True)
    for name, sign, inside in (("low", -1, low > t_low), ("high", 1, high < t_high)):
        d_shared = (sign * side.flip(-1)).where(inside, 0)
        d_union = sign * size.flip(-1) - d_shared
        slope = ((union * d_shared - shared * d_union) / union**2).where(union > 0, 0)
        if kind == GIOU:
            outside = low < t_low if name == "low" else high > t_high
            d_whole = (sign * hull.flip(-1)).where(outside, 0)
            added = (whole * d_union - union * d_whole) / whole**2
            slope = torch.where((side > 0).all(-1, keepdim=True), slope + added.where(whole > 0, 0), added)
        ends[name] = slope
    centre, extent = ends["low"] + ends["high"], ends["high"] - ends["low"]
    if kind not in (DIOU, CIOU):
        return torch.cat((centre, extent), -1)
    diagonal = hull.square().sum(-1, keepdim=True)
    apart = truth[..., :2] - box[..., :2]
    distance = apart.square().sum(-1, keepdim=True)
    above, below = (high > t_high).to(box), (low < t_low).to(box)
    added_centre = (2 * apart * diagonal - 2 * hull * (above - below) * distance) / diagonal**2
    added_extent = hull * (above + below) * distance / diagonal**2
    if kind == CIOU:
        weight, _, turn = _aspect(box, truth, (shared / union).squeeze(-1))
        step = (8 / math.pi**2 * weight * turn)[..., None] * box[..., 2:].flip(-1)
        added_extent = added_extent + step * step.new_tensor([1, -1])
    added = torch.cat((added_centre, added_extent), -1)
    return torch.where((side > 0).all(-1, keepdim=True), torch.cat((centre, extent), -1) + added, added)


Truth = tuple[Tensor, Tensor, Tensor, Tensor]


def listed_boxes(label: Tensor) -> Truth:
    """Boxes (N, T, 4), their classes (N, T), which are looked at as such, and which are assigned to anchors.

    Labels are rows of class, x, y, w, h; a list ends where x is 0 for the one, and where w is 0 for the other.
    """
    rows = label.detach().reshape(len(label), -1, 5)
    seen, assigned = ((rows[..., column] != 0).cumprod(1).bool() for column in (1, 3))
    most = max(1, int((seen | assigned).sum(1).max()))
    rows = rows[:, :most]
    return rows[..., 1:], rows[..., 0].long(), seen[:, :most], assigned[:, :most]


def tabled_boxes(label: Tensor, records: int) -> Truth:
    """What `listed_boxes` returns, of AnnotatedData's rows: record, label from 1 on, instance, corners, difficult."""
    rows = label.detach().reshape(-1, 8)
    rows = rows[rows[:, 0] != -1]
    record = rows[:, 0].long()
    place = rank(-torch.arange(len(rows), device=rows.device), record)
    boxes = rows.new_zeros(records, int(place.max()) + 1 if len(rows) else 1, 4)
    classes, used = torch.zeros_like(boxes[..., 0]).long(), torch.zeros_like(boxes[..., 0]).bool()
    low, high = rows[:, 3:5], rows[:, 5:7]
    boxes[record, place] = torch.cat(((low + high) / 2, high - low), 1)
    classes[record, place] = rows[:, 1].long() - 1
    used[record, place] = True
    return boxes, classes, used, used


class YoloLoss(Loss):
    """A loss of maps (N, A len, H, W): A anchors at each position, with x, y, w, h, objectness and class scores each.

    Truth is centre and size, as shares of the picture.
    """

    dynamic = True  # not in its top: how many boxes count is known only in forward
    count: int  # anchors a position
    classes: int

    def check_maps(self, shape: Shape) -> None:
        length = 5 + self.classes
        if len(shape) != 4 or shape[1] != self.count * length:
            self.fail(
                f"bottom 0 of shape {shape} must be N x {self.count * length} x H x W: {length} channels for each of "
                f"{self.count} anchors; correct num_class, num or the layer below"
            )

    def check_classes(self, classes: Tensor, used: Tensor, count: int) -> None:
        """Fail unless the classes that are used are 0 to count - 1."""
        bad = used & ((classes < 0) | (classes >= count))
        if bad.any():
            self.fail(
                f"a ground truth box has label {int(classes[bad][0])}, but the classes are 0 to {count - 1}; "
                "correct num_class or the labels"
            )

    def best(self, predicted: Tensor, boxes: Tensor, seen: Tensor, kind: int = IOU) -> Tensor:
        """The greatest similarity of each predicted box (N, A, H, W, 4) to a truth, and at least 0."""
        best = predicted.new_zeros(predicted.shape[:-1])
        for t in range(boxes.shape[1]):
            shared = similarity(predicted, boxes[:, t, None, None, None], kind)
            best = torch.maximum(best, shared.where(seen[:, t, None, None, None], 0))
        return best

    @staticmethod
    def position(boxes: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Row and column of the boxes' centres; one outside the picture goes to the nearest."""
        column, row = (boxes[..., 0] * width).long(), (boxes[..., 1] * height).long()
        return row.clamp(0, height - 1), column.clamp(0, width - 1)


def predicted_boxes(x: Tensor, centre: Tensor, anchors: Tensor) -> Tensor:
    """(N, A, H, W, 4) of maps x (N, A, len, H, W), centres within their positions, and anchors (A, 2), as shares."""
    height, width = x.shape[3:]
    y, x_ = (torch.arange(n, dtype=x.dtype, device=x.device) for n in (height, width))
    place = torch.stack(torch.broadcast_tensors(x_, y[:, None]))
    centre = (centre + place) / x.new_tensor([width, height])[:, None, None]
    size = x[:, :, 2:4].exp() * anchors[:, :, None, None]
    return torch.cat((centre, size), 2).permute(0, 1, 3, 4, 2)
