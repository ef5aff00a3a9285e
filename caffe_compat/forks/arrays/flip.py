"""Flip and Reverse: an axis read from its end."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.common.onnx_values import values


@layer("Flip")
class Flip(Layer):
    """top = bottom (N, C, H, W) with its columns in reverse (flip_width), its rows (flip_height), or both

    Fork: happynear/caffe-windows
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("flip_param",)

    def setup(self, bottom: Shape) -> None:
        p = self.param.flip_param
        self.axes = [axis for axis, flip in ((2, p.flip_height), (3, p.flip_width)) if flip]

    def reshape(self, bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom)
        return [bottom]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.flip(self.axes)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        x = values(graph, bottoms)[0]
        for axis in self.axes:
            x = x.part(axis, -1, step=-1)
        x.write(tops[0])


@layer("Reverse")
class Reverse(Layer):
    """top = bottom with axis `axis` in reverse

    Fork: dlunion/CC4.0
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("reverse_param",)

    def reshape(self, bottom: Shape) -> list[Shape]:
        axis = self.param.reverse_param.axis
        if not 0 <= axis < len(bottom):
            self.fail(
                f"axis {axis} is out of range for bottom shape {tuple(bottom)}; use 0 to {len(bottom) - 1}"
            )
        self.reversed = axis
        return [bottom]

    def per_record(self) -> bool:
        return self.reversed > 0

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.flip(self.reversed)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        values(graph, bottoms)[0].part(self.reversed, -1, step=-1).write(tops[0])
