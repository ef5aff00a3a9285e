"""YOLO's training losses: RegionLoss (2), Yolov3 (3), YoloSeg.

The forks work out a gradient and call the sum of its squares the loss, so neither is the other's derivative.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import rank
from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.losses import KnownGradient, Loss
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


@layer("RegionLoss")
class RegionLoss(YoloLoss):
    """top = the sum of squares of the gradient that it gives bottom 0, times N

    Fork: gklz1982/caffe-yolov2, intel/caffe, eric612/MobileNet-YOLO, src/caffe/layers/region_loss_layer.cpp
    Bottom 0 (N, num (5 + num_class), S, S): YOLO 2's maps. An objectness is drawn to 0 by noobject_scale unless its box
    overlaps a truth by more than thresh. A truth goes to its position and the anchor (biases, in positions) most like
    it in size, or with bias_match 0 to the predicted size; the last one stays where several meet. There the box is
    drawn to it by coord_scale, the softmax of the classes to its own by class_scale, the objectness by object_scale.
    The form of bottom 1 says which fork's rules hold:
    (N, 150), 30 rows a record of class, x, y, w, h: caffe-yolov2's. In the first 12800 / N passes all boxes are drawn
    to their anchors by 0.01 beside. class_map, a file of one number a line, replaces the classes.
    (1, 1, G, 8), AnnotatedData's, whose labels begin at 1: intel's. The objectness is drawn by 2 (1 - o)^3; class_map.
    300 or another number of rows: MobileNet-YOLO's. With rescore the objectness is drawn to the box's overlap, else
    the box's weight is coord_scale (2 - w h). Its top is divided by N.
    softmax_tree, a hierarchy of classes, is refused. softmax, absolute, jitter and random mean nothing, as in the forks.
    """

    fork_fields = ("region_loss_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.region_loss_param
        self.classes, self.count = p.num_class, p.num
        if p.softmax_tree:
            self.fail(
                f"region_loss_param.softmax_tree '{p.softmax_tree}' is a hierarchy of classes, which is not done here; "
                "remove it and use plain classes"
            )
        if p.coords != 4:
            self.fail(f"region_loss_param.coords is {p.coords} and must be 4: x, y, w, h")
        if len(p.biases) != 2 * p.num:
            self.fail(
                f"region_loss_param has {len(p.biases)} biases for num {p.num}; give a width and a height each"
            )
        self.anchors = torch.tensor(list(p.biases)).view(-1, 2)
        self.threshold, self.fixed_sizes, self.rescore = p.thresh, bool(p.bias_match), bool(p.rescore)
        self.object, self.no_object = p.object_scale, p.noobject_scale
        self.coord, self.class_scale = p.coord_scale, p.class_scale
        self.class_map = self._class_map(p.class_map) if p.class_map else None
        self.passes = 0

    def _class_map(self, path: str) -> Tensor:
        try:
            words = Path(self.context.path(path)).read_text(encoding="utf-8").split()
            numbers = torch.tensor([int(word) for word in words])
        except (OSError, ValueError) as error:
            self.fail(f"region_loss_param.class_map: {error}; correct the file, one class number a line")
        if not words or numbers.min() < 0 or numbers.max() >= self.classes:
            self.fail(
                f"region_loss_param.class_map '{path}' must hold numbers from 0 to {self.classes - 1}, one a line"
            )
        return numbers

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_maps(bottom[0])
        if bottom[0][2] != bottom[0][3]:
            self.fail(f"bottom 0 of shape {bottom[0]} must be as high as wide, as the picture is")
        values = math.prod(bottom[1][1:])
        self.rows = len(bottom[1]) == 4 and bottom[1][:2] == (1, 1) and bottom[1][3] == 8
        if not self.rows and (bottom[1][0] != bottom[0][0] or values % 5):
            self.fail(
                f"bottom 1 of shape {bottom[1]} must hold rows of class, x, y, w, h for {bottom[0][0]} records, or be "
                "1 x 1 x G x 8, a row a box"
            )
        self.first = not self.rows and values == 150
        return [()]

    def forward(self, data: Tensor, label: Tensor) -> Tensor:
        self.refuse_gradient(label, "label inputs")
        number, side = len(data), data.shape[3]
        x = data.detach().unflatten(1, (self.count, -1))
        boxes, classes, seen, assigned = tabled_boxes(label, number) if self.rows else listed_boxes(label)
        mapping = self.class_map if self.first or self.rows else None
        self.check_classes(classes, assigned, self.classes if mapping is None else len(mapping))
        if mapping is not None:
            classes = mapping.to(classes.device)[classes]
        anchors = self.anchors.to(x)
        centre, objectness = torch.sigmoid(x[:, :, :2]), torch.sigmoid(x[:, :, 4])
        slope = objectness * (1 - objectness)
        predicted = predicted_boxes(x, centre, anchors / side)

        delta = torch.zeros_like(x)
        free = self.best(predicted, boxes, seen) <= self.threshold
        delta[:, :, 4] = (self.no_object * objectness * slope).where(free, 0)
        if self.first and self.passes < 12800 // number:
            delta[:, :, :2] = -0.01 * (0.5 - centre) * centre * (1 - centre)
            delta[:, :, 2:4] = 0.01 * x[:, :, 2:4]
        self.passes += 1

        n, t = assigned.nonzero(as_tuple=True)
        row, column = self.position(boxes[n, t], side, side)
        box = boxes[n, t]
        sizes = (
            (anchors / side).expand(len(n), -1, -1) if self.fixed_sizes else predicted[n, :, row, column, 2:]
        )
        still = torch.cat((torch.zeros_like(sizes), sizes), 2)
        wanted = torch.cat((torch.zeros_like(box[:, :2]), box[:, 2:]), 1)[:, None]
        anchor = similarity(still, wanted).max(1).indices
        cell = ((n * self.count + anchor) * side + row) * side + column
        last = rank(torch.arange(len(n), device=n.device), cell) == 0
        n, t, row, column, anchor, box = (each[last] for each in (n, t, row, column, anchor, box))

        at = (n, anchor, slice(None), row, column)
        values, mine = x[at], centre[n, anchor, :, row, column]
        o, steep = objectness[n, anchor, row, column], slope[n, anchor, row, column]
        shared = similarity(predicted[n, anchor, row, column], box)
        plain = self.first or self.rows or self.rescore
        weight = torch.full_like(o, self.coord) if plain else self.coord * (2 - box[:, 2] * box[:, 3])
        found = torch.empty_like(values)
        target = box[:, :2] * side - torch.stack((column, row), 1)
        found[:, :2] = -weight[:, None] * (target - mine) * mine * (1 - mine)
        found[:, 2:4] = -weight[:, None] * ((box[:, 2:] * side / anchors[anchor]).log() - values[:, 2:4])
        if self.rows:
            gap = 2 * (1 - o) ** 3
        else:
            gap = (1 if self.first or not self.rescore else shared) - o
        found[:, 4] = -self.object * gap * steep
        own = torch.nn.functional.one_hot(classes[n, t], self.classes).to(values)
        found[:, 5:] = -self.class_scale * (own - torch.softmax(values[:, 5:], 1))
        delta[at] = found
        value = delta.square().sum() / (1 if self.first or self.rows else number)
        return KnownGradient.apply(data, value, (delta / number).view_as(data))


@layer("Yolov3")
class Yolov3(YoloLoss):
    """top = (sum of squares of N times the gradient that it gives bottom 0) / N

    Fork: eric612/MobileNet-YOLO, src/caffe/layers/yolov3_layer.cpp
    Bottoms: 0 (N, num (5 + num_class), H, W), YOLO 3's maps, whose anchors are those of `biases` (pixels; a position
    is anchors_scale pixels) that `mask` names; 1 rows of class, x, y, w, h for each record, up to one of zeros.
    An objectness is drawn to 0 unless its box is like a truth by more than thresh. A truth goes to its position and
    the anchor of all most like it in size, if `mask` names that, and to those of `mask` more like it than iou_thresh.
    There the box is drawn to it by coord_scale (2 - w h), the objectness to 1, and the classes' sigmoids to its own by
    class_scale, between label_smooth_eps / 2 and 1 minus that; where several truths meet, the box goes to the last and
    each adds its class. iou_loss other than MSE: the box has darknet's gradient of that measure times
    iou_normalizer, cut off at max_delta, of all truths with `accumulate`; iou_normalizer (1 - the measure's mean) takes
    its place in the top. As there, a matched anchor counts by its place in `mask` when the others are looked at.
    use_logic_gradient multiplies by the slope of the sigmoids and the objectness by object_scale. noobject_scale means
    nothing.
    """

    fork_fields = ("yolov3_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.yolov3_param
        self.classes, self.count = p.num_class, p.num
        if len(p.mask) != p.num:
            self.fail(f"yolov3_param has {len(p.mask)} mask for num {p.num}; name one anchor each")
        if not p.biases or len(p.biases) % 2:
            self.fail(f"yolov3_param has {len(p.biases)} biases; give each anchor a width and a height")
        if max(p.mask) >= len(p.biases) // 2:
            self.fail(
                f"yolov3_param.mask names anchor {max(p.mask)}, but {len(p.biases)} biases are {len(p.biases) // 2} anchors"
            )
        self.anchors = torch.tensor(list(p.biases)).view(-1, 2)
        self.mask = list(p.mask)
        self.scale, self.threshold, self.also = p.anchors_scale, p.thresh, p.iou_thresh
        self.object = p.object_scale if p.use_logic_gradient else 1.0
        self.coord, self.class_scale, self.smooth = p.coord_scale, p.class_scale, p.label_smooth_eps
        self.kind, self.share, self.limit = p.iou_loss, p.iou_normalizer, p.max_delta
        self.accumulate, self.focal, self.logic = p.accumulate, p.use_focal_loss, p.use_logic_gradient

    def reshape(self, *bottom: Shape) -> list[Shape]:
        top = super().reshape(*bottom)
        self.check_maps(bottom[0])
        if math.prod(bottom[1][1:]) % 5:
            self.fail(f"bottom 1 of shape {bottom[1]} must hold rows of class, x, y, w, h for each record")
        return top

    def forward(self, data: Tensor, label: Tensor) -> Tensor:
        self.refuse_gradient(label, "label inputs")
        number, _, height, width = data.shape
        x = data.detach().unflatten(1, (self.count, -1)).clone()
        for part in (slice(2), slice(4, None)):
            x[:, :, part] = torch.sigmoid(x[:, :, part])
        boxes, classes, seen, assigned = listed_boxes(label)
        self.check_classes(classes, assigned, self.classes)
        every = self.anchors.to(x) / x.new_tensor([width, height]) / self.scale
        anchors = every[self.mask]
        predicted = predicted_boxes(x, x[:, :, :2], anchors)

        delta = torch.zeros_like(x)
        delta[:, :, 4] = x[:, :, 4].where(self.best(predicted, boxes, seen, self.kind) <= self.threshold, 0)
        lost = x.new_zeros(())
        n, t, anchor = self._assign(boxes, assigned, every)
        box, own = boxes[n, t], classes[n, t]
        row, column = self.position(box, height, width)
        cell = ((n * self.count + anchor) * height + row) * width + column
        turn = rank(-torch.arange(len(n), device=n.device), cell)
        for i in range(int(turn.max()) + 1 if len(n) else 0):
            each = turn == i
            at = (n[each], anchor[each], slice(None), row[each], column[each])
            mine, truth = predicted[n[each], anchor[each], row[each], column[each]], box[each]
            values, found = x[at], delta[at]
            if self.kind == MSE:
                place = torch.stack((column[each], row[each]), 1)
                centre = truth[:, :2] * x.new_tensor([width, height]) - place
                target = torch.cat((centre, (truth[:, 2:] / anchors[anchor[each]]).log()), 1)
                weight = self.coord * (2 - truth[:, 2] * truth[:, 3])
                found[:, :4] = -weight[:, None] * (target - values[:, :4])
            else:
                found[:, :4] = self._pulled(values, found[:, :4], mine, truth)
            found[:, 4] = -self.object * (1 - values[:, 4])
            found[:, 5:] = self._drawn_classes(values[:, 5:], found[:, 5:], own[each])
            delta[at] = found
            if self.kind != MSE:
                measure = DIOU if self.kind == IOU else self.kind
                lost = lost + (1 - similarity(mine, truth, measure)).sum()
        if self.kind == MSE:
            value = delta.square().sum()
        else:
            value = delta[:, :, 4:].square().sum() + self.share * lost / max(1, len(n))
        if self.logic:
            for part in (slice(2), slice(4, None)):
                delta[:, :, part] *= x[:, :, part] * (1 - x[:, :, part])
        return KnownGradient.apply(data, value / number, (delta / number).view_as(data))

    def _assign(self, boxes: Tensor, assigned: Tensor, every: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Record, truth and place in `mask` of all that are assigned, in the fork's order."""
        sizes = torch.cat((torch.zeros_like(every), every), 1)
        wanted = torch.cat((torch.zeros_like(boxes[..., :2]), boxes[..., 2:]), -1)
        shared = similarity(sizes, wanted[:, :, None], self.kind)
        most, best = shared.max(2)
        places = torch.full((len(every),), -1, device=boxes.device)
        for place, name in reversed(list(enumerate(self.mask))):
            places[name] = place
        first = places[best].where(most > 0, -1)
        met = torch.where(first >= 0, first, best.where(most > 0, -1))
        names = torch.arange(len(every), device=boxes.device)
        others = (places >= 0) & (names != met[..., None]) & (shared > self.also) & (self.also < 1)
        place = torch.cat((first[..., None], places.where(others, -1)), 2)
        n, t, slot = ((place >= 0) & assigned[..., None]).nonzero(as_tuple=True)
        return n, t, place[n, t, slot]

    def _pulled(self, values: Tensor, before: Tensor, mine: Tensor, truth: Tensor) -> Tensor:
        """The gradient of x, y, w, h that makes box `mine` more like `truth`."""
        slope = similarity_slope(mine, truth, self.kind)
        slope[:, 2:] *= values[:, 2:4].exp()
        slope = (self.share * slope).nan_to_num(0, 0, 0)
        if self.limit < FLT_MAX:
            slope = slope.clamp(-self.limit, self.limit)
        return (before if self.accumulate else 0) - slope

    def _drawn_classes(self, values: Tensor, before: Tensor, own: Tensor) -> Tensor:
        """The gradient of the classes: all of them for the first truth of a position, its own one for others."""
        is_own = torch.nn.functional.one_hot(own, self.classes).bool()
        target = is_own.to(values) * (1 - self.smooth) + self.smooth / 2 if self.smooth else is_own.to(values)
        drawn = -self.class_scale * (target - values)
        drawn = drawn.where(drawn.isfinite(), before)
        every = drawn
        if self.focal:
            p = values.gather(1, own[:, None]) + 1e-15
            steep = -(1 - p) * (2 * p * p.log() + p - 1)
            every = -self.class_scale * (is_own.to(values) - values) * 0.5 * steep
        again = before.gather(1, own[:, None]) != 0
        return torch.where(again, drawn.where(is_own, before), every)
