"""DetectionLoss: what the fields of one feature map learn, in the forms of MS-CNN and of caffe-yolo."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.forks.rcnn.field_loss import FieldLoss, check_fields, check_maps, places
from caffe_compat.layers.base import OnnxGraph, Shape, constant, layer
from caffe_compat.layers.common.losses import Loss


class _Mined(FieldLoss):
    """DetectionLoss of zhaoweicai/mscnn."""

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.param.detection_loss_param
        self.weight, self.stride, self.size = getattr(p, "lambda"), p.downsample_rate, (p.field_w, p.field_h)
        self.smooth, self.objectness, self.by_overlap = p.bb_smooth, p.objectness, p.iou_weighted
        self.threshold, self.multiple, self.mode = p.bg_threshold, p.bg_multiple, p.sample_mode
        self.evenly, self.count = p.pos_neg_weighted, p.cls_num
        check_fields(self, p.cls_num, p.coord_num, [self.size], p.downsample_rate, p.objectness)
        self.take_bounds(p.field_whr, p.field_xyr)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        check_maps(self, bottom, (self.count + 4, 6))
        number, _, *size = bottom[0]
        self.fold((number, self.count, *size), (number, *size), 1)
        return [(1, 1, 1, 2)]

    def random_reason(self) -> str:
        return (
            ""
            if self.mode not in ("random", "mixture")
            else f"draws the background (sample_mode: {self.mode})"
        )

    def forward(self, prediction: Tensor, truth: Tensor) -> Tensor:
        self.refuse_gradient(truth, "the targets")
        scores, offsets = prediction[:, :-4], prediction[:, -4:]
        positive = truth[:, 0].long() != 0
        negative = self._mined(scores.detach(), truth, ~positive & (truth[:, 5] < self.threshold))
        weight = torch.ones_like(truth[:, 0])
        if self.by_overlap:
            weight = torch.where(positive, truth[:, 5], weight)
        if self.evenly:
            weight = self.balanced(weight, positive, negative, self.multiple)
        return self.losses(
            scores, offsets, truth, positive | negative, weight, constant(self.size, truth)[None]
        )

    def _mined(self, scores: Tensor, truth: Tensor, negative: Tensor) -> Tensor:
        """Which of the fields that may be background count as that."""
        if self.mode not in ("random", "bootstrap", "mixture"):
            return negative
        factor = self.multiple * (0.5 if self.mode == "mixture" else 1.0)
        label, may = truth[:, 0].long().flatten(1), negative.flatten(1)
        chosen = torch.zeros_like(may)
        if self.mode != "bootstrap":
            least, places_of_all = 4 * (self.count - 1), may.shape[1]
            count = ((label != 0).sum(1, keepdim=True) * factor).long().clamp(min=least)
            draws = max(least, math.ceil(places_of_all * factor))
            drawn = self.drawn(
                may, lambda like: torch.randint(places_of_all, (len(like), draws), device=like.device)
            )
            live = torch.arange(draws, device=may.device) < count
            chosen = torch.zeros_like(label).scatter_add(1, drawn, live.long()) > 0
        if self.mode != "random":
            classes = torch.arange(1, self.count, device=may.device)[:, None]
            of_class = (self.class_of(label)[:, None] == classes).sum(2, keepdim=True)
            count = (of_class * factor).long().clamp(min=4)
            chosen = chosen | (places(scores[:, 1:].flatten(2), may[:, None]) < count).any(1)
        return (chosen & may).view(negative.shape)


class _Grid(Loss):
    """DetectionLoss of yeahkun/caffe-yolo."""

    def setup(self, *bottom: Shape) -> None:
        p = self.param.detection_loss_param
        self.side, self.classes, self.objects = p.side, p.num_class, p.num_object
        self.roots, self.inside = p.sqrt, p.constriant
        self.scales = p.object_scale, p.noobject_scale, p.class_scale, p.coord_scale

    def reshape(self, *bottom: Shape) -> list[Shape]:
        top = super().reshape(*bottom)
        area = self.side * self.side
        for i, each in enumerate((self.classes + 5 * self.objects, 7)):
            if math.prod(bottom[i][1:]) != area * each:
                self.fail(
                    f"bottom {i} of shape {bottom[i]} has {math.prod(bottom[i][1:])} numbers an item and must have "
                    f"{area * each}: side {self.side} x {self.side} x {each}"
                )
        return top

    def forward(self, prediction: Tensor, truth: Tensor) -> Tensor:
        self.refuse_gradient(truth, "the targets")
        number, area = len(prediction), self.side * self.side
        flat = prediction.reshape(number, -1, area)
        classes, found, boxes = flat.split((self.classes, self.objects, 4 * self.objects), 1)
        boxes = boxes.unflatten(1, (self.objects, 4))
        truth = truth.detach().reshape(number, 7, area)
        is_object, label = truth[:, 1] != 0, truth[:, 2].long()
        box = truth[:, 3:].reshape(number, area, 4).transpose(1, 2)  # (N, 4, cells)
        self._check(label, is_object)

        best, shared = self._best(boxes.detach(), box)
        mine = torch.arange(self.objects, device=flat.device)[:, None] == best[:, None]
        mine = mine & is_object[:, None]  # (N, objects, cells)
        box = self._as_learned(box)
        target = torch.arange(self.classes, device=flat.device)[:, None] == label[:, None]
        objects = is_object.sum()
        others = area * self.objects * number - objects
        on_object, elsewhere, on_class, on_box = self.scales
        loss, pull = flat.new_zeros(()), flat.new_zeros(())
        for difference, where, scale, count, passed in (
            (classes - target.to(flat), is_object[:, None], on_class, objects, None),
            (found, ~mine, elsewhere, others, None),
            (found - 1, mine, on_object, objects, found - shared[:, None]),
            (boxes - box[:, None], mine[:, :, None], on_box, objects, None),
        ):
            loss = loss + scale * difference.detach().square().where(where, 0).sum() / count
            learned = difference if passed is None else passed
            pull = pull + scale * (learned.square() / 2).where(where, 0).sum() / number
        return loss + (pull - pull.detach())

    def _check(self, label: Tensor, is_object: Tensor) -> None:
        bad = is_object & ((label < 0) | (label >= self.classes))
        if label.device.type == "cpu" and not torch.compiler.is_compiling() and bad.any():
            self.fail(
                f"an object has label {int(label[bad][0])}, outside 0 to {self.classes - 1}; correct the labels or "
                "detection_loss_param.num_class"
            )

    def _corner(self, cells: Tensor) -> Tensor:
        """Column and row of each cell, (2, cells)."""
        cell = torch.arange(self.side * self.side, device=cells.device)
        return torch.stack((cell % self.side, cell // self.side)).to(cells)

    def _best(self, boxes: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Which of a cell's boxes (N, B, 4, cells) overlaps truth (N, 4, cells) most, and how much.

        Where none does it is the nearest; of equal ones, and where all are 20 or more away, the first.
        """
        place, size = boxes[:, :, :2], boxes[:, :, 2:]
        if self.inside:
            place = (place + self._corner(boxes)) / self.side
        if self.roots:
            size = size.square()
        boxes, truth = torch.cat((place, size), 2), truth[:, None]
        low, high = (
            choose(*(b[:, :, :2] + sign * b[:, :, 2:] / 2 for b in (boxes, truth)))
            for choose, sign in ((torch.maximum, -1), (torch.minimum, 1))
        )
        side = high - low
        both = side.prod(2)
        shared = (both / (boxes[:, :, 2:].prod(2) + truth[:, :, 2:].prod(2) - both)).where(
            (side >= 0).all(2), 0
        )
        shared = shared.where(shared > 0, 0)  # also of two boxes without any area
        most, best = shared.max(1)
        distance = (boxes - truth).square().sum(2).sqrt()
        nearest = distance.clamp(max=20).argmin(1)
        return torch.where(most > 0, best, nearest), most

    def _as_learned(self, box: Tensor) -> Tensor:
        """Truth (N, 4, cells) in the form that is predicted."""
        place, size = box[:, :2], box[:, 2:]
        if self.inside:
            place = place * self.side - self._corner(box)
        return torch.cat((place, size.sqrt() if self.roots else size), 1)


@layer("DetectionLoss")
class DetectionLoss(Loss):
    """top = (1, 1, 1, 2): loss of classes + lambda times that of boxes, and the second of them (which has no gradient)

    Fork: zhaoweicai/mscnn, src/caffe/layers/detection_loss_layer.cpp; without cls_num: yeahkun/caffe-yolo, likewise
    Bottoms: 0 scores of cls_num classes and offsets (N, cls_num + 4, H, W) of one kind of field (field_w, field_h,
    downsample_rate), 1 truth (N, 6, H, W). Counted are fields of a class, and of the others that overlap by less than
    bg_threshold: "random" ones, bg_multiple a field of a class, but at least 4 (cls_num - 1), drawn with repetition from
    torch's default generator, of all fields; "bootstrap" those of the highest scores, for each class bg_multiple a field
    of it, but at least 4; "mixture" half of both; all by any other sample_mode. Fields of a class weigh their overlap
    (iou_weighted), and together 1 / (1 + bg_multiple) of all (pos_neg_weighted, as the fork's GPU code has it). Each loss
    is a mean over what counts. Offsets are limited by field_whr and field_xyr, which their gradient does not mind;
    bb_smooth: smooth L1 instead of half the square. With objectness all classes are 1.

    In caffe-yolo the top is a scalar. Bottoms: 0 (N, (num_class + 5 num_object) side^2): classes, confidences, boxes; 1
    (N, 7 side^2): unused, whether an object is in the cell, its class, and after these three maps each cell's box. Of a
    cell's boxes the one that overlaps most (or else is nearest) learns. The sum of the squares is the mean over objects
    (confidences elsewhere: over those), and its gradient half the squares' over N, the confidence's target in it the
    overlap, as in the fork. Without any object the top is NaN.
    """

    is_random = True
    fork_fields = (
        "detection_loss_param",
        "bbox_reg_param",
        *(
            f"detection_loss_param.{name}"
            for name in (
                "bg_threshold",
                "bg_multiple",
                "sample_mode",
                "objectness",
                "iou_weighted",
                "pos_neg_weighted",
                "cls_num",
                "coord_num",
                "lambda",
                "field_h",
                "field_w",
                "downsample_rate",
                "bb_smooth",
                "field_whr",
                "field_xyr",
            )
        ),
    )

    def setup(self, *bottom: Shape) -> None:
        form = _Mined if self.param.detection_loss_param.HasField("cls_num") else _Grid
        self.form = form(self.param, self.phase, self.context)
        self.form.setup(*bottom)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return self.form.reshape(*bottom)

    def random_reason(self) -> str:
        return self.form.random_reason()

    def forward(self, prediction: Tensor, truth: Tensor) -> Tensor:
        return self.form.forward(prediction, truth)

    def verify(self) -> None:
        self.form.verify()

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Identity", bottoms[:1], tops)
