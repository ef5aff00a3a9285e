"""Interp: bilinear resizing between corners that stay where they are."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer


@layer("Interp")
class Interp(Layer):
    """top[y, x] = bottom, cropped, at (y (h - 1) / (H - 1), x (w - 1) / (W - 1)), bilinear; h x w becomes H x W

    Fork: hszhao/PSPNet (DeepLab's Interp layer)
    H x W is (h - 1) / shrink_factor + 1, rounded down, or zoom_factor (h - 1) + 1, or `height` x `width`; one
    factor alone goes before height and width, and those before both factors, of which shrink_factor comes first.
    pad_beg and pad_end are 0, or negative: rows and columns that are cut off the bottom.
    soeaver/caffe-model: with use_blob_size H x W is bottom 1's, of which nothing else is read.
    """

    drawn_as = "window"
    num_bottom = (1, 2)
    num_top = 1
    in_place = False
    fork_fields = ("interp_param", "interp_param.use_blob_size")

    def setup(self, bottom: Shape, *like: Shape) -> None:
        p = self.param.interp_param
        self.by_blob = p.use_blob_size
        if self.by_blob != bool(like):
            self.fail(
                f"has {1 + len(like)} bottom and use_blob_size is {str(self.by_blob).lower()}; the size of a second "
                "bottom is taken with use_blob_size: true, and only then"
            )
        self.begin, self.end = p.pad_beg, p.pad_end
        for name in ("pad_beg", "pad_end"):
            if getattr(p, name) > 0:
                self.fail(
                    f"{name} is {getattr(p, name)}, and only cropping is known; use 0 or a negative number"
                )
        self.shrink = p.shrink_factor if p.HasField("shrink_factor") else None
        self.zoom = p.zoom_factor if p.HasField("zoom_factor") else None
        self.size = (p.height, p.width) if p.HasField("height") and p.HasField("width") else None
        for name, value in (("shrink_factor", self.shrink), ("zoom_factor", self.zoom)):
            if value is not None and value < 1:
                self.fail(f"{name} is {value}, it must be at least 1")
        if self.size is None and self.shrink is None and self.zoom is None and not self.by_blob:
            self.fail("no size is given; set zoom_factor, shrink_factor, or both height and width")

    def reshape(self, bottom: Shape, *like: Shape) -> list[Shape]:
        for shape in (bottom, *like):
            self.check_pictures(shape)
        kept = tuple(size + self.begin + self.end for size in bottom[2:])
        if min(kept) < 1:
            self.fail(
                f"pad_beg {self.begin} and pad_end {self.end} leave {kept} of bottom shape {tuple(bottom)}; "
                "crop less or enlarge the input"
            )
        one_factor = (self.shrink is None) != (self.zoom is None)
        if like:
            self.output = tuple(like[0][2:])
        elif self.size is not None and not one_factor:
            self.output = self.size
        else:
            self.output = tuple(self._scaled(size) for size in kept)
        if min(self.output) < 1:
            self.fail(f"height x width is {self.output[0]} x {self.output[1]}, both must be at least 1")
        return [(*bottom[:2], *self.output)]

    def _scaled(self, size: int) -> int:
        size = (size - 1) // (self.shrink or 1) + 1
        return size + (size - 1) * ((self.zoom or 1) - 1)

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor, *like: Tensor) -> Tensor:
        height, width = bottom.shape[2:]
        x = bottom[:, :, -self.begin : height + self.end, -self.begin : width + self.end]
        return F.interpolate(x, self.output, mode="bilinear", align_corners=True)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        value = bottoms[0]
        for axis in (2, 3) if self.begin or self.end else ():
            value = graph.slice(value, axis, -self.begin, self.end or None)
        kept = [graph.size(bottoms[0], axis) for axis in (0, 1)]
        sizes = graph.node("Concat", [*kept, *self._output_in_onnx(graph, bottoms)], axis=0)
        graph.node(
            "Resize",
            [value, "", "", sizes],
            tops,
            mode="linear",
            coordinate_transformation_mode="align_corners",
        )

    def _output_in_onnx(self, graph: OnnxGraph, bottoms: list[str]) -> list[str]:
        """The top's height and width."""
        if all(isinstance(size, int) for size in graph.shape(bottoms[-1])[2:]):
            return [graph.constant(self.output)]
        if self.by_blob:
            return [graph.size(bottoms[1], axis) for axis in (2, 3)]
        if self.size is not None and (self.shrink is None) == (self.zoom is None):
            return [graph.constant(self.size)]
        sizes = []
        for axis in (2, 3):  # as `_scaled`
            kept = graph.node(
                "Add", [graph.size(bottoms[0], axis), graph.constant([self.begin + self.end - 1])]
            )
            shrunk = graph.node("Div", [kept, graph.constant([self.shrink or 1])])
            grown = graph.node("Mul", [shrunk, graph.constant([self.zoom or 1])])
            sizes.append(graph.node("Add", [grown, graph.constant([1])]))
        return sizes
