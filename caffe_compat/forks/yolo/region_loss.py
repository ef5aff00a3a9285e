"""RegionLoss: what YOLO 2's maps learn."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import rank
from caffe_compat.forks.yolo.yolo_loss import (
    YoloLoss,
    listed_boxes,
    predicted_boxes,
    similarity,
    tabled_boxes,
)
from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.losses import KnownGradient


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
