"""PriorBox, PriorBoxClustered: the boxes that SSD's detectors start from."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe_compat.layers.base import ONNX_FLOAT, Context, Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.common.legacy_shape import legacy_shape
from caffe_compat.proto import LayerParameter


@layer("PriorBox")
class PriorBox(Layer):
    """top = boxes of set sizes around the centre of each position of bottom0, then their variances: (1, 2, H W B 4)

    Fork: weiliu89/caffe (SSD), src/caffe/layers/prior_box_layer.cpp
    Boxes are shares of the picture, which is img_size, img_h x img_w, or bottom 1. A position (x, y) has the centre
    ((x + offset) step_w, (y + offset) step_h). Per min_size there are B / len(min_size) boxes: min_size (cut to a
    whole number, as is max_size, as in the fork); sqrt(min_size max_size), if max_size is given; and for each aspect
    ratio r but 1 one of width min_size sqrt(r) and height min_size / sqrt(r), and its flip. Nothing gets a gradient.
    MhLiao/TextBoxes_plusplus: with denser_prior_boxes each box is followed by one whose centre is at (y + 1) step_h.
    zihaozhang9/FaceBoxes: before all of these each fixed_size (and each fixed_ratio or aspect ratio of it) gives
    density x density boxes, whose centres divide a square of that size around the position's; they end at the picture's
    edges.
    """

    num_bottom = (1, 2)
    num_top = 1
    fork_fields = (
        "prior_box_param",
        *(
            f"prior_box_param.{name}"
            for name in ("denser_prior_boxes", "density", "fixed_size", "fixed_ratio")
        ),
    )
    priors: Tensor
    shifts = np.zeros((0, 2))  # of the first boxes' centres, in pixels; those boxes are cut to the picture

    def __init__(self, param: LayerParameter, phase: int, context: Context | None = None):
        super().__init__(param, phase, context)
        # Goes where the net goes.
        self.register_buffer("priors", torch.zeros(1, 2, 0, dtype=self.context.dtype), persistent=False)
        self.made_for: tuple[int, ...] = ()

    def setup(self, *bottom: Shape) -> None:
        p = self.param.prior_box_param
        self.variance = list(p.variance) or [float(np.float32(0.1))]
        if len(self.variance) not in (1, 4) or min(self.variance) <= 0:
            self.fail(f"prior_box_param.variance is {self.variance}; give one or four, each above 0")
        self.picture = self._pair("img_size", "img_h", "img_w")
        self.step = self._pair("step", "step_h", "step_w")
        if self.picture is None and len(bottom) < 2:
            self.fail(
                "has one bottom and no img_size; name the picture as the second bottom, or set img_size"
            )
        self.sizes = self._sizes()
        self.denser = p.denser_prior_boxes

    def _pair(self, both: str, height: str, width: str) -> tuple[float, float] | None:
        """A height and width from one field or two; None where none is set."""
        p = self.param.prior_box_param
        if p.HasField(height) or p.HasField(width):
            if p.HasField(both):
                self.fail(f"prior_box_param has both {both} and {height} or {width}; remove one form")
            pair = getattr(p, height), getattr(p, width)
        elif p.HasField(both):
            pair = getattr(p, both), getattr(p, both)
        else:
            return None
        if min(pair) <= 0:
            self.fail(
                f"prior_box_param.{height} x {width} is {pair[0]:g} x {pair[1]:g}; both must be above 0"
            )
        return pair

    def _sizes(self) -> np.ndarray:
        """Width and height in pixels of the boxes of a position (B, 2)."""
        p = self.param.prior_box_param
        ratios = [np.float32(1)]
        for ratio in map(np.float32, p.aspect_ratio):
            if all(abs(ratio - known) >= 1e-6 for known in ratios):
                ratios += [ratio, np.float32(1 / ratio)] if p.flip else [ratio]
        if p.fixed_size:
            sizes, self.shifts = self._dense(list(map(np.float32, p.fixed_ratio)) or ratios)
            if not p.min_size:
                return sizes
            return np.concatenate((sizes, self._around(ratios)))
        return self._around(ratios)

    def _dense(self, ratios: list[np.float32]) -> tuple[np.ndarray, np.ndarray]:
        """Sizes, and shifts of the centres, of the boxes of all fixed_size (b, 2)."""
        p = self.param.prior_box_param
        if len(p.density) != len(p.fixed_size) or min([*p.density, *p.fixed_size]) < 1:
            self.fail(
                f"prior_box_param has fixed_size {list(p.fixed_size)} and density {list(p.density)}; give one density "
                "for each, all at least 1"
            )
        sizes, shifts = [], []
        for size, density in zip(p.fixed_size, map(int, p.density), strict=True):
            step = int(size / density)
            places = [step / 2 + i * step - int(size) // 2 for i in range(density)]
            for ratio in ratios:
                each = (
                    (size * np.sqrt(ratio), size / np.sqrt(ratio)) if ratio != 1 else (int(size), int(size))
                )
                sizes += [each] * density**2
                shifts += [(x, y) for y in places for x in places]
        return np.array(sizes, np.float32), np.array(shifts)

    def _around(self, ratios: list[np.float32]) -> np.ndarray:
        """Sizes of the boxes of all min_size."""
        p = self.param.prior_box_param
        if not p.min_size or min(p.min_size) <= 0:
            self.fail(f"prior_box_param.min_size is {list(p.min_size)}; give at least one, each above 0")
        if p.max_size and len(p.max_size) != len(p.min_size):
            self.fail(
                f"prior_box_param has {len(p.max_size)} max_size for {len(p.min_size)} min_size; give one each, or none"
            )
        for least, most in zip(p.min_size, p.max_size, strict=False):
            if most <= least:
                self.fail(f"prior_box_param.max_size {most:g} must be above its min_size {least:g}")
        sizes: list[tuple[float, float]] = []
        for i, least in enumerate(int(size) for size in p.min_size):
            sizes.append((least, least))
            if p.max_size:
                sizes.append((np.sqrt(least * int(p.max_size[i])),) * 2)
            sizes += [(least * np.sqrt(r), least / np.sqrt(r)) for r in ratios[1:] if abs(r - 1) >= 1e-6]
        return np.array(sizes, np.float32)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        rows, columns = legacy_shape(self, bottom[0])[2:]
        picture = legacy_shape(self, bottom[1])[2:] if self.picture is None else self.picture
        key = (rows, columns, *picture)
        if key != self.made_for:
            priors = torch.from_numpy(self._priors(*key)).to(self.priors)
            self.made_for, self.priors = key, priors
        return [tuple(self.priors.shape)]

    def _priors(self, rows: int, columns: int, height: float, width: float) -> np.ndarray:
        p = self.param.prior_box_param
        step = self.step or (height / rows, width / columns)
        # The fork works in float32 up to the centres.
        y, x = (
            (np.arange(count, dtype=np.float32) + np.float32(p.offset)) * np.float32(each)
            for count, each in zip((rows, columns), step, strict=True)
        )
        centre = np.stack(np.broadcast_arrays(x, y[:, None]), -1)[:, :, None].astype(np.float64)
        centre = np.repeat(centre, len(self.sizes), 2)
        dense = len(self.shifts)
        centre[:, :, :dense] += self.shifts
        half = self.sizes.astype(np.float64) / 2
        boxes = np.concatenate((centre - half, centre + half), -1)
        if self.denser:
            lower = boxes + [0, (1 - p.offset) * step[0]] * 2
            boxes = np.stack((boxes, lower), 3).reshape(*boxes.shape[:2], -1, 4)
        boxes /= np.array([width, height] * 2)
        if dense:
            boxes[:, :, :dense, :2] = boxes[:, :, :dense, :2].clip(0)
            boxes[:, :, :dense, 2:] = boxes[:, :, :dense, 2:].clip(None, 1)
        if p.clip:
            boxes = boxes.clip(0, 1)
        variance = np.broadcast_to(np.array(self.variance), boxes.shape)
        return np.stack((boxes, variance)).reshape(1, 2, -1)

    def forward(self, *bottom: Tensor) -> Tensor:
        return self.priors

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        read = bottoms if self.picture is None else bottoms[:1]
        if any(isinstance(size, str) for bottom in read for size in graph.shape(bottom)[2:]):
            self._open_to_onnx(graph, bottoms, tops)
            return
        graph.node("Identity", [graph.constant(self.priors.cpu().numpy(), "float32")], tops)

    def _open_to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        """`_priors` for sizes that only a run tells."""
        p = self.param.prior_box_param
        places = [graph.size(bottoms[0], axis) for axis in (2, 3)]
        sides = [
            graph.constant([float(self.picture[axis])])
            if self.picture is not None
            else graph.node("Cast", [graph.size(bottoms[1], 2 + axis)], to=ONNX_FLOAT)
            for axis in (0, 1)
        ]
        centres, steps = [], []
        for count, side, step, shape in zip(
            places, sides, self.step or (None, None), ([-1, 1, 1, 1], [1, -1, 1, 1]), strict=True
        ):
            if step is None:
                steps.append(graph.node("Div", [side, graph.node("Cast", [count], to=ONNX_FLOAT)]))
            else:
                steps.append(graph.constant([float(step)]))
            end = graph.node("Squeeze", [count, graph.constant([0])])
            place = graph.node("Range", [graph.constant(0), end, graph.constant(1)])
            place = graph.node(
                "Add", [graph.node("Cast", [place], to=ONNX_FLOAT), graph.constant(float(p.offset))]
            )
            place = graph.node("Mul", [place, steps[-1]])
            centres.append(graph.node("Reshape", [place, graph.constant(shape)]))
        dense = len(self.shifts)
        half = self.sizes.astype(np.float64) / 2
        middle = np.concatenate((self.shifts, np.zeros((len(half) - dense, 2))))
        around = graph.constant(np.concatenate((middle - half, middle + half), -1)[None, None], "float32")
        y, x = (
            graph.node("Mul", [centre, graph.constant(mask)])
            for centre, mask in zip(centres, ([0.0, 1.0] * 2, [1.0, 0.0] * 2), strict=True)
        )
        boxes = graph.node("Add", [graph.node("Add", [x, y]), around])
        repeats = len(half)
        if self.denser:
            down = graph.node("Mul", [steps[0], graph.constant(np.array([0, 1 - p.offset] * 2, np.float32))])
            both = [
                graph.node("Unsqueeze", [value, graph.constant([3])])
                for value in (boxes, graph.node("Add", [boxes, down]))
            ]
            repeats *= 2
            flat = graph.node("Concat", both, axis=3)
            boxes = graph.node("Reshape", [flat, graph.constant([0, 0, repeats, 4])])
        boxes = graph.node("Div", [boxes, graph.node("Concat", [*sides[::-1], *sides[::-1]], axis=0)])
        if dense or p.clip:
            far = float(np.finfo(np.float32).max)
            least, most = np.full((repeats, 4), -far), np.full((repeats, 4), far)
            least[: repeats if p.clip else dense, : 4 if p.clip else 2] = 0
            most[: repeats if p.clip else dense, 0 if p.clip else 2 :] = 1
            boxes = graph.node("Max", [boxes, graph.constant(least, "float32")])
            boxes = graph.node("Min", [boxes, graph.constant(most, "float32")])
        variance = graph.constant(np.broadcast_to(np.array(self.variance), (repeats, 4)), "float32")
        variance = graph.node("Expand", [variance, graph.node("Shape", [boxes])])
        row = graph.constant([1, 1, -1])
        parts = [graph.node("Reshape", [value, row]) for value in (boxes, variance)]
        graph.node("Concat", parts, tops, axis=1)


@layer("PriorBoxClustered")
class PriorBoxClustered(PriorBox):
    """top = boxes of set sizes around the centre of each position of bottom0, then their variances: (1, 2, H W B 4)

    Fork: openvinotoolkit/training_toolbox_caffe, src/caffe/layers/prior_box_clustered_layer.cpp
    As PriorBox, but the B boxes of a position are width[i] x height[i] pixels.
    """

    fork_fields = ("prior_box_param", "prior_box_param.width", "prior_box_param.height")

    def _sizes(self) -> np.ndarray:
        p = self.param.prior_box_param
        if not p.width or len(p.width) != len(p.height):
            self.fail(
                f"prior_box_param has {len(p.width)} width and {len(p.height)} height; give one of each a box"
            )
        sizes = np.array([list(p.width), list(p.height)], np.float32).T
        if sizes.min() <= 0:
            self.fail(f"prior_box_param has a width or height of {sizes.min():g}; each must be above 0")
        return sizes
