"""AnnotatedData: batches of pictures and their boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data.annotated import CORNERS, Annotated, as_planes, parse
from caffe_compat.data.augment import Augment
from caffe_compat.data.box_sampling import project
from caffe_compat.errors import DataError
from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.base_data import DatabaseLayer
from caffe_compat.proto import EmitConstraint, ResizeParameter

_KNOWN = (
    "batch_sampler",
    "label_map_file",
    "anno_type",
    "yolo_data_type",
    "yolo_data_jitter",
    "train_diffcult",
)
MOST_BOXES = 300  # of a record, for yolo_data_type
BATCHES_A_SIZE = 10  # until another resize_param is drawn


@layer("AnnotatedData")
class AnnotatedData(DatabaseLayer):
    """tops = (transformed pictures, their boxes) of the next batch_size AnnotatedDatum records, in key order

    Fork: weiliu89/caffe (SSD), src/caffe/layers/annotated_data_layer.cpp
    Tops: 0 pictures (batch_size, C, H, W); 1 boxes (1, 1, G, 8), G changing from batch to batch: place in the batch,
    label, instance, xmin, ymin, xmax, ymax (shares of the picture), difficult; a row of -1 if there are none.
    Records without a type, where anno_type is not set either, have their label in top 1: (batch_size,).
    A picture is distorted, expanded, cut to a sample drawn of those that all batch_samplers found, and resized; then
    cropped and mirrored; its boxes with it. Distortion works on all records, also on those that are not encoded.
    What is drawn follows from the layer's seed and the record's position alone.
    Fork: eric612/MobileNet-YOLO: yolo_data_type 1 has top 1 (batch_size, 1, 300, 5): label from 0 on, centre, size,
    then zeros; train_diffcult (so spelled) false leaves difficult boxes out. yolo_data_jitter, 0.3 in a file with
    either field, cuts a part out where there are no batch_samplers. Of several resize_param one is drawn by their prob,
    which sum to 1, for every 10 batches.
    """

    num_top = (1, 2)
    fork_fields = (
        "annotated_data_param",
        "annotated_data_param.yolo_data_type",
        "annotated_data_param.yolo_data_jitter",
        "annotated_data_param.train_diffcult",
        "transform_param.resize_param",
        "transform_param.resize_param__list",
        "transform_param.distort_param",
        "transform_param.expand_param",
        "transform_param.emit_constraint",
    )

    def open(self) -> None:
        super().open()
        own = self.param.annotated_data_param
        unknown = [field.name for field, _ in own.ListFields() if field.name not in _KNOWN]
        if unknown:
            self.fail(
                f"annotated_data_param.{unknown[0]}: a fork of Caffe's, which this layer does not act on; remove it"
            )
        if own.yolo_data_type not in (0, 1):
            self.fail(f"annotated_data_param.yolo_data_type is {own.yolo_data_type}; use 0 or 1")
        self.as_yolo, self.with_difficult = own.yolo_data_type == 1, own.train_diffcult
        self.open_database()
        self.augments = self._augments()
        try:
            first, typed = parse(self.source.read(0), self.transform.colour, self.record_name(0))
        except DataError as error:
            self.bad_data(str(error))
        self.has_boxes = typed or own.HasField("anno_type")
        if self.as_yolo and not self.has_boxes:
            self.fail(
                "annotated_data_param.yolo_data_type is 1, but the first record has no type; set anno_type: BBOX"
            )
        if self.has_boxes and not self.as_yolo and len(self.held) > 1 and len(self.param.top) > 1:
            self.fail(
                f"serves {len(self.held)} replicas in one process, but its boxes are no rows that can be dealt out; "
                "run one process a replica (torchrun), or one replica"
            )
        self.draw_seed()
        ready = self.augments[0].resized(first, np.random.default_rng(0))
        self.top_shape = self.transform.top_shape(as_planes(ready).shape, lambda: self.record_name(0))
        self.first_boxes = max(1, len(first.boxes))

    def chances(self) -> list[str]:
        param = self.param.transform_param
        changes = self.samples or param.HasField("distort_param") or param.HasField("expand_param")
        return super().chances() + ["changes pictures"] * changes

    def _augments(self) -> list[Augment]:
        """The steps of each size that pictures may have; self.shares says how often."""
        param, own = self.param.transform_param, self.param.annotated_data_param
        sizes = list(param.resize_param__list)
        if not sizes and param.HasField("resize_param"):
            sizes = [param.resize_param]
        for size in sizes:
            if size.resize_mode == ResizeParameter.FIT_SMALL_SIZE and self.batch_size != 1:
                self.fail(
                    f"resize_param.resize_mode is FIT_SMALL_SIZE, whose pictures differ in size, and batch_size is "
                    f"{self.batch_size}; use batch_size 1 or another resize_mode"
                )
        chances = [size.prob for size in sizes] if len(sizes) > 1 else [1.0]
        if not math.isclose(sum(chances), 1, abs_tol=1e-4) or min(chances) < 0:
            self.fail(
                f"the {len(sizes)} resize_param have prob {', '.join(f'{p:g}' for p in chances)}, which sum to "
                f"{sum(chances):g}; make them 1"
            )
        is_yolo = own.HasField("yolo_data_type") or own.HasField("yolo_data_jitter")
        jitter = own.yolo_data_jitter if is_yolo else 0
        if not 0 <= jitter < 1:
            self.fail(
                f"annotated_data_param.yolo_data_jitter is {jitter:g} and must be at least 0 and below 1"
            )
        self.shares = np.array(chances) / sum(chances)
        self.samples = bool(own.batch_sampler or jitter or len(sizes) > 1)
        resizings: Sequence[ResizeParameter | None] = sizes or [None]
        return [Augment(param, own.batch_sampler, self.fail, size, jitter) for size in resizings]

    def reshape(self, *bottom: Shape) -> list[Shape]:
        labels: Shape = (1, 1, self.first_boxes, 8) if self.has_boxes else (self.batch_size,)
        if self.as_yolo:
            labels = (self.batch_size, 1, MOST_BOXES, 5)
        return [(self.batch_size, *self.top_shape), labels][: len(self.param.top)]

    def guess_others(self, pictures: Shape) -> list[Shape]:
        as_yolo = self.param.annotated_data_param.yolo_data_type == 1
        labels: Shape = (pictures[0], 1, MOST_BOXES, 5) if as_yolo else (1, 1, 1, 8)
        return [labels][: len(self.param.top) - 1]

    def block(
        self, start: int, values: Sequence[bytes | memoryview]
    ) -> tuple[list[np.ndarray], list[Tensor], Tensor]:
        pictures, labels, rows, draws = [], [], [], []
        turn = start // (len(values) * BATCHES_A_SIZE)
        augment = self.augments[
            np.random.default_rng((self._seed, turn, 0)).choice(len(self.augments), p=self.shares)
        ]
        for place, i in enumerate(self.order.tolist()):
            record, _ = parse(values[i], self.transform.colour, self.record_name(start + i))
            random = np.random.default_rng((self._seed, start + i))
            record = augment(record, random)
            draw = random.integers(0, 1 << 32, bool(self.transform.mirror) + 2 * self.transform.random_crop)
            boxes = self._cropped(record, draw, augment.emit)
            rows.append(np.concatenate((np.full((len(boxes), 1), place, np.float32), boxes), 1))
            pictures.append(as_planes(record))
            labels.append(record.label)
            draws.append(draw)
        if not self.has_boxes:
            top = np.array(labels, np.float32)
        elif self.as_yolo:
            top = np.stack([self._listed(each[:, 1:]) for each in rows])[:, None]
        else:
            found = np.concatenate(rows)
            top = (found if len(found) else np.full((1, 8), -1, np.float32))[None, None]
        return pictures, [torch.from_numpy(top)], torch.from_numpy(np.array(draws).reshape(len(draws), -1))

    def _cropped(self, record: Annotated, draw: np.ndarray, emit: EmitConstraint | None) -> np.ndarray:
        """The boxes after the crop and the mirror that the transformation will do to the picture."""
        size, (height, width) = self.transform.crop, record.picture.shape[:2]
        crop = np.array([0, 0, 1, 1], np.float32)
        if size and size <= min(height, width):
            if self.transform.random_crop:
                top, left = int(draw[-2]) % (height - size + 1), int(draw[-1]) % (width - size + 1)
            else:
                top, left = (height - size) // 2, (width - size) // 2
            crop = np.array(
                [left / width, top / height, (left + size) / width, (top + size) / height], np.float32
            )
        boxes = project(record.boxes, crop, emit)
        if self.transform.mirror and draw[0] % 2 == 1:
            boxes[:, CORNERS] = np.stack((1 - boxes[:, 4], boxes[:, 3], 1 - boxes[:, 2], boxes[:, 5]), 1)
        return boxes

    def _listed(self, boxes: np.ndarray) -> np.ndarray:
        """A record's boxes as yolo_data_type 1 has them (300, 5); those beyond are left out."""
        if not self.with_difficult:
            boxes = boxes[boxes[:, 6] == 0]
        boxes = boxes[:MOST_BOXES]
        low, high = boxes[:, 2:4], boxes[:, 4:6]
        top = np.zeros((MOST_BOXES, 5), np.float32)
        top[: len(boxes)] = np.concatenate((boxes[:, :1] - 1, (low + high) / 2, high - low), 1)
        return top
