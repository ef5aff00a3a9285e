"""Pictures with boxes in pixels on their way into a batch, and what the fields of a feature map have to learn of them.

Fork: zhaoweicai/mscnn, src/caffe/layers/image_gt_data_layer.cpp; zhaoweicai/cascade-rcnn,
src/caffe/layers/detection_data_layer.cpp. Boxes are float32, as there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from caffe_compat.data.images import opencv
from caffe_compat.data.windows import rounded

F = np.float32
Part = tuple[int, int, int, int]  # top, left, height, width
_LARGE, _MARGIN = 1.5, 1.2  # a picture that grows by more than the one is cut to the other times its size


@dataclass(frozen=True)
class Scene:
    """A picture (H, W, 3); boxes (G, 4) and regions (R, 4) are x1, y1, x2, y2 in its pixels."""

    picture: np.ndarray
    boxes: np.ndarray
    regions: np.ndarray

    @property
    def height(self) -> int:
        return self.picture.shape[0]

    @property
    def width(self) -> int:
        return self.picture.shape[1]

    def mirrored(self) -> Scene:
        """Left and right exchanged."""
        width = F(self.width)

        def flip(boxes: np.ndarray) -> np.ndarray:
            return np.stack((width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]), 1)

        return replace(self._with(flip), picture=np.ascontiguousarray(self.picture[:, ::-1]))

    def resized(self, height: int, width: int) -> Scene:
        """In this size, if it is another."""
        if (height, width) == (self.height, self.width):
            return self
        return self._scaled(height, width, F(width) / F(self.width), F(height) / F(self.height))

    def rescaled(self, centre: np.ndarray, factors: np.ndarray) -> tuple[Scene, np.ndarray]:
        """Width and height multiplied by `factors`, and where the point `centre` (x, y) comes to lie.

        Of a picture that grows much only the part around the centre is left.
        """
        scene = self
        if (factors == 1).all():
            return scene, centre
        if (factors > _LARGE).any():
            starts, lengths = [], []
            for size, middle, factor in zip((self.width, self.height), centre, factors, strict=True):
                length = min(rounded(_MARGIN * size / float(factor)), size)
                start = max(rounded(float(middle) - length * 0.5), 0)
                starts.append(min(start, size - length))
                lengths.append(length)
            scene = scene.cut((starts[1], starts[0], lengths[1], lengths[0]))
            centre = centre - np.array(starts, F)
        width, height = (
            max(1, rounded(F(n) * factor))
            for n, factor in zip((scene.width, scene.height), factors, strict=True)
        )
        return scene._scaled(height, width, *factors), centre * factors

    def cut(self, part: Part) -> Scene:
        """A part of the picture, from whose corner boxes are counted."""
        top, left, height, width = part
        scene = self.moved(-left, -top)
        return replace(scene, picture=scene.picture[top : top + height, left : left + width])

    def moved(self, x: int, y: int) -> Scene:
        """The boxes and regions moved."""
        return self._with(lambda boxes: boxes + np.array([x, y, x, y], F))

    def framed(
        self, height: int, width: int, centre: np.ndarray, noise: tuple[int, int]
    ) -> tuple[Scene, Part]:
        """The part of it that a frame of this size shows, boxes counted from the frame's corner, and where it lies there.

        A longer side is cut around the centre, a shorter one is put in the middle, both moved by the noise (x, y).
        """
        (left, x, wide), (top, y, tall) = (
            _fit(size, frame, middle, shift)
            for size, frame, middle, shift in zip(
                (self.width, self.height), (width, height), centre, noise, strict=True
            )
        )
        return self.cut((y, x, tall, wide)).moved(left, top), (top, left, tall, wide)

    def _scaled(self, height: int, width: int, x: np.float32, y: np.float32) -> Scene:
        cv2 = opencv()
        picture = cv2.resize(self.picture, (width, height), interpolation=cv2.INTER_LINEAR)
        return replace(self._with(lambda boxes: boxes * np.array([x, y, x, y], F)), picture=picture)

    def _with(self, change: Callable[[np.ndarray], np.ndarray]) -> Scene:
        return replace(self, boxes=change(self.boxes), regions=change(self.regions))


def _fit(size: int, frame: int, centre: np.float32, noise: int) -> tuple[int, int, int]:
    """Along one axis: where in the frame and where in the picture what is shown begins, and how long it is."""
    if size < frame:
        return min(max(rounded((frame - size) / 2) + noise, 0), frame - size), 0, size
    start = rounded(centre) + noise - rounded(frame / 2)
    return 0, min(max(start, 0), size - frame), frame


def overlap(a: np.ndarray, b: np.ndarray, extra: int, of_first: bool = False) -> np.ndarray:
    """Intersection over union, or over the first; boxes (..., 4) of the two broadcast.

    extra: 1 where both ends are pixels of a box. There boxes share something that touch in x, but not in y.
    """
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    size = high - low
    meets = (size[..., 0] >= 0) & (size[..., 1] > 0) if extra else (size > 0).all(-1)
    sides = [box[..., 2:] - box[..., :2] for box in (a, b)]
    for side in sides:
        meets = meets & ((side >= 0) if extra else (side > 0)).all(-1)
    shared = np.where(meets, (size + F(extra)).prod(-1), F(0))
    first, second = ((side + F(extra)).prod(-1) for side in sides)
    whole = np.where(meets, first if of_first else first + second - shared, F(1))
    return shared / whole


@dataclass(frozen=True)
class Fields:
    """The fields of several feature maps, boxes of one size around each position of a map, and how they learn.

    strides     of each map, pixels from one position to the next
    sizes       of each map's fields, (width, height)
    foreground  a field learns a box that it overlaps by more
    covered     a field that regions cover by this much learns nothing
    pickup      a box that no field learns is given to one if some field overlaps it by this much
    pixels      whether both ends of a box are pixels of it, as in cascade-rcnn, where regions do not keep a field from
                learning a box, and the field that picks up a box notes the overlap
    margin      a field that reaches out of the picture by more than this share of half its size learns nothing
    inside      neither does one of which a smaller share lies in the picture, where no margin is given
    """

    strides: list[int]
    sizes: list[tuple[int, int]]
    foreground: float
    covered: float
    pickup: float
    pixels: bool
    margin: float | None = None
    inside: float | None = None

    def shapes(self, height: int, width: int) -> list[tuple[int, int]]:
        """The height and width of each map for a batch of this size."""
        return [(rounded(height / stride), rounded(width / stride)) for stride in self.strides]

    def maps(
        self, scene: Scene, labels: np.ndarray, ignored: np.ndarray, frame: Part, height: int, width: int
    ) -> list[np.ndarray]:
        """What the fields of each map learn of a framed scene, float32 (6, H, W).

        Channels: class (0: background), x and y of the centre and width and height of the box, and the overlap, which
        is 1 where nothing is learned.
        """
        count, extra = len(scene.boxes), int(self.pixels)
        low, high = scene.boxes[:, :2], scene.boxes[:, 2:]
        learned = np.concatenate(
            (np.where(ignored, 0, labels)[:, None], (low + high) / 2, high - low + F(extra)), 1
        ).astype(F)
        best, home, times = np.zeros(count, F), np.zeros(count, int), np.zeros(count, int)
        tops = []
        for number, (rows, columns) in enumerate(self.shapes(height, width)):
            stride, size = self.strides[number], self.sizes[number]
            fields = _fields(rows, columns, stride, size)
            off = self._off(fields, size, frame) | _beyond(rows, columns, stride, frame)
            covered = overlap(fields[:, :, None], scene.regions, extra, of_first=True).sum(-1) >= F(
                self.covered
            )
            if not self.pixels:
                off = off | covered
            top = np.zeros((6, rows, columns), F)
            hit = np.zeros((rows, columns), bool)
            if count:
                shared = np.where(off[:, :, None], F(0), overlap(scene.boxes, fields[:, :, None], extra))
                top[5], match = shared.max(2), shared.argmax(2)
                hit = top[5] > F(self.foreground)
                top[:5, hit] = learned[match[hit]].T
                times += np.bincount(match[hit], minlength=count)
                most = shared.reshape(-1, count).max(0)
                home, best = np.where(most > best, number, home), np.maximum(best, most)
            top[5][off | (covered & ~hit)] = 1
            tops.append(top)
        for i in np.flatnonzero(~ignored & (times == 0) & (best >= F(self.pickup))):
            top, stride = tops[home[i]], self.strides[home[i]]
            x, y = (
                int(np.clip(np.floor(c / F(stride)), 0, n - 1))
                for c, n in zip(learned[i, 1:3], top.shape[:0:-1], strict=True)
            )
            if top[0, y, x] > 0:
                continue
            top[:5, y, x] = learned[i]
            if self.pixels:
                top[5, y, x] = best[i]
        return tops

    def _off(self, fields: np.ndarray, size: tuple[int, int], frame: Part) -> np.ndarray:
        """Which fields (H, W, 4) reach too far out of the picture."""
        top, left, height, width = frame
        picture = np.array([left, top, left + width, top + height], F)
        if self.margin is not None:
            margin = F(self.margin) * np.array(size, F) / 2
            before, after = fields[..., :2] < picture[:2] - margin, fields[..., 2:] >= picture[2:] + margin
            return np.logical_or.reduce(before | after, axis=-1)
        if self.inside is not None:
            return overlap(fields, picture, int(self.pixels), of_first=True) < F(self.inside)
        return np.zeros(fields.shape[:2], bool)


def _fields(rows: int, columns: int, stride: int, size: tuple[int, int]) -> np.ndarray:
    """The fields of a map, (H, W, 4)."""
    x, y = (np.arange(columns, dtype=F) + F(0.5)) * stride, (np.arange(rows, dtype=F) + F(0.5)) * stride
    centre = np.stack(np.broadcast_arrays(x, y[:, None]), 2)
    half = np.array(size, F) / 2
    return np.concatenate((centre - half, centre + half), 2)


def _beyond(rows: int, columns: int, stride: int, frame: Part) -> np.ndarray:
    """Which positions of a map lie outside the picture."""
    top, left, height, width = (rounded(n / stride) for n in frame)
    beyond = np.ones((rows, columns), bool)
    beyond[top : top + height, left : left + width] = False
    return beyond
