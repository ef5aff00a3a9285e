"""BoxData: batches of pictures and their boxes, for YOLO."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from google.protobuf.message import DecodeError
from torch import Tensor

from caffe_compat.data.images import decode, opencv
from caffe_compat.errors import DataError
from caffe_compat.layers.base import TRAIN, Shape, layer
from caffe_compat.layers.common.base_data import DatabaseLayer
from caffe_compat.proto import Datum

MOST_BOXES = 30
GRID_SIDE = 7  # the side of YOLO 1's maps
_TRIES = 1000


@layer("BoxData")
class BoxData(DatabaseLayer):
    """tops = (transformed pictures, their boxes) of the next batch_size Datum records, in key order

    Fork: gklz1982/caffe-yolov2, yeahkun/caffe-yolo, src/caffe/layers/box_data_layer.cpp
    A Datum has an encoded picture, and six float_data a box: class, difficult, centre x and y, width, height (shares of
    the picture). In TRAIN a part of at least 70 % of each side that has a box's centre is cut out and made as large as
    the picture was, its boxes in whole pixels. Tops: 0 pictures; then one for each data_param.side S:
    7, which is what stands where none is given: caffe-yolo's grid (N, 7 S S) of difficult, object, class (-1: none), then
    the boxes of positions; a position has its last box. Others: caffe-yolov2's list (N, 150) of class, x, y, w, h for up
    to 30 boxes, then zeros. A mirror or a crop would leave the boxes where they were in the forks; both are refused.
    """

    num_top = (1, None)
    fork_fields = ("data_param.side",)

    def open(self) -> None:
        super().open()
        tops = len(self.param.top)
        if tops > 1 and len(self.sides) != tops - 1:
            self.fail(f"has {tops} tops and {len(self.sides)} data_param.side; give one a top but the first")
        p = self.param.transform_param
        if p.mirror or p.crop_size:
            self.fail(
                f"transform_param has {'mirror' if p.mirror else 'crop_size'}, after which boxes would not fit their "
                "pictures; remove it"
            )
        self.open_database()
        try:
            picture, _ = self._parse(self.source.read(0), 0)
        except DataError as error:
            self.bad_data(str(error))
        self.draw_seed()
        self.top_shape = self.transform.top_shape(picture.shape, lambda: self.record_name(0))

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return [(self.batch_size, *self.top_shape), *self._labels(self.batch_size)][: len(self.param.top)]

    def guess_others(self, pictures: Shape) -> list[Shape]:
        return self._labels(pictures[0])[: len(self.param.top) - 1]

    def chances(self) -> list[str]:
        return ["cuts out parts"] * (self.phase == TRAIN)

    def _labels(self, records: int) -> list[Shape]:
        return [(records, 7 * side**2 if side == GRID_SIDE else 5 * MOST_BOXES) for side in self.sides]

    @property
    def sides(self) -> list[int]:
        return list(self.param.data_param.side) or [GRID_SIDE]

    def _parse(self, value: bytes | memoryview, position: int) -> tuple[np.ndarray, np.ndarray]:
        """The picture (C, H, W) of a record, and its boxes (G, 6)."""
        name, datum = self.record_name(position), Datum()
        try:
            datum.ParseFromString(bytes(value))
        except DecodeError as error:
            raise DataError(f"{name} is not a Datum: {error}; make the database again") from error
        boxes = np.array(datum.float_data, np.float32)
        if not len(boxes) or len(boxes) % 6 or not datum.encoded:
            raise DataError(
                f"{name} has {len(boxes)} float_data, where six a box are needed, and its picture is "
                f"{'' if datum.encoded else 'not '}encoded, as it must be; make the database again"
            )
        try:
            picture = decode(datum.data, self.transform.colour)
        except ValueError as error:
            raise DataError(f"{name}: {error}; make the database again") from error
        boxes = boxes.reshape(-1, 6)
        if boxes[:, 0].min() < 0:
            raise DataError(f"{name} has a box of class {boxes[:, 0].min():g}; classes begin at 0")
        return picture, boxes

    def block(
        self, start: int, values: Sequence[bytes | memoryview]
    ) -> tuple[list[np.ndarray], list[Tensor], Tensor]:
        pictures, found = [], []
        for i in self.order.tolist():
            picture, boxes = self._parse(values[i], start + i)
            if self.phase == TRAIN:
                picture, boxes = cut(picture, boxes, np.random.default_rng((self._seed, start + i)))
            pictures.append(picture)
            found.append(boxes)
        labels = [
            np.stack([as_grid(boxes, side) if side == GRID_SIDE else as_list(boxes) for boxes in found])
            for side in self.sides
        ]
        return pictures, [torch.from_numpy(label) for label in labels], torch.zeros(len(pictures), 0)


def cut(picture: np.ndarray, boxes: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A part of the picture (C, H, W) in its size, and the boxes whose centres are in it; all if none is."""
    height, width = picture.shape[1:]
    pixels = (boxes[:, 2:] * np.array([width, height] * 2, np.float32)).astype(int)
    for _ in range(_TRIES):
        share = 1 - random.integers(30) / 100
        size = np.array([int(width * share) - 1, int(height * share) - 1])
        if size.min() < 1:
            break
        corner = np.array([random.integers(width - size[0]), random.integers(height - size[1])])
        centre = pixels[:, :2] - corner
        inside = ((centre >= 0) & (centre < size)).all(1)
        if not inside.any():
            continue
        (x, y), (wide, tall) = corner, size
        part = picture[:, y : y + tall, x : x + wide].transpose(1, 2, 0)
        part = opencv().resize(np.ascontiguousarray(part), (width, height)).reshape(height, width, -1)
        moved = np.concatenate((centre, pixels[:, 2:]), 1)[inside] / np.tile(size, 2)
        moved = np.concatenate((boxes[inside, :2], moved.astype(np.float32)), 1)
        return np.ascontiguousarray(part.transpose(2, 0, 1)), moved
    return picture, boxes


def as_list(boxes: np.ndarray) -> np.ndarray:
    """(150,): class, x, y, w, h of up to 30 boxes."""
    top = np.zeros((MOST_BOXES, 5), np.float32)
    top[: len(boxes)] = boxes[:MOST_BOXES, [0, 2, 3, 4, 5]]
    return top.ravel()


def as_grid(boxes: np.ndarray, side: int) -> np.ndarray:
    """(7 S S,): difficult, object and class of each position, then x, y, w, h of each."""
    difficult, present, classes = np.zeros((3, side, side), np.float32)
    classes[...] = -1
    corners = np.zeros((side, side, 4), np.float32)
    for label, hard, *box in boxes:
        column, row = (min(max(int(v * side), 0), side - 1) for v in box[:2])
        difficult[row, column], present[row, column], classes[row, column] = hard, 1, label
        corners[row, column] = box
    return np.concatenate([each.ravel() for each in (difficult, present, classes, corners)])
