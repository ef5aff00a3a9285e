"""EvalDetection: which of YOLO 2's detections are right."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import pairwise, suppress
from caffe_compat.forks.yolo.yolo_loss import corners, listed_boxes, predicted_boxes, tabled_boxes
from caffe_compat.layers.base import Layer, Shape, layer
from caffe_compat.proto import EvalDetectionParameter

LEAST = 0.005  # no detection is less confident


@layer("EvalDetection")
class EvalDetection(Layer):
    """top = (N, num_class + S S num_object 4): how many boxes each class has, then label, score, right, wrong

    Fork: gklz1982/caffe-yolov2, intel/caffe, src/caffe/layers/eval_detection_layer.cpp
    Bottoms: 0 YOLO 2's maps (N, num_object (5 + num_class), S, S), S = side; 1 boxes: (N, 150), 30 rows of class,
    x, y, w, h, or (1, 1, G, 8) as AnnotatedData gives them, labels from 1 on. A box's score is its objectness (OBJ),
    its best class (PROB) or both (MULTIPLY). Boxes that overlap a better one by `nms`, of whatever class, are left out,
    and those below 0.005; without nms all are, as in the forks. By class and falling score, one that overlaps a truth by
    `threshold` is right, or wrong if that truth is taken; one that does not is neither; with no truth of its class it is
    wrong. The rest of a row is 0. Nothing gets a gradient.
    """

    num_bottom = (2, None)  # any more are not looked at
    num_top = 1
    in_place = False
    dynamic = True  # not in its top: how many boxes there are is known only in forward
    fork_fields = ("eval_detection_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.eval_detection_param
        if len(p.biases) != 2 * p.num_object:
            self.fail(
                f"eval_detection_param has {len(p.biases)} biases for num_object {p.num_object}; give a width and a height "
                "each"
            )
        self.side, self.classes, self.count = p.side, p.num_class, p.num_object
        self.threshold, self.overlap, self.score = p.threshold, p.nms, p.score_type
        self.anchors = torch.tensor(list(p.biases)).view(-1, 2)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        maps = (self.count * (5 + self.classes), self.side, self.side)
        if bottom[0][1:] != maps:
            self.fail(
                f"bottom 0 of shape {bottom[0]} must be N x {' x '.join(map(str, maps))}; correct num_object, num_class, "
                "side or the layer below"
            )
        self.rows = len(bottom[1]) == 4 and bottom[1][:2] == (1, 1) and bottom[1][3] == 8
        if not self.rows and (bottom[1][0] != bottom[0][0] or math.prod(bottom[1][1:]) != 150):
            self.fail(
                f"bottom 1 of shape {bottom[1]} must be {bottom[0][0]} x 150, 30 rows of class, x, y, w, h, or "
                "1 x 1 x G x 8, a row a box"
            )
        return [(bottom[0][0], self.classes + self.side**2 * self.count * 4)]

    def forward(self, data: Tensor, label: Tensor, *rest: Tensor) -> Tensor:
        x = data.detach().unflatten(1, (self.count, -1))
        boxes = predicted_boxes(x, torch.sigmoid(x[:, :, :2]), self.anchors.to(x) / self.side)
        best, found = torch.softmax(x[:, :, 5:], 2).max(2)
        objectness = torch.sigmoid(x[:, :, 4])
        score = {EvalDetectionParameter.OBJ: objectness, EvalDetectionParameter.PROB: best}.get(
            self.score, objectness * best
        )
        # Positions, then anchors.
        score, found = (t.movedim(1, 3).flatten(1) for t in (score, found))
        boxes = torch.cat(corners(boxes.movedim(1, 3).flatten(1, 3)), -1)
        score, order = score.sort(dim=1, descending=True, stable=True)
        found, boxes = found.gather(1, order), boxes.gather(1, order[..., None].expand_as(boxes))
        alive = torch.full_like(score, self.overlap >= 0, dtype=torch.bool)
        kept = suppress(boxes, alive, self.overlap) & (score >= LEAST)
        truth, classes, seen, _ = tabled_boxes(label, len(data)) if self.rows else listed_boxes(label)
        top = x.new_zeros(len(data), self.classes + score.shape[1] * 4)
        for n in range(len(data)):
            own, mine = classes[n, seen[n]], kept[n]
            self._check(own)
            top[n, : self.classes] = torch.bincount(own, minlength=self.classes)
            corner = torch.cat(corners(truth[n, seen[n]]), -1)
            rows = self._judged(boxes[n, mine], score[n, mine], found[n, mine], corner, own)
            top[n, self.classes : self.classes + rows.numel()] = rows.flatten()
        return top

    def _check(self, classes: Tensor) -> None:
        bad = (classes < 0) | (classes >= self.classes)
        if bad.any():
            self.fail(
                f"a ground truth box has label {int(classes[bad][0])}, but the classes are 0 to {self.classes - 1}; "
                "correct num_class or the labels"
            )

    def _judged(self, boxes: Tensor, score: Tensor, found: Tensor, truth: Tensor, classes: Tensor) -> Tensor:
        """The rows (D, 4) of one record's detections, which come by falling score."""
        order = found.argsort(stable=True)
        boxes, score, found = boxes[order], score[order], found[order]
        right, wrong = torch.zeros_like(score), torch.zeros_like(score)
        same = found[:, None] == classes
        wrong[~same.any(1)] = 1
        if len(classes) and len(found):
            shared, which = pairwise(boxes, truth).masked_fill(~same, -1).max(1)
            hit = shared >= self.threshold
            places = torch.arange(len(found), device=found.device)
            first = torch.full((len(classes),), len(found), device=found.device).scatter_reduce(
                0, which[hit], places[hit], "amin"
            )
            taken = hit & (first[which] == places)
            right[taken], wrong[hit & ~taken] = 1, 1
        return torch.stack((found.to(score), score, right, wrong), 1)
