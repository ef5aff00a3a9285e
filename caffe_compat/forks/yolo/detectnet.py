"""DetectNetTransformation: pictures changed at random, and their boxes as a grid of targets."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data.images import opencv
from caffe_compat.data.windows import rounded
from caffe_compat.layers.base import TRAIN, Layer, Shape, layer
from caffe_compat.proto import DetectNetGroundTruthParameter
from caffe_compat.proto.binary import read_binaryproto

_BOX = 16  # numbers of a box: left, top, width, height, angle, class, ...
_CLASS = 5
_CHANNELS = 8  # of the grid before those of the classes
_FULL = 255.0
_LEAST = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Change:
    """What is done to a picture: its size after scaling, and the corner of what is cut out after rotation."""

    size: tuple[int, int]  # width, height
    corner: tuple[int, int] = (0, 0)
    hue: float = 0.0  # degrees
    saturation: float = 1.0
    flip: bool = False
    degrees: float = 0.0


@layer("DetectNetTransformation")
class DetectNetTransformation(Layer):
    """tops = pictures (N, 3, image_size_y, image_size_x) less their mean; a grid (N, 8 + classes, H, W) of targets

    Fork: NVIDIA/caffe, src/caffe/layers/detectnet_transform_layer.cpp, as its CPU does it
    Bottoms: 0 BGR pictures (N, 3, H, W) of 0 to 255; 1 boxes (N, 1, L, 16): the first row says how many and 16, then one
    box a row: left, top, width, height, angle, class, ... TRAIN changes hue and saturation, flips, scales, rotates and
    cuts at random, by torch's default generator, each with its probability in detectnet_augmentation_param; TEST scales
    to the size. mean_value or mean_file are those of transform_param. Grid cells are stride pixels. The middle
    scale_cvg of a box (of each side at least min_cvg_len, or at most max_cvg_len, by gridbox_type) marks the cells it
    meets: 1; the box's corners from the cell's; 1 / width, 1 / height; with obj_norm the cell's over the middle's area,
    else that or 1; 1 for the class, which object_class maps (1 to 0 if it is not given). Other classes are left out,
    and crop_bboxes cuts boxes to the picture. Later boxes hide earlier ones. Nothing gets a gradient.
    """

    num_bottom = num_top = 2
    dynamic = True  # OpenCV works on the values
    is_random = True
    in_place = False
    fork_fields = ("detectnet_groundtruth_param", "detectnet_augmentation_param")

    def setup(self, *bottom: Shape) -> None:
        self.grid, self.draws = (
            self.param.detectnet_groundtruth_param,
            self.param.detectnet_augmentation_param,
        )
        transform = self.param.transform_param
        for message, known in ((self.draws, _DRAWS), (transform, ("mean_value", "mean_file"))):
            for field, _ in message.ListFields():
                if field.name not in known:
                    self.fail(f"{message.DESCRIPTOR.name}.{field.name} does nothing in this layer; remove it")
        p = self.grid
        if not p.stride or not p.image_size_x or not p.image_size_y:
            self.fail(
                f"stride is {p.stride} and image_size_x x image_size_y {p.image_size_x} x {p.image_size_y}; all must be "
                "above 0"
            )
        if len(transform.mean_value) not in (0, 1, 3):
            self.fail(f"{len(transform.mean_value)} mean_value for 3 channels; give 1 or 3")
        self.mean: np.ndarray | None = None  # in shares of 255, (3,) or (H, W, 3)
        if transform.HasField("mean_file"):
            path = self.context.path(transform.mean_file)
            if not os.path.exists(path):
                self.fail(
                    f"mean_file '{path}' does not exist; make it from these pictures, or give mean_value"
                )
            mean = read_binaryproto(path)
            mean = mean.reshape(-1, *mean.shape[-2:]).astype(np.float32)
            if len(mean) != 3:
                self.fail(f"mean_file '{path}' has {len(mean)} channels and must have 3")
            self.mean = mean.transpose(1, 2, 0) / np.float32(_FULL)
        elif transform.mean_value:
            self.mean = np.broadcast_to(np.array(transform.mean_value, np.float32), 3) / np.float32(_FULL)
        self.labels = {c.src: c.dst for c in p.object_class} or {1: 0}
        self.size = p.image_size_x, p.image_size_y
        self.cells = round(p.image_size_x / p.stride), round(p.image_size_y / p.stride)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom[0])
        if bottom[0][1] != 3 or bottom[1][:1] != bottom[0][:1]:
            self.fail(
                f"bottom 0 of shape {bottom[0]} must be N x 3 x H x W, and bottom 1 of shape {bottom[1]} have boxes of "
                "as many pictures"
            )
        number, channels = bottom[0][0], _CHANNELS + max(self.labels.values()) + 1
        return [(number, 3, *self.size[::-1]), (number, channels, *self.cells[::-1])]

    def random_reason(self) -> str:
        return "changes pictures at random in TRAIN" if self.phase == TRAIN else ""

    def forward(self, pictures: Tensor, boxes: Tensor) -> tuple[Tensor, ...]:
        found, grids = [], []
        for picture, rows in zip(pictures.detach().cpu(), boxes.detach().cpu(), strict=True):
            image = picture.permute(1, 2, 0).numpy().astype(np.float32) / np.float32(_FULL)
            size = image.shape[1], image.shape[0]
            change = self._draw(size) if self.phase == TRAIN else Change(self.size)
            found.append(self._changed(image, change))
            grids.append(self._targets(_moved(self._boxes(rows), size, change)))
        return tuple(
            torch.from_numpy(np.stack(kind)).to(pictures)
            for kind in ([f.transpose(2, 0, 1) for f in found], grids)
        )

    def _boxes(self, rows: Tensor) -> np.ndarray:
        """Left, top, width, height, class (G, 5)."""
        flat = rows.flatten().double().numpy()
        count, width = (int(n) for n in flat[:2]) if len(flat) > 1 else (0, 0)
        if width != _BOX or (count + 1) * _BOX > len(flat):
            self.fail(
                f"a picture's boxes say that they are {count} of {width} numbers each, and have {len(flat)} with their "
                f"first row; rows must have {_BOX}, make the labels again"
            )
        return flat[: (count + 1) * _BOX].reshape(-1, _BOX)[1:, [0, 1, 2, 3, _CLASS]]

    def _draw(self, size: tuple[int, int]) -> Change:
        p = self.draws

        def share() -> float:
            return float(torch.rand(()))

        change = Change(size)
        if share() < p.hue_rotation_prob:
            change = replace(change, hue=min(max((2 * share() - 1) * p.hue_rotation, -180.0), 180.0))
        if share() < p.desaturation_prob:
            change = replace(change, saturation=1 - share() * p.desaturation_max)
        change = replace(change, flip=share() < p.flip_prob)
        if share() < p.scale_prob:
            scale = p.scale_min + (p.scale_max - p.scale_min) * share()
            change = replace(change, size=(rounded(size[0] * scale), rounded(size[1] * scale)))
        if share() < p.rotation_prob:
            change = replace(change, degrees=(2 * share() - 1) * p.max_rotate_degree)
        at, shift = [0.5, 0.5], [0, 0]
        if share() < p.crop_prob:
            at, shift = [share(), share()], [p.shift_x, p.shift_y]
        before = _turned_size(change.size, change.degrees)
        corner = [
            rounded(a * (n - m + s) - s // 2) for a, n, m, s in zip(at, before, self.size, shift, strict=True)
        ]
        return replace(change, corner=(corner[0], corner[1]))

    def _changed(self, image: np.ndarray, change: Change) -> np.ndarray:
        cv2 = opencv()
        if abs(change.hue) > _LEAST or change.saturation < 1 - 1 / _FULL:
            hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
            hsv[..., 0] = np.mod(hsv[..., 0] + np.float32(change.hue), 360)
            if change.saturation < 1 - 1 / _FULL:
                hsv[..., 1] *= change.saturation
            image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
        if self.mean is not None:
            mean = self.mean
            if mean.ndim == 3 and mean.shape != image.shape:
                mean = cv2.resize(mean, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
            image = image - mean
        if change.flip:
            image = cv2.flip(image, 1)
        if image.shape[1::-1] != change.size:
            image = cv2.resize(image, change.size, interpolation=cv2.INTER_CUBIC)
        if abs(change.degrees) > _LEAST:
            size = _turned_size(change.size, change.degrees)
            turned = np.zeros((size[1], size[0], 3), np.float32)
            matrix = _turn(change.size, change.degrees)
            image = cv2.warpAffine(
                image, matrix, size, turned, cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
            )
        result = np.zeros((self.size[1], self.size[0], 3), np.float32)
        (x0, x1, dx), (y0, y1, dy) = (
            (max(c, 0), min(c + m, n), max(-c, 0))
            for c, m, n in zip(change.corner, self.size, image.shape[1::-1], strict=True)
        )
        if x1 > x0 and y1 > y0:
            result[dy : dy + y1 - y0, dx : dx + x1 - x0] = image[y0:y1, x0:x1]
        return result * np.float32(_FULL)

    def _targets(self, boxes: np.ndarray) -> np.ndarray:
        """The grid (channels, H, W) of boxes in the cut picture."""
        p, stride = self.grid, self.grid.stride
        columns, rows = self.cells
        grid = np.zeros((_CHANNELS + max(self.labels.values()) + 1, rows, columns), np.float32)
        for left, top, width, height, label in boxes:
            first, last = np.array([left, top]), np.array([left + width, top + height])
            if p.crop_bboxes:
                first, last = first.clip(0, self.size), last.clip(0, self.size)
            size = (last - first).clip(0)
            if int(label) not in self.labels or size.prod() < _LEAST:
                continue
            middle = size * p.scale_cvg
            if p.gridbox_type == DetectNetGroundTruthParameter.GRIDBOX_MIN:
                middle = np.minimum(size, np.maximum(p.min_cvg_len, middle))
            else:
                middle = np.minimum(p.max_cvg_len, middle)
            ends = [(first + last) / 2 + sign * middle / 2 for sign in (-1, 1)]
            start, stop = (
                change(end / stride).astype(int).clip(0, [columns, rows])
                for change, end in zip((np.floor, np.ceil), ends, strict=True)
            )
            norm = stride * stride / max(middle.prod(), _LEAST)
            for y in range(start[1], stop[1]):
                for x in range(start[0], stop[0]):
                    corner = np.array([x, y]) * stride
                    met = (np.minimum(ends[1], corner + stride) - np.maximum(ends[0], corner)).clip(0)
                    if met.prod() / stride**2 <= _LEAST:
                        continue
                    grid[:, y, x] = 0
                    grid[:_CHANNELS, y, x] = [
                        1, *(first - corner), *(last - corner), *(1 / size), norm if p.obj_norm else max(1.0, norm),
                    ]  # fmt: skip
                    grid[_CHANNELS + self.labels[int(label)], y, x] = 1
        return grid


_DRAWS = (
    "crop_prob",
    "shift_x",
    "shift_y",
    "scale_prob",
    "scale_min",
    "scale_max",
    "flip_prob",
    "rotation_prob",
    "max_rotate_degree",
    "hue_rotation_prob",
    "hue_rotation",
    "desaturation_prob",
    "desaturation_max",
)


def _moved(boxes: np.ndarray, size: tuple[int, int], change: Change) -> np.ndarray:
    """Boxes (G, 5) after what was done to their picture of this width and height. They are turned about their centres."""
    boxes = boxes.copy()
    if change.flip:
        boxes[:, 0] = size[0] - boxes[:, 0] - boxes[:, 2] - 1
    boxes[:, :4] *= np.tile(np.array(change.size) / size, 2)
    if abs(change.degrees) > _LEAST:
        half = boxes[:, 2:4] / 2
        centre = boxes[:, :2] + half
        boxes[:, :2] = (
            np.column_stack((centre, np.ones(len(boxes)))) @ _turn(change.size, change.degrees).T - half
        )
    boxes[:, :2] -= change.corner
    return boxes


def _corners(size: tuple[int, int], centre: tuple[float, float], degrees: float) -> np.ndarray:
    """The corners (4, 2) of a turned rectangle."""
    return opencv().boxPoints((centre, size, degrees))


def _turned_size(size: tuple[int, int], degrees: float) -> tuple[int, int]:
    """The width and height of the pixels that a turned picture meets."""
    if abs(degrees) <= _LEAST:
        return size
    corners = _corners(size, (size[0] // 2, size[1] // 2), degrees)
    width, height = (np.ceil(corners.max(0)) - np.floor(corners.min(0)) + 1).astype(int).tolist()
    return width, height


def _turn(size: tuple[int, int], degrees: float) -> np.ndarray:
    """The matrix (2, 3) that turns a picture about its centre, and moves it so that no coordinate is below 0."""
    centre = size[0] / 2, size[1] / 2
    least = np.floor(_corners(size, centre, degrees).min(0))
    moved = centre[0] - float(least[0]), centre[1] - float(least[1])
    before, after = _corners(size, centre, 0.0), _corners(size, moved, degrees)
    return opencv().getAffineTransform(before[:3], after[:3])
