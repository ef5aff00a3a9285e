"""Yolov3: what YOLO 3's maps learn."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import rank
from caffe_compat.forks.yolo.yolo_loss import (
    DIOU,
    FLT_MAX,
    IOU,
    MSE,
    YoloLoss,
    listed_boxes,
    predicted_boxes,
    similarity,
    similarity_slope,
)
from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.losses import KnownGradient


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
        for index, name in reversed(list(enumerate(self.mask))):
            places[name] = index
        first = places[best].where(most > 0, -1)
        met = torch.where(first >= 0, first, best.where(most > 0, -1))
        names = torch.arange(len(every), device=boxes.device)
        others = (places >= 0) & (names != met[..., None]) & (shared > self.also) & (self.also < 1)
        chosen = torch.cat((first[..., None], places.where(others, -1)), 2)
        n, t, slot = ((chosen >= 0) & assigned[..., None]).nonzero(as_tuple=True)
        return n, t, chosen[n, t, slot]

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
