"""YOLO's detections: YoloDetectionOutput, Yolov3DetectionOutput."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, Shape, layer
from caffe_compat.layers.boxes import suppress
from caffe_compat.layers.legacy import legacy_shape


class Detections(Layer):
    """A layer whose bottoms are maps (N, A len, H, W): A anchors at each position, with `len` numbers each.

    Records are kept apart: the forks let the boxes of a whole batch suppress each other and call all of them
    record 0. Nothing gets a gradient.
    """

    num_bottom: int | tuple[int, int | None] | None = (1, None)
    num_top = 1
    dynamic = True
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
