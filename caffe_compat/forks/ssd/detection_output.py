"""DetectionOutput, DetectionOutputExtended: SSD's detections, out of offsets from priors and confidences."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import (
    FLT_MAX,
    decode,
    decode_in_onnx,
    first_of_each,
    joined,
    or_empty,
    rank,
    suppress,
    suppress_in_onnx,
)
from caffe_compat.forks.common.save_output import Results
from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.common.legacy_shape import legacy_shape
from caffe_compat.layers.common.onnx_values import Value, values


@layer("DetectionOutput")
class DetectionOutput(Layer):
    """top = (1, 1, D, 7): record, label, confidence, xmin, ymin, xmax, ymax of the boxes that suppression leaves

    Fork: weiliu89/caffe (SSD), src/caffe/layers/detection_output_layer.cpp
    Bottoms: 0 offsets (N, P L 4), L = 1 with share_location, else num_classes; 1 confidences (N, P num_classes);
    2 priors (1, 2, P 4). Per record and class but the background: the nms_param.top_k most confident of those above
    confidence_threshold go into suppression; then per record the keep_top_k most confident stay. Rows stand by
    record, class and falling confidence. Without any detection there is a row a record, -1 but for its record.
    `reshape` says one row, as the fork does; how many there are is known in `forward`. Nothing gets a gradient.
    With save_output_param the detections of num_test_image pictures are written to files (VOC, COCO or ILSVRC),
    which are opened at the first forward. `visualize`, which draws on a screen, is refused.
    """

    num_bottom: int | tuple[int, int | None] | None = (3, 4)
    num_top = 1
    dynamic = True
    dynamic_axis = 2
    fork_fields = ("detection_output_param",)
    columns = 7

    def setup(self, *bottom: Shape) -> None:
        p = self.param.detection_output_param
        if not p.HasField("num_classes") or p.num_classes < 1:
            self.fail("detection_output_param.num_classes must be set and above 0")
        if p.nms_param.nms_threshold < 0:
            self.fail(f"nms_param.nms_threshold is {p.nms_param.nms_threshold:g} and must be at least 0")
        if not 0 < p.nms_param.eta <= 1:
            self.fail(f"nms_param.eta is {p.nms_param.eta:g} and must be above 0 and at most 1")
        if p.visualize:
            self.fail("detection_output_param.visualize draws on a screen, which is not done here; remove it")
        self.classes, self.code = p.num_classes, p.code_type
        self.locations = 1 if p.share_location else p.num_classes
        self.foreground = [label for label in range(p.num_classes) if label != p.background_label_id]
        self.in_target = p.variance_encoded_in_target
        self.threshold = p.confidence_threshold if p.HasField("confidence_threshold") else -FLT_MAX
        self.overlap, self.eta = p.nms_param.nms_threshold, p.nms_param.eta
        self.top_k = p.nms_param.top_k if p.nms_param.HasField("top_k") else -1
        self.keep_top_k = p.keep_top_k
        save = p.save_output_param
        # As in the fork: without any of the three nothing is saved.
        saves = save.output_directory and save.label_map_file and save.name_size_file
        self.results = Results(self, save, p.background_label_id) if saves else None

    def reshape(self, *bottom: Shape) -> list[Shape]:
        offsets, confidences, priors = (legacy_shape(self, shape) for shape in bottom[:3])
        if offsets[0] != confidences[0]:
            self.fail(
                f"bottom 0 of shape {bottom[0]} has {offsets[0]} records and bottom 1 of shape {bottom[1]} "
                f"{confidences[0]}; make them the same"
            )
        if priors[:2] != (1, 2):
            self.fail(f"bottom 2 of shape {bottom[2]} must be 1 x 2 x 4 P: the priors and their variances")
        check_predictions(self, bottom, priors[2] // 4, self.locations, self.classes)
        return [(1, 1, 1, self.columns)]

    def cell(self, prior: Tensor) -> Tensor:
        """What a row says of the priors of these numbers beside: (D, columns - 7)."""
        return prior.new_zeros((len(prior), 0))

    def forward(self, *bottom: Tensor) -> Tensor:
        offsets, confidences, priors = (b.detach() for b in bottom[:3])
        records, count = len(offsets), priors.shape[2] // 4
        prior, variance = priors.reshape(2, count, 1, 4)
        boxes = decode(
            self.code,
            prior,
            None if self.in_target else variance,
            offsets.reshape(records, count, self.locations, 4),
        )
        scores = confidences.reshape(records, count, self.classes)[:, :, self.foreground].transpose(1, 2)
        alive = scores > self.threshold
        most = int(alive.sum(2).max()) if alive.numel() else 0
        if self.top_k > -1:
            most = min(most, self.top_k)
        order = scores.masked_fill(~alive, -torch.inf).argsort(dim=2, descending=True, stable=True)[
            :, :, :most
        ]
        scores, alive = scores.gather(2, order), alive.gather(2, order)
        by_class = (
            boxes.transpose(1, 2) if self.locations == 1 else boxes[:, :, self.foreground].transpose(1, 2)
        )
        by_class = by_class.expand(records, len(self.foreground), count, 4)
        boxes = by_class.gather(2, order[..., None].expand(*order.shape, 4))

        groups = (-1, most)
        kept = (
            suppress(boxes.reshape(*groups, 4), alive.reshape(groups), self.overlap, self.eta)
            if most
            else alive
        )
        record, label, place = kept.view(order.shape).nonzero(as_tuple=True)
        score, box = scores[record, label, place], boxes[record, label, place]
        which = order[record, label, place]
        if self.keep_top_k > -1:
            top = rank(score, record) < self.keep_top_k
            record, label, score, box, which = record[top], label[top], score[top], box[top], which[top]
        label = label.new_tensor(self.foreground)[label]
        head = torch.stack((record.to(score), label.to(score), score), 1)
        rows = torch.cat((head, box, self.cell(which).to(score)), 1)
        if self.results is not None:
            self.results.add(rows, records)
        if not len(rows):
            rows = torch.full((records, self.columns), -1.0, dtype=score.dtype, device=score.device)
            rows[:, 0] = torch.arange(records, device=score.device)
        return rows[None, None]

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if self.eta < 1:
            self.fail(
                f"cannot be exported: nms_param.eta is {self.eta:g}, and NonMaxSuppression's threshold stays as it is; remove eta"
            )
        offsets, confidences, priors = values(graph, bottoms[:3])
        records, count = offsets.size(0), len(self.foreground)
        prior, variance = (priors.reshape(2, -1, 1, 4).part(0, i, i + 1) for i in (0, 1))
        places = prior.size(1)
        boxes = decode_in_onnx(
            self.code,
            prior,
            None if self.in_target else variance,
            offsets.reshape(records, -1, self.locations, 4),
        )
        scores = confidences.reshape(records, -1, self.classes).transpose(0, 2, 1).take(1, self.foreground)
        if self.top_k > -1:  # what is not among the best takes no part
            best, where = scores.largest(scores.whole(places).least(self.top_k))
            nothing = scores.of(-FLT_MAX).expand(*scores.sizes(3))
            scores = nothing.op("ScatterElements", where, best, axis=2)
        # Boxes of their own make each class a record of its own.
        if self.locations == 1:
            boxes = boxes.squeeze(2)
        else:
            boxes = boxes.transpose(0, 2, 1, 3).take(1, self.foreground).reshape(-1, places, 4)
            scores = scores.reshape(-1, 1, places)
        found = suppress_in_onnx(boxes, scores, self.overlap, self.threshold, places)
        group, label, which = (found.pick(1, i) for i in range(3))
        record = group
        score = scores.op("GatherND", found)
        box = boxes.op("GatherND", joined([group.unsqueeze(1), which.unsqueeze(1)]))
        if self.locations > 1:
            record, label = group / count, group.op("Mod", count)
        head = [part.float().unsqueeze(1) for part in (record, label.of(self.foreground).take(0, label))]
        rows = joined([*head, score.unsqueeze(1), box, *self.cell_in_onnx(which)])
        if self.keep_top_k > -1:
            rows = rows.take(0, first_of_each(score, record, records, self.keep_top_k))
        or_empty(rows, self.columns, records).unsqueeze(0, 1).write(tops[0])

    def cell_in_onnx(self, prior: Value) -> list[Value]:
        """The nodes of `cell`: columns (D, 1)."""
        return []


@layer("DetectionOutputExtended")
class DetectionOutputExtended(DetectionOutput):
    """top = (1, 1, D, 10): as DetectionOutput's, then the anchor, column and row that found the box

    Fork: openvinotoolkit/training_toolbox_caffe, src/caffe/layers/detection_output_extended_layer.cpp
    Bottom 0 is (N, H, W, A 4), the offsets of the A anchors of each position; the background is class 0 of two.
    """

    num_bottom = 3
    columns = 10

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        if self.classes != 2:
            self.fail(
                f"detection_output_param.num_classes is {self.classes} and must be 2: background and object"
            )
        if self.results is not None:
            self.fail("writes no files; remove detection_output_param.save_output_param")
        self.foreground = [1]

    def reshape(self, *bottom: Shape) -> list[Shape]:
        if len(bottom[0]) != 4 or bottom[0][3] % (4 * self.locations):
            self.fail(
                f"bottom 0 of shape {bottom[0]} must be N x H x W x {4 * self.locations} A: the offsets of A anchors at "
                "each position; remove the Flatten below"
            )
        self.grid = bottom[0][2], bottom[0][3] // (4 * self.locations)
        return super().reshape(*((shape[0], math.prod(shape[1:])) for shape in bottom[:2]), bottom[2])

    def cell(self, prior: Tensor) -> Tensor:
        columns, anchors = self.grid
        position = prior // anchors
        return torch.stack((prior % anchors, position % columns, position // columns), 1)

    def cell_in_onnx(self, prior: Value) -> list[Value]:
        columns, anchors = self.grid
        position = prior / anchors
        parts = (prior.op("Mod", anchors), position.op("Mod", columns), position / columns)
        return [part.float().unsqueeze(1) for part in parts]


def check_predictions(
    layer: Layer, bottom: Sequence[Shape], priors: int, locations: int, classes: int
) -> None:
    """Fail unless bottoms 0 and 1 hold one prediction of offsets and of confidences a prior."""
    for i, (each, what) in enumerate(((locations * 4, "offsets"), (classes, "confidences"))):
        channels = legacy_shape(layer, bottom[i])[1]
        if channels != priors * each:
            layer.fail(
                f"bottom {i} of shape {bottom[i]} has {channels} {what} a record, but the {priors} priors of bottom 2 "
                f"of shape {bottom[2]} need {each} each, {priors * each} in all; correct num_classes, share_location "
                "or the layer that makes them"
            )
