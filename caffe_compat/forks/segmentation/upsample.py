"""Upsample: max pooling undone, or values repeated."""

from __future__ import annotations

import math
from typing import NoReturn

from torch import Tensor

from caffe_compat.layers.base import OnnxGraph, Shape, layer
from caffe_compat.layers.common.indices import Indexed, poisoned


@layer("Upsample")
class Upsample(Indexed):
    """top[mask] = bottom0 and 0 elsewhere, plane by plane; with one bottom, each value scale x scale times

    Fork: alexgkendall/caffe-segnet (with bottom 1, a pooling layer's mask); eric612/MobileNet-YOLO (one bottom)
    The mask counts a plane's values row by row. The plane is upsample_h x upsample_w, else `scale` (2 unless set)
    or scale_h and scale_w times the bottom's, one less where pad_out_h and pad_out_w say so. Where two places of
    the mask are equal, the last one gives the value and both get the gradient. A mask of another size than the
    plane is an error at once on the CPU; elsewhere the top is NaN and `verify` tells.
    """

    drawn_as = "window"
    num_bottom = (1, 2)
    num_top = 1
    in_place = False
    fork_fields = ("upsample_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.upsample_param
        self.masked = len(bottom) == 2
        given = [field.name for field, _ in p.ListFields() if field.name != "scale"]
        if not self.masked and given:
            self.fail(
                f"{', '.join(given)} needs the mask of a pooling layer as bottom 1; add it or keep only scale"
            )
        self.size: tuple[int, int] | None = None
        if p.HasField("upsample_h") and p.HasField("upsample_w"):
            self.size = (p.upsample_h, p.upsample_w)
            if min(self.size) < 2:
                self.fail(f"upsample_h x upsample_w is {p.upsample_h} x {p.upsample_w}, both must be above 1")
            return
        if p.HasField("scale_h") != p.HasField("scale_w") or (p.HasField("scale") and p.HasField("scale_h")):
            self.fail(
                "the size is upsample_h and upsample_w, or scale, or scale_h and scale_w; set one of the forms"
            )
        default = p.scale if self.masked or p.HasField("scale") else 1
        self.scale = (p.scale_h, p.scale_w) if p.HasField("scale_h") else (default, default)
        if min(self.scale) < (2 if self.masked else 1):
            self.fail(f"scale is {self.scale}, both must be above {int(self.masked)}")
        self.cut: tuple[int, int] = (p.pad_out_h, p.pad_out_w)
        for axis, cut, scale in zip("hw", self.cut, self.scale, strict=True):
            if cut and scale != 2:
                self.fail(
                    f"pad_out_{axis} is for scale 2 and the scale is {scale}; use upsample_h and upsample_w"
                )

    def reshape(self, *bottom: Shape) -> list[Shape]:
        for i, shape in enumerate(bottom):
            if len(shape) < 2 or (self.masked and len(shape) != 4):
                self.fail(
                    f"bottom {i} of shape {tuple(shape)} has {len(shape)} axes, 4 are needed: num, channels, "
                    "height, width"
                )
        if self.masked and bottom[0] != bottom[1]:
            self.fail(
                f"bottom 0 has shape {bottom[0]} and bottom 1, the mask, has {bottom[1]}; they must be equal: "
                "take the mask of the pooling layer that this layer undoes"
            )
        plane = self.size or tuple(
            size * scale - cut for size, scale, cut in zip(bottom[0][-2:], self.scale, self.cut, strict=True)
        )
        self.plane = plane
        self.apart = len(bottom[0]) > 2  # of a matrix the records are rows, which multiply
        return [(*bottom[0][:-2], *plane)]

    def per_record(self) -> bool:
        return self.apart

    def forward(self, bottom: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            rows, columns = self.scale
            return bottom.repeat_interleave(rows, -2).repeat_interleave(columns, -1)
        count = math.prod(self.plane)
        index = mask.detach().long().flatten(2)
        bad = (index < 0) | (index >= count)
        any_bad = self.any_bad(bad, index)
        if any_bad is not None:
            index = index.clamp(0, count - 1)
        top = bottom.new_zeros(*bottom.shape[:2], count).scatter(2, index, bottom.flatten(2))
        return (top if any_bad is None else poisoned(top, any_bad)).unflatten(2, self.plane)

    def refuse(self, position: float) -> NoReturn:
        self.fail(
            f"the mask points at place {int(position)} of a plane of {self.plane[0]} x {self.plane[1]}, which has "
            f"{math.prod(self.plane)}; set upsample_h and upsample_w to the size of what was pooled"
        )

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        shape = graph.shape(bottoms[0])
        if not self.masked:
            scales = graph.constant([1.0] * (len(shape) - 2) + [float(scale) for scale in self.scale])
            graph.node(
                "Resize",
                [bottoms[0], "", scales],
                tops,
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
            return
        # ONNX's MaxUnpool counts places over the whole tensor, Caffe's masks plane by plane.
        kept = [graph.size(bottoms[0], axis) for axis in (0, 1)]
        known = self.size is not None or all(isinstance(size, int) for size in shape[2:])
        plane = [] if known else [self._side_in_onnx(graph, bottoms[0], axis) for axis in (0, 1)]
        count = graph.constant([math.prod(self.plane)]) if known else graph.node("Mul", plane)
        zeros = graph.node("ConstantOfShape", [graph.node("Concat", [*kept, count], axis=0)])
        rows = graph.constant([0, 0, -1])
        data, mask = (graph.node("Reshape", [value, rows]) for value in bottoms)
        mask = graph.node("Cast", [mask], to=7)
        flat = graph.node("ScatterElements", [zeros, mask, data], axis=2)
        sides = (
            graph.constant([0, 0, *self.plane]) if known else graph.node("Concat", [*kept, *plane], axis=0)
        )
        graph.node("Reshape", [flat, sides], tops)

    def _side_in_onnx(self, graph: OnnxGraph, bottom: str, axis: int) -> str:
        """The top's height or width as the file runs."""
        scaled = graph.node("Mul", [graph.size(bottom, 2 + axis), graph.constant([self.scale[axis]])])
        return graph.node("Sub", [scaled, graph.constant([int(self.cut[axis])])])
