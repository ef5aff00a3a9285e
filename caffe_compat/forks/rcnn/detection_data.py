"""ImageGtData, DetectionData, EvalData: batches of pictures with boxes, and what the fields of feature maps learn."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data.annotated import check_distortion, distorted
from caffe_compat.data.feed import Ahead, sent
from caffe_compat.data.scenes import F, Fields, Part, Scene
from caffe_compat.data.windows import Listed, Pictures, read_pictures, rounded
from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.image_data import ListedLayer

_AHEAD = 4  # batches
_NOISE = 10  # pixels by which a frame is moved at most
_STEP = 32  # sizes of pictures are multiples of it where nothing else says them
_OCTAVE = 2  # scales an octave


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


@layer("ImageGtData")
class ImageGtData(Framed):
    """tops = (pictures, a map of targets a kind of field ..., boxes if output_gt_boxes) of a window file with regions

    Fork: zhaoweicai/mscnn, src/caffe/layers/image_gt_data_layer.cpp
    Tops: 0 (batch_size, 3, H, W); then, for each downsample_rate, field_w, field_h, (batch_size, 6, H / rate, W / rate):
    class, centre x and y, width and height, overlap of the box that the field there learns; last (G, 7, 1, 1): place
    in the batch, left, top, right, bottom, class, ignored; a row 0 1 1 2 2 1 1 if there are none.
    A picture is mirrored at random, resized to resize_width x resize_height, every second one by a random factor if
    do_multiple_scale (so that a box has a size from min_scale to max_scale, with another aspect from min_whaspect to
    max_whaspect), and cut to crop_width x crop_height around a random box. A field learns the box that it overlaps by
    more than fg_threshold. Boxes smaller than min_gt_width x min_gt_height or centred outside are ignored; they are
    class 0 with an overlap, and a field outside the picture or in regions has overlap 1. A box that no field learns is
    given to the one at its centre if it overlaps some by 0.2. Pictures with boxes come fg_img_multiple times.
    """

    message = "image_gt_data_param"
    fork_fields = ("image_gt_data_param",)
    transforms = ("mean_value", "mirror")
    elsewhere = (("mean_file", "give transform_param.mean_value"), ("mirror", "set transform_param.mirror"))
    difficult = False
    no_boxes = (0, 1, 1, 2, 2, 1, 1)

    def open(self) -> None:
        super().open()
        self.usual_size()

    def fixed(self) -> bool:
        return True

    def read_lines(self, path: str) -> Sequence[Listed]:
        multiple = self.p.fg_img_multiple
        return [
            picture
            for picture in super().read_lines(path)
            for _ in range(multiple if (picture.boxes[:, 1] == 0).any() else 1)
        ]

    def line_order(self, replica: int, turn: int) -> np.ndarray:
        if not self.p.shuffle:
            return super().line_order(replica, turn)
        return torch.randperm(len(self.lines), generator=self.random(turn * self.replicas + replica)).numpy()

    def check_size(self) -> None:
        super().check_size()
        p = self.p
        if not self.fields.strides:
            self.fail(
                f"{self.message} has no downsample_rate; give at least one, with a field_w and a field_h"
            )
        self.scales = self.aspects = 0
        if p.do_multiple_scale and p.HasField("min_scale") and p.HasField("max_scale"):
            if not 0 < p.min_scale <= p.max_scale:
                self.fail(
                    f"min_scale is {p.min_scale} and max_scale {p.max_scale}; use 0 < min_scale <= max_scale"
                )
            self.scales = rounded(_OCTAVE * math.log2(p.max_scale / p.min_scale) + 1)
            if p.HasField("min_whaspect") and p.HasField("max_whaspect"):
                self.aspects = rounded((p.max_whaspect - p.min_whaspect) / 0.05)
                if self.aspects < 1 or p.min_whaspect <= 0:
                    self.fail(
                        f"min_whaspect is {p.min_whaspect:g} and max_whaspect {p.max_whaspect:g}; use 0 < min_whaspect, "
                        "and at least 0.05 more"
                    )

    def make_fields(self, strides: list[int], sizes: list[tuple[int, int]]) -> Fields:
        return Fields(strides, sizes, self.p.fg_threshold, covered=0.4, pickup=0.2, pixels=False)

    def usual_size(self) -> tuple[int, int]:
        p = self.p
        size = crop = (0, 0)
        if p.HasField("resize_height") and p.HasField("resize_width"):
            size = p.resize_height, p.resize_width
        elif self.lines:
            size = self.lines[-1].height, self.lines[-1].width
        if p.HasField("crop_height") and p.HasField("crop_width"):
            crop = p.crop_height, p.crop_width
        if all(size) and (crop[0] > size[0] or crop[1] > size[1]):
            self.fail(
                f"crop_height x crop_width is {crop[0]} x {crop[1]}, and the pictures are {size[0]} x {size[1]}; use at "
                "most that"
            )
        size = crop[0] or size[0], crop[1] or size[1]
        if not all(size):
            self.bad_data(
                "neither resize_height and resize_width nor the crop's tell the size of its pictures"
            )
        return size

    def resized(self, height: int, width: int, ratio: float = 1.0) -> tuple[int, int]:
        if self.p.HasField("resize_height") and self.p.HasField("resize_width"):
            return self.p.resize_height, self.p.resize_width
        return height, width

    def size_of(self, height: int, width: int, ratio: float = 1.0) -> tuple[int, int]:
        return self.usual_size()

    def factors(self, box: np.ndarray | None, random: np.random.Generator) -> np.ndarray:
        p = self.p
        factors = np.ones(2, F)
        if not self.scales or box is None or random.integers(2):
            return factors
        size = box[2:] - box[:2]
        steps = np.arange(self.scales, dtype=F) / _OCTAVE
        areas = np.square(F(p.min_scale) * 2**steps)
        area = size.prod()
        alike = np.minimum(area, areas) / np.maximum(area, areas)
        factors *= 2 ** (steps[random.integers(self.scales)] - steps[alike.argmax()])
        if self.aspects and random.integers(2):
            aspect = F(random.integers(self.aspects)) * F(0.05) + F(p.min_whaspect)
            along = int(random.integers(2))  # 0: the width is changed, 1: the height
            if (size > 0).all():
                change = aspect / (size[0] / size[1])
                changed = factors[along] * (change if along == 0 else 1 / change)
                if p.min_scale * 0.8 <= size[along] * changed <= p.max_scale * 1.2:
                    factors[along] = changed
        return factors


@layer("DetectionData")
class DetectionData(Framed):
    """tops = (pictures, a map of targets a kind of field ..., boxes if output_gt_boxes) of a window file with regions

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/detection_data_layer.cpp
    Tops as ImageGtData's, for each stride, field_w, field_h, but boxes are (G, 8, 1, 1), the last number: difficult; a
    row of -1 if there are none. Pictures are distorted (distort_param) and mirrored at random, and resized to
    resize_width x resize_height, by resize_ratio, or so that the shorter side is short_size times a template_ratio drawn
    for the batch. One with the probability multiscale_prob is resized again, by a factor from low_scale_ratio to
    high_scale_ratio, or so that a box has a size from min_scale to max_scale, with the aspect changed by min_whaspect to
    max_whaspect. They are cut around a random box to crop_width x crop_height, crop_short_size x crop_long_size or
    short_size x long_size in multiples of 32 (upright if the batch's first picture is), or the first picture's size.
    Both ends are pixels of a box. A field that is not foreground and that regions cover by ignore_fg_threshold has
    overlap 1, and so has one that reaches out by more than anchor_ignore_margin_ratio of half its size, or of which less
    than anchor_ignore_iou_thr lies in the picture. A box that no field learns is given to the one at its centre if it
    overlaps some by pickup_iou_thr. shuffle: "random", "random_aspect" (all upright pictures, then all others, or the
    other way round), "random_mix_aspect" (mix_group_size of each in turn); without it the file's order.
    """

    message = "detection_data_param"
    fork_fields = ("detection_data_param",)
    elsewhere = (
        ("scale", "set transform_param.scale"),
        ("resize_param", "give resize_width and resize_height"),
    )

    def check_size(self) -> None:
        super().check_size()
        p = self.p
        self.sizing = self._one_of(
            ("resize_height", "resize_width"), ("resize_ratio",), ("short_size", "long_size")
        )
        self.cropping = self._one_of(("crop_height", "crop_width"), ("crop_short_size", "crop_long_size"))
        for short, long in (("short_size", "long_size"), ("crop_short_size", "crop_long_size")):
            if short in self.sizing + self.cropping and getattr(p, long) <= getattr(p, short):
                self.fail(
                    f"{long} is {getattr(p, long)} and {short} {getattr(p, short)}; the long one must be larger"
                )
        self.scaling = self._one_of(("min_scale", "max_scale"), ("low_scale_ratio", "high_scale_ratio"))
        self.aspect = self._one_of(("min_whaspect", "max_whaspect"))
        for low, high in filter(None, (self.scaling, self.aspect)):
            if not 0 < getattr(p, low) <= getattr(p, high):
                self.fail(
                    f"{low} is {getattr(p, low):g} and {high} {getattr(p, high):g}; use 0 < {low} <= {high}"
                )
        if p.shuffle not in _SHUFFLES:
            self.fail(f"shuffle {p.shuffle!r} is not known; use one of {', '.join(_SHUFFLES)}")
        if not p.mix_group_size:
            self.fail("mix_group_size is 0 and must be above 0")
        check_distortion(p.distort_param, self.fail)

    def _one_of(self, *ways: tuple[str, ...]) -> tuple[str, ...]:
        """The fields of these ways to say something that are given; () for none."""
        given = [way for way in ways if all(self.p.HasField(name) for name in way)]
        if len(given) > 1:
            self.fail(
                f"{self.message} gives both {' and '.join(given[0])}, and {' and '.join(given[1])}; remove one"
            )
        return given[0] if given else ()

    def make_fields(self, strides: list[int], sizes: list[tuple[int, int]]) -> Fields:
        p = self.p
        return Fields(
            strides,
            sizes,
            p.fg_threshold,
            covered=p.ignore_fg_threshold,
            pickup=p.pickup_iou_thr,
            pixels=True,
            margin=p.anchor_ignore_margin_ratio if p.HasField("anchor_ignore_margin_ratio") else None,
            inside=p.anchor_ignore_iou_thr if p.HasField("anchor_ignore_iou_thr") else None,
        )

    def line_order(self, replica: int, turn: int) -> np.ndarray:
        order = super().line_order(replica, turn)
        if not self.p.HasField("shuffle"):
            return order
        generator = self.random(turn * self.replicas + replica)
        order = order[torch.randperm(len(order), generator=generator).numpy()]
        if self.p.shuffle == "random":
            return order
        upright = np.array([listed.height >= listed.width for listed in self.lines])[order]
        kinds = [order[upright], order[~upright]]
        if int(torch.randint(0, 2, (), generator=generator)):
            kinds.reverse()
        if self.p.shuffle == "random_mix_aspect":
            kinds = _alternate(kinds, self.p.mix_group_size)
        return np.concatenate(kinds)

    def fixed(self) -> bool:
        return "crop_height" in self.cropping or "resize_height" in self.sizing

    def usual_size(self) -> tuple[int, int]:
        p = self.p
        if "crop_height" in self.cropping:
            return p.crop_height, p.crop_width
        if self.cropping:
            return p.crop_long_size, p.crop_short_size
        if "resize_height" in self.sizing:
            return p.resize_height, p.resize_width
        if "short_size" in self.sizing:
            return _stepped(p.long_size), _stepped(p.short_size)
        self.bad_data("no resize, no crop and no short_size and long_size tell the size of its pictures")

    def batch_ratio(self, start: int) -> float:
        ratios = self.p.template_ratio
        random = np.random.default_rng((self._seed, start + int(self.order[0]), 1))
        return ratios[random.integers(len(ratios))] if ratios else 1.0

    def resized(self, height: int, width: int, ratio: float = 1.0) -> tuple[int, int]:
        p = self.p
        if "resize_height" in self.sizing:
            return p.resize_height, p.resize_width
        if not self.sizing:
            return height, width
        factor = F(p.resize_ratio)
        if "short_size" in self.sizing:
            factor = F(_stepped(p.short_size * ratio)) / F(min(height, width))
        return rounded(F(height) * factor), rounded(F(width) * factor)

    def size_of(self, height: int, width: int, ratio: float = 1.0) -> tuple[int, int]:
        if self.fixed():
            return self.usual_size()
        if self.cropping:
            sides = self.p.crop_long_size, self.p.crop_short_size
        elif "short_size" in self.sizing:
            sides = _stepped(self.p.long_size * ratio), _stepped(self.p.short_size * ratio)
        else:
            return height, width
        return sides if height >= width else sides[::-1]

    def changed(self, picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return (
            distorted(picture, self.p.distort_param, random) if self.p.HasField("distort_param") else picture
        )

    def factors(self, box: np.ndarray | None, random: np.random.Generator) -> np.ndarray:
        p = self.p
        factors = np.ones(2)
        if not self.scaling or random.random() >= p.multiscale_prob:
            return factors
        if "low_scale_ratio" in self.scaling:
            low, high = math.log2(p.low_scale_ratio), math.log2(p.high_scale_ratio)
        elif box is None:
            low = high = 1.0
        else:
            size = math.sqrt((box[2] - box[0] + 1) * (box[3] - box[1] + 1))
            low, high = math.log2(p.min_scale / size), math.log2(p.max_scale / size)
        factors *= 2 ** random.uniform(low, high)
        if self.aspect:
            root = 2 ** (random.uniform(math.log2(p.min_whaspect), math.log2(p.max_whaspect)) / 2)
            factors *= root, 1 / root
        return factors


@layer("EvalData")
class EvalData(Scenes):
    """tops = (pictures, boxes, heights and widths of the pictures) of the next batch_size of a window file with regions

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/eval_data_layer.cpp
    Tops: 0 (batch_size, 3, H, W); 1 (G, 8, 1, 1): place in the batch, left, top, right, bottom, class, ignored,
    difficult; a row of -1 if there are none; 2, if it is named, (batch_size, 2, 1, 1). A picture is resized to
    resize_width x resize_height, or so that its shorter side is short_size and its longer one at most long_size (where
    its aspect changes), and always to multiples of 32. Without resize_width and resize_height batch_size must be 1.
    """

    message = "eval_data_param"
    num_top = (2, 3)
    fork_fields = ("eval_data_param",)
    elsewhere = (("scale", "set transform_param.scale"),)

    def check_size(self) -> None:
        p = self.p
        self.sizes = p.HasField("resize_height") and p.HasField("resize_width")
        if not self.sizes and p.batch_size > 1:
            self.fail(
                f"batch_size is {p.batch_size}, and without resize_width and resize_height pictures differ in size; set "
                "both, or batch_size 1"
            )

    def fixed(self) -> bool:
        return self.sizes

    def usual_size(self) -> tuple[int, int]:
        p = self.p
        if self.sizes:
            return _stepped(p.resize_height), _stepped(p.resize_width)
        if p.HasField("short_size") and p.HasField("long_size"):
            return _stepped(p.long_size), _stepped(p.short_size)
        self.bad_data(
            "neither resize_height and resize_width nor short_size and long_size tell the size of its pictures"
        )

    def resized(self, height: int, width: int, ratio: float = 1.0) -> tuple[int, int]:
        p = self.p
        if self.sizes:
            height, width = p.resize_height, p.resize_width
        elif p.HasField("short_size") and p.HasField("long_size"):
            factor = F(p.short_size) / F(min(height, width))
            height, width = (min(rounded(F(n) * factor), p.long_size) for n in (height, width))
        return _stepped(height), _stepped(width)

    def shapes(self, height: int, width: int) -> list[Shape]:
        return [*super().shapes(height, width), (self.batch_size, 2, 1, 1)][: len(self.param.top)]

    def batch(self, start: int, lines: np.ndarray) -> tuple[Tensor, ...]:
        rows, sizes = [], []
        for place, line in enumerate(lines.tolist()):
            scene, listed = self.scene(line), self.lines[line]
            scene = scene.resized(*self.resized(scene.height, scene.width))
            part = 0, 0, scene.height, scene.width
            if place == 0:
                data = torch.zeros(len(lines), 3, *part[2:], dtype=self.context.dtype)
            self.paint(data[place], scene.picture, part, self.transform.scale)
            rows.append(self.rows(place, scene.boxes, listed, listed.boxes[:, 1]))
            sizes.append(part[2:])
        tops = data, self.box_top(rows), torch.tensor(sizes, dtype=data.dtype)[:, :, None, None]
        return tops[: len(self.param.top)]


_SHUFFLES = ("random", "random_aspect", "random_mix_aspect")


def _stepped(size: float) -> int:
    """The nearest multiple of 32."""
    return rounded(size / _STEP) * _STEP


def _alternate(kinds: list[np.ndarray], size: int) -> list[np.ndarray]:
    """So many of the one, then of the other, in turn, until one ends; then the rest of the other."""
    found: list[np.ndarray] = []
    used = [0, 0]
    turn = 0
    while used[turn] < len(kinds[turn]):
        part = kinds[turn][used[turn] : used[turn] + size]
        found.append(part)
        used[turn] += len(part)
        turn = 1 - turn
    return [*found, *(kind[at:] for kind, at in zip(kinds, used, strict=True))]
