"""What the layers over window files with boxes and regions share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data.feed import Ahead, sent
from caffe_compat.data.windows import Listed, Pictures, read_pictures, rounded
from caffe_compat.forks.rcnn.scenes import F, Fields, Part, Scene
from caffe_compat.layers.base import Shape
from caffe_compat.layers.image_data import ListedLayer

_AHEAD = 4  # batches
_NOISE = 10  # pixels by which a frame is moved at most
_STEP = 32  # sizes of pictures are multiples of it where nothing else says them


class Scenes(ListedLayer):
    """A layer over a window file with regions. Pixels are BGR, less mean_value, times `scale`; around a picture is 0.

    Every replica reads the whole file, in its own order if it is shuffled. What is drawn follows from the layer's
    seed and the record's position alone.

    transforms  the fields of transform_param that it acts on
    elsewhere   fields of its own message that its fork knows and does not act on, and what says the same
    difficult   whether boxes of its file, and rows of its boxes, say so
    no_boxes    the row of a batch without boxes
    boxed       whether it has a top for boxes
    """

    num_top: int | tuple[int, int | None] | None = (2, None)
    transforms: tuple[str, ...] = ("mean_value", "scale")
    elsewhere: tuple[tuple[str, str], ...] = ()
    difficult = True
    no_boxes: Sequence[float] = (-1,) * 8
    boxed = True
    lines: Sequence[Listed]

    def open(self) -> None:
        p, transform = getattr(self.param, self.message), self.param.transform_param
        for field, _ in transform.ListFields():
            if field.name not in self.transforms and getattr(transform, field.name) != field.default_value:
                self.fail(
                    f"transform_param.{field.name} does nothing in this layer, which knows "
                    f"{', '.join(self.transforms)}; remove it"
                )
        for name, remedy in self.elsewhere:
            if getattr(p, name) != getattr(type(p)(), name):
                self.fail(f"{self.message}.{name} does nothing in its fork; {remedy}")
        super().open()
        values = self.transform.mean_values
        if values is not None and len(values) not in (1, 3):
            self.fail(f"{len(values)} mean_value for the 3 channels of its pictures; give 1 or 3")
        if len(self.held) > 1 and (self.boxed or not self.fixed()):
            self.fail(
                f"serves {len(self.held)} replicas in one process, but its boxes (or pictures of changing size) are no "
                "rows that can be dealt out; run one process a replica (torchrun), or one replica"
            )
        self._pictures = Pictures(getattr(p, "cache_images", False))

    def read_lines(self, path: str) -> Sequence[Listed]:
        return read_pictures(path, self.message, self.difficult)

    def first_line(self, replica: int) -> int:
        return 0

    def line_order(self, replica: int, turn: int) -> np.ndarray:
        return np.arange(len(self.lines))

    def reshape(self, *bottom: Shape) -> list[Shape]:
        first = self.lines[next(self.batches(0))[0]]
        return self.shapes(*self.size_of(*self.resized(first.height, first.width)))

    def guess(self) -> list[Shape]:
        self.p = getattr(self.param, self.message)
        self.check_size()
        if not self.p.batch_size:
            self.bad_data(f"{self.message}.batch_size is not set")
        self.batch_size, self.lines = self.p.batch_size, ()
        return self.shapes(*self.usual_size())

    def shapes(self, height: int, width: int) -> list[Shape]:
        """The tops' for a batch of this size, and one box."""
        boxes: list[Shape] = [(1, len(self.no_boxes), 1, 1)]
        return [(self.batch_size, 3, height, width), *self.other_shapes(height, width), *boxes * self.boxed]

    @abstractmethod
    def fixed(self) -> bool:
        """Whether all batches are of one size."""

    @abstractmethod
    def usual_size(self) -> tuple[int, int]:
        """Height and width of a batch as the parameters tell them; fails if they do not."""

    def resized(self, height: int, width: int, ratio: float = 1.0) -> tuple[int, int]:
        """Height and width of a picture that had this size, in a batch of this batch_ratio."""
        return height, width

    def size_of(self, height: int, width: int, ratio: float = 1.0) -> tuple[int, int]:
        """Height and width of a batch whose first picture has been resized to this size."""
        return height, width

    def other_shapes(self, height: int, width: int) -> list[Shape]:
        """Of the tops between the pictures and the boxes."""
        return []

    @abstractmethod
    def batch(self, start: int, lines: np.ndarray) -> tuple[Tensor, ...]:
        """The tops of these lines, the first of which is record `start` of all replicas."""

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        if self._ahead is None:
            self._ahead = Ahead(self._items(self.position), lambda item: self.batch(*item), _AHEAD)
        tops = self._ahead.next()
        self.position += self.batch_size * self.replicas
        return tuple(sent(top, device) for top in tops)

    def _items(self, position: int) -> Iterator[tuple[int, np.ndarray]]:
        for lines in self.batches(position):
            yield position, lines
            position += self.batch_size * self.replicas

    def scene(self, line: int) -> Scene:
        listed = self.lines[line]
        path = self.context.path(self.p.root_folder + listed.path)
        picture = self._pictures.read(path)
        if picture is None:
            self.bad_data(
                f"cannot open or decode '{path}', picture {line} of '{self.p.source}'; correct it or root_folder"
            )
        return Scene(picture, listed.boxes[:, 3:], listed.regions)

    def paint(self, row: Tensor, picture: np.ndarray, part: Part, scale: float) -> None:
        """Write a picture into its part of a row (3, H, W) of the batch."""
        top, left, height, width = part
        pixels = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).to(row.dtype)
        if self.transform.mean_values is not None:
            pixels -= self.transform.mean_values.view(-1, 1, 1)
        row[:, top : top + height, left : left + width] = pixels * scale

    def box_top(self, rows: list[np.ndarray]) -> Tensor:
        """The top of the boxes of a batch, of rows of each picture."""
        boxes = np.concatenate(rows)[:, : len(self.no_boxes)]
        boxes = boxes if len(boxes) else np.array([self.no_boxes], F)
        return torch.from_numpy(boxes).to(self.context.dtype)[:, :, None, None]

    def rows(self, place: int, boxes: np.ndarray, listed: Listed, ignored: np.ndarray) -> np.ndarray:
        """place in the batch, x1, y1, x2, y2, class, ignored, difficult (G, 8)."""
        own = listed.boxes
        columns = (np.full(len(own), place), *boxes.T, own[:, 0], ignored, own[:, 2])
        return np.stack(columns, 1).astype(F)


class Framed(Scenes):
    """A layer whose batches are frames around boxes, with one map of fields a top."""

    transforms: tuple[str, ...] = ("mean_value", "mirror", "scale")

    def open(self) -> None:
        super().open()
        wanted = 1 + len(self.fields.strides) + self.boxed
        if len(self.param.top) != wanted:
            self.fail(
                f"has {len(self.param.top)} tops, and its {len(self.fields.strides)} kinds of fields "
                f"{'and output_gt_boxes ' * self.boxed}make {wanted}; name one a kind after the pictures"
                f"{', and one for the boxes' * self.boxed}"
            )

    def check_size(self) -> None:
        p = self.p
        self.boxed = p.output_gt_boxes
        strides = list(p.downsample_rate if self.message == "image_gt_data_param" else p.stride)
        counts = len(strides), len(p.field_w), len(p.field_h)
        if len(set(counts)) > 1 or 0 in strides:
            self.fail(
                f"{self.message} has {counts[0]} strides {strides}, {counts[1]} field_w and {counts[2]} field_h; give as "
                "many of each, the strides above 0"
            )
        if p.coord_num != 4:
            self.fail(f"{self.message}.coord_num is {p.coord_num}; only 4, of a box, is known")
        if p.fg_threshold <= 0:
            self.fail(f"{self.message}.fg_threshold is {p.fg_threshold:g} and must be above 0")
        self.fields = self.make_fields(strides, list(zip(p.field_w, p.field_h, strict=True)))

    @abstractmethod
    def make_fields(self, strides: list[int], sizes: list[tuple[int, int]]) -> Fields:
        """What the parameters say of fields."""

    def changed(self, picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The picture with other colours."""
        return picture

    @abstractmethod
    def factors(self, box: np.ndarray | None, random: np.random.Generator) -> np.ndarray:
        """By what width and height are drawn to change, around the chosen box (4,), if there is one."""

    def chances(self) -> list[str]:
        return [*super().chances(), "frames pictures"]

    def other_shapes(self, height: int, width: int) -> list[Shape]:
        return [(self.batch_size, 6, *size) for size in self.fields.shapes(height, width)]

    def batch_ratio(self, start: int) -> float:
        """What the size of a batch is multiplied by."""
        return 1.0

    def batch(self, start: int, lines: np.ndarray) -> tuple[Tensor, ...]:
        scale = self.p.scale if self.message == "image_gt_data_param" else self.transform.scale
        ratio, rows, maps = self.batch_ratio(start), [], []
        for place, (line, at) in enumerate(zip(lines.tolist(), self.order.tolist(), strict=True)):
            random = np.random.default_rng((self._seed, start + at))
            scene = self.scene(line)
            scene = replace(scene, picture=self.changed(scene.picture, random))
            if self.transform.mirror and random.integers(2):
                scene = scene.mirrored()
            scene = scene.resized(*self.resized(scene.height, scene.width, ratio))
            if place == 0:
                height, width = self.size_of(scene.height, scene.width, ratio)
                data = torch.zeros(len(lines), 3, height, width, dtype=self.context.dtype)
            box, centre = self._aim(scene, height, width, random)
            scene, centre = scene.rescaled(centre, self.factors(box, random).astype(F))
            x, y = random.integers(-_NOISE, _NOISE, 2).tolist()
            scene, part = scene.framed(height, width, centre, (x, y))
            self.paint(data[place], scene.picture, part, scale)
            listed = self.lines[line]
            ignored = self._ignored(scene.boxes, listed, height, width)
            rows.append(self.rows(place, scene.boxes, listed, ignored))
            maps.append(self.fields.maps(scene, listed.boxes[:, 0], ignored, part, height, width))
        tops = [torch.from_numpy(np.stack(kind)).to(data.dtype) for kind in zip(*maps, strict=True)]
        return (data, *tops, *[self.box_top(rows)] * self.boxed)

    def _aim(
        self, scene: Scene, height: int, width: int, random: np.random.Generator
    ) -> tuple[np.ndarray | None, np.ndarray]:
        """One of the boxes and its centre; without boxes, the centre of some frame inside the picture."""
        if len(scene.boxes):
            box = scene.boxes[random.integers(len(scene.boxes))]
            return box, (box[:2] + box[2:]) / 2
        centre = [
            random.integers(size - frame + 1) + frame / 2 if size >= frame else size / 2
            for size, frame in ((scene.width, width), (scene.height, height))
        ]
        return None, np.array(centre, F)

    def _ignored(self, boxes: np.ndarray, listed: Listed, height: int, width: int) -> np.ndarray:
        """Which boxes are ignored: by the file, centred outside the batch's picture, or too small."""
        size, centre = boxes[:, 2:] - boxes[:, :2] + F(1), (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = ((centre >= 0) & (centre < np.array([width, height], F))).all(1)
        large = (size >= np.array([self.p.min_gt_width, self.p.min_gt_height], F)).all(1)
        return (listed.boxes[:, 1] != 0) | ~inside | ~large


def stepped(size: float) -> int:
    """The nearest multiple of 32."""
    return rounded(size / _STEP) * _STEP
