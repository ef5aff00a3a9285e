"""YOLO's detections: YoloDetectionOutput, Yolov3DetectionOutput."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor

from caffe_compat.forks.common.boxes import joined, or_empty, suppress, suppress_in_onnx
from caffe_compat.layers.base import ONNX_FLOAT, ONNX_INT64, Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.common.legacy_shape import legacy_shape
from caffe_compat.layers.common.onnx_values import Value, values


class Detections(Layer):
    """A layer whose bottoms are maps (N, A len, H, W): A anchors at each position, with `len` numbers each.

    Records are kept apart: the forks let the boxes of a whole batch suppress each other and call all of them
    record 0. Nothing gets a gradient.
    """

    num_bottom: int | tuple[int, int | None] | None = (1, None)
    num_top = 1
    dynamic = True
    dynamic_axis = 2
    count: int  # anchors a position
    length: int  # numbers an anchor
    classes: int
    overlap: float

    def reshape(self, *bottom: Shape) -> list[Shape]:
        for i, shape in enumerate(bottom):
            number, channels, *_ = legacy_shape(self, shape)
            if channels != self.count * self.length or number != bottom[0][0]:
                self.fail(
                    f"bottom {i} of shape {shape} must have {bottom[0][0]} records of {self.count * self.length} "
                    f"channels, {self.length} for each of {self.count} anchors; correct num_classes, num_box or the layer "
                    "below"
                )
        return [(1, 1, 1, 7)]

    @abstractmethod
    def found(self, x: Tensor, index: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What bottom `index` (N, A, len, H, W) shows.

        Centre (N, A, 2, H, W) in positions, size in shares of the picture, confidences (N, A, C, H, W), and which of
        these count.
        """

    def forward(self, *bottom: Tensor) -> Tensor:
        parts = []
        for i, x in enumerate(bottom):
            x = x.detach().unflatten(1, (self.count, self.length))
            centre, size, score, counts = self.found(x, i)
            height, width = x.shape[3:]
            y, x_ = (torch.arange(n, dtype=x.dtype, device=x.device) for n in (height, width))
            position = torch.stack(torch.broadcast_tensors(x_, y[:, None]))
            centre = (centre + position) / x.new_tensor([width, height]).view(2, 1, 1)
            box = torch.cat((centre - size / 2, centre + size / 2), 2)
            # One row a position, anchor and class.
            box = box.permute(0, 3, 4, 1, 2)[:, :, :, :, None].expand(-1, -1, -1, -1, score.shape[2], -1)
            score, counts = (t.permute(0, 3, 4, 1, 2) for t in (score, counts))
            label = torch.arange(score.shape[4], device=x.device).expand(score.shape)
            parts.append([t.flatten(1, 4) for t in (box, score, counts, label)])
        boxes, score, alive, label = (torch.cat(part, 1) for part in zip(*parts, strict=True))
        return self.rows(boxes, score, alive, label)

    def rows(self, boxes: Tensor, score: Tensor, alive: Tensor, label: Tensor) -> Tensor:
        """(1, 1, D, 7) of what suppression leaves, by record and falling confidence; -1 if nothing is found."""
        most = int(alive.sum(1).max())
        order = score.masked_fill(~alive, -torch.inf).argsort(dim=1, descending=True, stable=True)[:, :most]
        score, alive, label = (t.gather(1, order) for t in (score, alive, label))
        boxes = boxes.gather(1, order[..., None].expand(*order.shape, 4))
        kept = suppress(boxes, alive, self.overlap) if most else alive
        record, place = kept.nonzero(as_tuple=True)
        if not len(record):
            empty = boxes.new_full((len(boxes), 7), -1.0)
            empty[:, 0] = torch.arange(len(boxes), device=boxes.device)
            return empty[None, None]
        head = torch.stack((record.to(score), label[record, place].to(score) + 1, score[record, place]), 1)
        return torch.cat((head, boxes[record, place]), 1)[None, None]

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        parts: list[list[Value]] = []
        for i, x in enumerate(values(graph, bottoms)):
            records, height, width = x.size(0), x.size(2), x.size(3)
            x_, y = (x.range(n, ONNX_FLOAT) for n in (width, height))
            position = [part.unsqueeze(0, 1) for part in (x_.unsqueeze(0), y.unsqueeze(1))]
            # (N, H, W, A, len): one row a position and anchor
            x = x.reshape(records, self.count, self.length, height, width)
            centre, size, score, counts, label = self.found_in_onnx(x, i)
            lengths = [part.float() for part in (x.whole(width), x.whole(height))]
            centres = [
                (part + at.unsqueeze(0)) / length
                for part, at, length in zip(
                    (centre.part(2, 0, 1), centre.part(2, 1)),
                    (position[0], position[1]),
                    lengths,
                    strict=True,
                )
            ]
            centre = centres[0].joined(centres[1:], 2)
            half = size / 2
            box = (centre - half).joined([centre + half], 2).transpose(0, 3, 4, 1, 2)
            score, label = (part.transpose(0, 3, 4, 1, 2) for part in (score.where(counts, -1.0), label))
            box = box.unsqueeze(4) * score.of(1.0).expand(1, 1, 1, 1, score.size(4), 1)
            parts.append(
                [box.reshape(records, -1, 4), score.reshape(records, -1), label.reshape(records, -1)]
            )
        boxes, score, label = (part[0].joined(part[1:], 1) for part in zip(*parts, strict=True))
        found = suppress_in_onnx(boxes, score.unsqueeze(1), self.overlap, -0.5, boxes.size(1))
        record, which = found.pick(1, 0).unsqueeze(1), found.pick(1, 2).unsqueeze(1)
        place = joined([record, which])
        head = [part.op("GatherND", place).unsqueeze(1) for part in (label, score)]
        rows = joined([record.float(), head[0] + 1, head[1], boxes.op("GatherND", place)])
        or_empty(rows, 7, boxes.size(0)).unsqueeze(0, 1).write(tops[0])

    @abstractmethod
    def found_in_onnx(self, x: Value, index: int) -> tuple[Value, Value, Value, Value, Value]:
        """The nodes of `found`, with the label from 0 on of each confidence, which may be one an anchor."""


@layer("YoloDetectionOutput")
class YoloDetectionOutput(Detections):
    """top = (1, 1, D, 7): record, label from 1 on, confidence, xmin, ymin, xmax, ymax (shares of the picture)

    Fork: eric612/MobileNet-YOLO, src/caffe/layers/yolo_detection_output_layer.cpp
    YOLO 2: per anchor x, y, w, h, objectness and class scores. A box has its centre at the position plus the sigmoids
    of x and y, and the size of e^w, e^h times the anchor (biases, in positions); its class is the best of a softmax,
    its confidence that probability times the sigmoid of the objectness. Those from confidence_threshold on go into
    suppression, all classes together. `side` and `label_map_file` are read and mean nothing.
    """

    fork_fields = ("yolo_detection_output_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.yolo_detection_output_param
        if not p.HasField("num_classes"):
            self.fail("yolo_detection_output_param.num_classes must be set")
        if len(p.biases) != 2 * p.num_box:
            self.fail(
                f"yolo_detection_output_param has {len(p.biases)} biases for num_box {p.num_box}; give a width and a "
                "height each"
            )
        self.classes, self.count, self.length = p.num_classes, p.num_box, 5 + p.num_classes
        self.threshold, self.overlap = p.confidence_threshold, p.nms_threshold
        self.anchors = torch.tensor(list(p.biases)).view(-1, 2)

    def found(self, x: Tensor, index: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        height, width = x.shape[3:]
        anchors = self.anchors.to(x) / x.new_tensor([width, height])
        size = x[:, :, 2:4].exp() * anchors[:, :, None, None]
        best, label = torch.softmax(x[:, :, 5:], 2).max(2, keepdim=True)
        classes = torch.arange(self.classes, device=x.device).view(-1, 1, 1)
        confidence = best * torch.sigmoid(x[:, :, 4:5])
        counts = (classes == label) & (confidence >= self.threshold)
        return torch.sigmoid(x[:, :, :2]), size, confidence.expand(counts.shape), counts

    def found_in_onnx(self, x: Value, index: int) -> tuple[Value, Value, Value, Value, Value]:
        anchors = x.of(self.anchors.reshape(1, self.count, 2, 1, 1).numpy()) / _lengths(x)
        size = x.part(2, 2, 4).op("Exp") * anchors
        shares = x.part(2, 5).op("Softmax", axis=2)
        label = shares.op("ArgMax", kind=ONNX_INT64, axis=2, keepdims=1).float()
        best = Value(x.graph, x.graph.reduce("ReduceMax", shares.name, [2], keepdims=True))
        confidence = best * x.part(2, 4, 5).op("Sigmoid")
        return x.part(2, 0, 2).op("Sigmoid"), size, confidence, confidence >= self.threshold, label


@layer("Yolov3DetectionOutput")
class Yolov3DetectionOutput(Detections):
    """top = (1, 1, D, 7): record, label from 1 on, confidence, xmin, ymin, xmax, ymax (shares of the picture)

    Fork: eric612/MobileNet-YOLO, src/caffe/layers/yolov3_detection_output_layer.cpp
    YOLO 3: per anchor x, y, w, h, objectness and class scores; bottom i has the anchors (biases, in pixels) that its
    share of `mask` names and a stride of anchors_scale[i] pixels. A box is as in YoloDetectionOutput; each class whose
    sigmoid times that of the objectness is above confidence_threshold gives a detection, and all go into suppression
    together. With gaussian_box x, y, w, h are each followed by an uncertainty, whose mean lowers the objectness.
    """

    fork_fields = ("yolov3_detection_output_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.yolov3_detection_output_param
        if not p.HasField("num_classes"):
            self.fail("yolov3_detection_output_param.num_classes must be set")
        if p.mask_group_num != len(bottom) or len(p.anchors_scale) < len(bottom):
            self.fail(
                f"yolov3_detection_output_param has mask_group_num {p.mask_group_num} and {len(p.anchors_scale)} "
                f"anchors_scale for {len(bottom)} bottoms; give one a bottom"
            )
        if len(p.mask) != p.num_box * len(bottom):
            self.fail(
                f"yolov3_detection_output_param has {len(p.mask)} mask for num_box {p.num_box} and {len(bottom)} "
                f"bottoms; give {p.num_box * len(bottom)}"
            )
        if max(p.mask) >= len(p.biases) // 2:
            self.fail(
                f"yolov3_detection_output_param.mask names anchor {max(p.mask)}, but {len(p.biases)} biases are "
                f"{len(p.biases) // 2} anchors"
            )
        self.gaussian = p.gaussian_box
        self.classes, self.count = p.num_classes, p.num_box
        self.length = (9 if self.gaussian else 5) + p.num_classes
        self.threshold, self.overlap = p.confidence_threshold, p.nms_threshold
        self.scales = list(p.anchors_scale)
        anchors = torch.tensor(list(p.biases)).view(-1, 2)
        self.anchors = anchors[list(p.mask)].view(len(bottom), p.num_box, 2)

    def found(self, x: Tensor, index: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        height, width = x.shape[3:]
        anchors = self.anchors[index].to(x) / x.new_tensor([width, height]) / self.scales[index]
        step = 2 if self.gaussian else 1
        centre, size = x[:, :, : 2 * step : step], x[:, :, 2 * step : 4 * step : step]
        objectness = torch.sigmoid(x[:, :, 4 * step : 4 * step + 1])
        if self.gaussian:
            objectness = objectness * (1 - torch.sigmoid(x[:, :, 1:8:2]).mean(2, keepdim=True))
        score = objectness * torch.sigmoid(x[:, :, 4 * step + 1 :])
        size = size.exp() * anchors[:, :, None, None]
        return torch.sigmoid(centre), size, score, score > self.threshold

    def found_in_onnx(self, x: Value, index: int) -> tuple[Value, Value, Value, Value, Value]:
        anchors = x.of(self.anchors[index].reshape(1, self.count, 2, 1, 1).numpy()) / _lengths(x)
        step = 2 if self.gaussian else 1
        centre, size = x.part(2, 0, 2 * step, step), x.part(2, 2 * step, 4 * step, step)
        objectness = x.part(2, 4 * step, 4 * step + 1).op("Sigmoid")
        if self.gaussian:
            objectness = objectness * (1.0 - x.part(2, 1, 8, 2).op("Sigmoid").mean(2, keepdims=True))
        score = objectness * x.part(2, 4 * step + 1).op("Sigmoid")
        label = x.of(np.arange(self.classes).reshape(1, 1, -1, 1, 1)).op("Expand", score.shape())
        return (
            centre.op("Sigmoid"),
            size.op("Exp") * (anchors / self.scales[index]),
            score,
            score > self.threshold,
            label,
        )


def _lengths(x: Value) -> Value:
    """Width and height of maps (N, A, len, H, W), as (2, 1, 1)."""
    return x.whole(x.size(4), x.size(3)).float().reshape(2, 1, 1)
