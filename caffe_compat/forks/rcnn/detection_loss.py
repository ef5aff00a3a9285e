"""DetectionLoss, DetectionGroupLoss and their accuracies: what fields around the positions of feature maps learn.

Scores and offsets of a field stand at its position; truth is the map that ImageGtData and DetectionData make: class,
x and y of the centre, width and height of the box, overlap. Offsets are those of box_output.py, to be learned from the
field: the move of the centre over the field's size, and the logarithm of the box's size (at least 2) over the field's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import overlap
from caffe_compat.forks.rcnn.box_output import Fields, Regression
from caffe_compat.forks.rcnn.smooth_l1_loss import smooth_l1
from caffe_compat.layers.base import Layer, Shape, as_tops, constant, layer
from caffe_compat.layers.common.labels import Labelled
from caffe_compat.layers.common.losses import Floor, Loss
from caffe_compat.layers.softmax_loss import FLT_MIN

_SMALLEST = 2.0  # pixels of a box's side, in logarithms
Sizes = Sequence[tuple[float, float]]


class _Bounded(torch.autograd.Function):
    """x kept between two limits, whose gradient is passed on as if it had not been."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
        return torch.minimum(torch.maximum(x, low), high)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad, None, None


class FieldLoss(Labelled, Regression, Loss):
    """The two losses of fields: -log of the class's probability, and of the offsets of those that are no background."""

    smooth: bool
    objectness: bool
    stride: float
    weight: float  # of the second loss
    bounds: tuple[list[float], list[float]] | None  # least and greatest offsets, as they are learned

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.param.loss_param
        self.ignore = p.ignore_label if p.HasField("ignore_label") else None

    def take_bounds(self, field_whr: float, field_xyr: float) -> None:
        """Limit offsets to 1 / field_xyr of the field and to field_whr times its size."""
        if field_whr <= 0 or field_xyr <= 0:
            self.fail(f"field_whr is {field_whr:g} and field_xyr is {field_xyr:g}; both must be above 0")
        limits, mean, std = (1 / field_xyr, math.log(field_whr)), self.mean, self.std
        means = (mean[0] + mean[1]) / 2, (mean[2] + mean[3]) / 2
        stds = math.sqrt(std[0] * std[1]), math.sqrt(std[2] * std[3])
        ends = [
            [(sign * limits[i // 2] - means[i // 2]) / stds[i // 2] for i in range(4)] for sign in (-1, 1)
        ]
        self.bounds = ends[0], ends[1]

    def losses(
        self, scores: Tensor, offsets: Tensor, truth: Tensor, kept: Tensor, weight: Tensor, sizes: Tensor
    ) -> Tensor:
        """The top, of maps (N, C, H, W), (N, 4, H, W), (N, 6, H, W), kept and weight (N, H, W) and sizes (1 or N, 2)."""
        label = truth[:, 0].long()
        index, counted, nan = self.read_labels(self.class_of(label), self.ignore)
        if counted is not None:
            kept = kept & counted.view(kept.shape)
        log = scores.flatten(2).log_softmax(1).gather(1, index).view(kept.shape)
        terms = -Floor.apply(log, math.log(FLT_MIN)) * weight
        loss = terms.where(kept, 0).sum() / kept.sum().clamp(min=1)
        wanted = self.encoded(truth[:, 1:5], sizes)
        if self.bounds is not None:
            low, high = (constant(end, offsets).view(4, 1, 1) for end in self.bounds)
            offsets = _Bounded.apply(offsets, low, high)
        difference = offsets - wanted
        errors = smooth_l1(difference) if self.smooth else difference.square() / 2
        learning = (kept & (label != 0))[:, None]
        boxes = self.weight * errors.where(learning, 0).sum() / (4 * learning.sum()).clamp(min=1)
        loss = loss + boxes
        return torch.stack((loss if nan is None else loss + nan, boxes.detach())).view(1, 1, 1, 2)

    def class_of(self, label: Tensor) -> Tensor:
        """The class that a box's class is scored as."""
        return label.clamp(max=1) if self.objectness else label

    def encoded(self, boxes: Tensor, sizes: Tensor) -> Tensor:
        """The offsets (N, 4, H, W) of boxes (N, 4, H, W) from fields of these sizes (1 or N, 2)."""
        height, width = boxes.shape[2:]
        y = (torch.arange(height, dtype=boxes.dtype, device=boxes.device) + 0.5) * self.stride
        x = (torch.arange(width, dtype=boxes.dtype, device=boxes.device) + 0.5) * self.stride
        position = torch.stack(torch.broadcast_tensors(x, y[:, None]))
        sizes = sizes[:, :, None, None]
        offsets = torch.cat(
            ((boxes[:, :2] - position) / sizes, (boxes[:, 2:].clamp(min=_SMALLEST) / sizes).log()), 1
        )
        mean, std = (constant(values, boxes).view(4, 1, 1) for values in (self.mean, self.std))
        return (offsets - mean) / std

    def balanced(self, weight: Tensor, positive: Tensor, negative: Tensor, multiple: float) -> Tensor:
        """The weights so changed that positive ones make 1 / (1 + multiple) of all, and the kept negative the rest."""
        count = (positive.sum() + negative.sum()).to(weight)
        for which, share in ((positive, 1 / (1 + multiple)), (negative, multiple / (1 + multiple))):
            total = weight.where(which, 0).sum()
            scaled = weight * (share * count / total.where(total != 0, 1))
            weight = torch.where(which & (total != 0), scaled, weight)
        return weight


def places(scores: Tensor, eligible: Tensor) -> Tensor:
    """The place of each score in its row, the greatest first, those that are not eligible last; of equal ones the first."""
    order = scores.masked_fill(~eligible, -torch.inf).argsort(dim=-1, descending=True, stable=True)
    return order.argsort(-1)


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

    def to_onnx(self, graph: Any, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Identity", bottoms[:1], tops)


def _uniform(like: Tensor) -> Tensor:
    return torch.rand(like.shape, device=like.device)


@layer("DetectionGroupLoss")
class DetectionGroupLoss(FieldLoss):
    """top = (1, 1, 1, 2): loss of classes + lambda times that of boxes, and the second of them (which has no gradient)

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/detection_group_loss_layer.cpp
    Bottoms: 0 scores (N G, cls_num, H, W), 1 offsets (N G, 4, H, W), 2 truth (N G, 6, H, W) of G kinds of fields
    (field_w, field_h, one stride). Of each record all fields of a class count, and bg_multiple times as many, but at
    least min_num_neg, of the others that overlap by less than bg_threshold; with batch_size that many in all, of which
    1 / (1 + bg_multiple) of a class if there are. They are drawn from torch's default generator if there are more;
    of the others neg_mining_type takes "random" ones, "bootstrap" those least sure to be background
    (neg_ranking_type: "conf_prob", "conf_loss"), "mixture" half of both. pos_neg_weighted as in DetectionLoss. Each loss
    is a mean over what counts. Offsets are limited if field_whr and field_xyr are both given, which their gradient does
    not mind, and not in bottom 1 itself, as in the fork. bbox_loss_type: "Smooth_L1", "Euclidean_L2".
    """

    num_bottom = 3
    is_random = True
    fork_fields = ("detection_group_loss_param", "bbox_reg_param")

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.p = self.param.detection_group_loss_param
        self.sizes = group_sizes(self, p)
        self.weight, self.stride, self.objectness = getattr(p, "lambda"), p.stride, p.objectness
        check_fields(self, p.cls_num, 4, self.sizes, p.stride, p.objectness)
        if p.batch_size != -1 and p.batch_size < 1:
            self.fail(f"batch_size is {p.batch_size} and must be above 0, or -1 for no limit")
        for name, known in (
            ("neg_mining_type", ("random", "bootstrap", "mixture")),
            ("neg_ranking_type", ("conf_loss", "conf_prob")),
            ("bbox_loss_type", ("Smooth_L1", "Euclidean_L2")),
        ):
            if getattr(p, name) not in known:
                self.fail(f"{name} {getattr(p, name)!r} is not known; use one of {', '.join(known)}")
        self.smooth = p.bbox_loss_type == "Smooth_L1"
        self.bounds = None
        if p.HasField("field_whr") and p.HasField("field_xyr"):
            self.take_bounds(p.field_whr, p.field_xyr)
        self.mining, self.by_loss = p.neg_mining_type, p.neg_ranking_type == "conf_loss"
        self.threshold, self.multiple, self.least = p.bg_threshold, p.bg_multiple, p.min_num_neg
        self.batch, self.evenly, self.count = p.batch_size, p.pos_neg_weighted, p.cls_num

    def allow_force_backward(self, index: int) -> bool:
        return index != 2

    def reshape(self, *bottom: Shape) -> list[Shape]:
        check_maps(self, bottom, (self.count, 4, 6))
        check_groups(self, bottom[0], self.sizes)
        number, _, *size = bottom[0]
        self.fold(bottom[0], (number, *size), 1)
        return [(1, 1, 1, 2)]

    def random_reason(self) -> str:
        if self.mining != "bootstrap":
            return f"draws the background (neg_mining_type: {self.mining})"
        return (
            ""
            if self.batch == -1
            else f"draws fields of classes where there are too many (batch_size {self.batch})"
        )

    def forward(self, *bottom: Tensor) -> Tensor:
        scores, offsets, truth = bottom
        self.refuse_gradient(truth, "the targets")
        label = truth[:, 0].long()
        positive, negative = label > 0, (label == 0) & (truth[:, 5] < self.threshold)
        positive, negative = self._sampled(scores.detach(), positive, negative)
        weight = torch.ones_like(truth[:, 0])
        if self.evenly:
            weight = self.balanced(weight, positive, negative, self.multiple)
        sizes = torch.stack([constant(size, truth) for size in self.sizes])
        sizes = sizes.repeat(len(truth) // len(self.sizes), 1)
        return self.losses(scores, offsets, truth, positive | negative, weight, sizes)

    def _sampled(self, scores: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
        """Which of the fields of a class, and of those that may be background, count."""
        shape = positive.shape
        pos, neg = (which.view(-1, len(self.sizes) * math.prod(shape[1:])) for which in (positive, negative))
        some, others = pos.sum(1, keepdim=True), neg.sum(1, keepdim=True)
        if self.batch == -1:
            wanted = (some * self.multiple).clamp(min=self.least)
        else:
            most = math.floor(self.batch / (1 + self.multiple) + 0.5)
            wanted = self.batch - some.clamp(max=most)
            pos = pos & (places(self.drawn(pos, _uniform), pos) < most)
        wanted = torch.minimum(wanted, others)
        chosen = torch.zeros_like(neg)
        if self.mining != "random":
            sure = scores.softmax(1)[:, 0].reshape(neg.shape)
            score = -sure.clamp(min=FLT_MIN).log() if self.by_loss else 1 - sure
            hard = wanted if self.mining == "bootstrap" else (wanted + 1) // 2
            chosen = neg & (places(score, neg) < hard)
        if self.mining != "bootstrap":
            rest = neg & ~chosen
            left = wanted - chosen.sum(1, keepdim=True)
            chosen = chosen | (rest & (places(self.drawn(neg, _uniform), rest) < left))
        return pos.view(shape), chosen.view(shape)

    def to_onnx(self, graph: Any, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Identity", bottoms[:1], tops)


class FieldAccuracy(Fields):
    """top0 = (1, 1, 1, 2): the share of right classes, of all and of those that are no background; top1: mean overlap"""

    num_top = (1, 2)
    is_metric = True
    objectness: bool
    stride: float
    threshold: float
    last_first: bool  # whether the later of equal scores counts as the higher one
    extra = 0.0  # 1 where both ends of a box are pixels of it

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.param.loss_param
        self.ignore = p.ignore_label if p.HasField("ignore_label") else None
        self.tops = len(self.param.top)

    def top_shapes(self) -> list[Shape]:
        shapes: list[Shape] = [(1, 1, 1, 2), (1, 1, 1, 1)]
        return shapes[: self.tops]

    def judged(
        self, scores: Tensor, offsets: Tensor, truth: Tensor, sizes: Sizes, top_k: int
    ) -> Tensor | tuple[Tensor, ...]:
        """The tops, of maps (N G, C, H, W), (N G, 4, H, W), (N G, 6, H, W) for G sizes."""
        own = truth[:, 0].long()
        label = own.clamp(max=1) if self.objectness else own
        counted = (label != 0) | (truth[:, 5] < self.threshold)
        boxes = own != 0
        if self.ignore is not None:
            counted, boxes = counted & (label != self.ignore), boxes & (own != self.ignore)
        classes = torch.arange(scores.shape[1], device=scores.device)[:, None, None]
        score = scores.gather(1, label.clamp(0, scores.shape[1] - 1)[:, None])
        before = classes > label[:, None] if self.last_first else classes < label[:, None]
        place = ((scores > score) | ((scores == score) & before)).sum(1)
        right = (place < top_k) & (label < scores.shape[1]) & (label >= 0)
        shares = [self._mean(right.to(scores), which) for which in (counted, counted & (label != 0))]
        tops = [torch.stack(shares).view(1, 1, 1, 2)]
        if self.tops > 1:
            first, size = self.fields(offsets.unflatten(0, (-1, len(sizes))), sizes, self.stride)
            found = torch.cat((first, first + size - self.extra), 2).flatten(0, 1)
            half = truth[:, 3:5] / 2
            wanted = torch.cat((truth[:, 1:3] - half, truth[:, 1:3] + half - self.extra), 1)
            shared = overlap(found.movedim(1, -1), wanted.movedim(1, -1), self.extra, self.extra)
            tops.append(self._mean(shared, boxes).view(1, 1, 1, 1))
        return as_tops(tops)

    def _mean(self, values: Tensor, which: Tensor) -> Tensor:
        """The mean of some values, or -1."""
        count = which.sum()
        return torch.where(count > 0, values.where(which, 0).sum() / count.clamp(min=1), -1.0)

    def to_onnx(self, graph: Any, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Identity", bottoms[:1], tops)


@layer("DetectionAccuracy")
class DetectionAccuracy(FieldAccuracy):
    """top0 = (1, 1, 1, 2): the share of right classes, of all and of those that are no background; top1: mean overlap

    Fork: zhaoweicai/mscnn, src/caffe/layers/detection_accuracy_layer.cpp
    Bottoms as DetectionLoss's. A class is right if its score is among the top_k; of equal scores the later counts first.
    Background that overlaps by bg_threshold or more does not count. top1, (1, 1, 1, 1), compares the boxes of fields of
    a class with theirs, offsets limited by field_whr and field_xyr. Each is -1 where nothing counts.
    """

    num_bottom = 2
    is_accuracy = True
    fork_fields = ("detection_accuracy_param", "bbox_reg_param")

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.param.detection_accuracy_param
        self.count, self.top_k, self.stride, self.size = (
            p.cls_num,
            p.top_k,
            p.downsample_rate,
            (p.field_w, p.field_h),
        )
        self.objectness, self.threshold, self.last_first = p.objectness, p.bg_threshold, True
        check_fields(self, p.cls_num, p.coord_num, [self.size], p.downsample_rate, p.objectness)
        if not 1 <= p.top_k <= p.cls_num:
            self.fail(f"top_k is {p.top_k} for {p.cls_num} classes; use 1 to {p.cls_num}")
        self.limits(p.field_whr, p.field_xyr)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        check_maps(self, bottom, (self.count + 4, 6))
        return self.top_shapes()

    def forward(self, prediction: Tensor, truth: Tensor) -> Tensor | tuple[Tensor, ...]:
        prediction, truth = prediction.detach(), truth.detach()
        return self.judged(prediction[:, :-4], prediction[:, -4:], truth, [self.size], self.top_k)


@layer("DetectionGroupAccuracy")
class DetectionGroupAccuracy(FieldAccuracy):
    """top0 = (1, 1, 1, 2): the share of right classes, of all and of those that are no background; top1: mean overlap

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/detection_group_accuracy_layer.cpp
    Bottoms as DetectionGroupLoss's. Otherwise as DetectionAccuracy, but of the best class only, of equal scores the
    first, and both ends are pixels of a box.
    """

    num_bottom = 3
    is_accuracy = True
    extra = 1.0
    fork_fields = ("detection_group_accuracy_param", "bbox_reg_param")

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.param.detection_group_accuracy_param
        self.sizes = group_sizes(self, p)
        self.count, self.stride, self.objectness = p.cls_num, p.stride, p.objectness
        self.threshold, self.last_first = p.bg_threshold, False
        check_fields(self, p.cls_num, 4, self.sizes, p.stride, p.objectness)
        self.limits(p.field_whr, p.field_xyr)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        check_maps(self, bottom, (self.count, 4, 6))
        check_groups(self, bottom[0], self.sizes)
        return self.top_shapes()

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        scores, offsets, truth = (b.detach() for b in bottom)
        return self.judged(scores, offsets, truth, self.sizes, 1)


def check_fields(
    layer: Layer, classes: int, coordinates: int, sizes: Sizes, stride: int, objectness: bool
) -> None:
    """Fail for numbers of fields that nothing can be learned with."""
    if classes < 2 or (objectness and classes != 2):
        layer.fail(f"cls_num is {classes} and must be {'2, with objectness' if objectness else 'at least 2'}")
    if coordinates != 4:
        layer.fail(f"coord_num is {coordinates}; only 4, of a box, is known")
    if not stride or not all(width and height for width, height in sizes):
        layer.fail(f"its fields are {list(sizes)} (width, height), {stride} apart; all must be above 0")


def check_maps(layer: Layer, bottom: Sequence[Shape], channels: Sequence[int]) -> None:
    """Fail unless the bottoms are maps of one size with these channels."""
    for shape in bottom:
        layer.check_pictures(shape)
    number, _, *size = bottom[0]
    for i, (shape, wanted) in enumerate(zip(bottom, channels, strict=True)):
        if shape != (number, wanted, *size):
            layer.fail(
                f"bottom {i} of shape {shape} must be {(number, wanted, *size)}, by bottom 0 of shape {bottom[0]}"
            )


def group_sizes(layer: Layer, p: Any) -> Sizes:
    """The (width, height) of each kind of field."""
    if not p.field_w or len(p.field_w) != len(p.field_h):
        layer.fail(f"has {len(p.field_w)} field_w and {len(p.field_h)} field_h; give as many of both")
    return list(zip(p.field_w, p.field_h, strict=True))


def check_groups(layer: Layer, shape: Shape, sizes: Sizes) -> None:
    if shape[0] % len(sizes):
        layer.fail(
            f"bottom 0 of shape {shape} has {shape[0]} rows, which is no multiple of its {len(sizes)} kinds of fields"
        )
