"""Reorg: positions become channels, or channels positions, as darknet has it."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer


@layer("Reorg")
class Reorg(Layer):
    """top (N, C s^2, H / s, W / s) of bottom (N, C, H, W), s = stride, in the order of darknet's reorg layer

    Fork: eric612/MobileNet-YOLO, choasup/caffe-yolo9000
    The bottom's memory is taken as (N, C / s^2, s H, s W), its blocks of s x s go to channels
    (block row, block column, C / s^2), and the result's memory as the top's shape. That is a space-to-depth of
    another picture than the bottom's, and what weights from darknet are made for. `reverse` gives
    (N, C / s^2, s H, s W), a depth-to-space of channels (block row, block column, C / s^2). The gradient is the
    derivative; the fork's comes from memory that nobody wrote.
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("reorg_param",)

    def setup(self, bottom: Shape) -> None:
        p = self.param.reorg_param
        self.stride, self.reverse = p.stride, p.reverse
        if self.stride < 1:
            self.fail(f"reorg_param.stride is {self.stride}, it must be set and above 0")

    def reshape(self, bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom)
        num, channels, height, width = bottom
        s = self.stride
        if channels % s**2:
            self.fail(
                f"{channels} channels of bottom shape {tuple(bottom)} must be a multiple of stride^2, {s**2}"
            )
        if self.reverse:
            self.top = (channels // s**2, height * s, width * s)
        elif height % s or width % s:
            self.fail(f"height and width of bottom shape {tuple(bottom)} must be multiples of stride {s}")
        else:
            self.top = (channels * s**2, height // s, width // s)
        return [(num, *self.top)]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        num, channels, height, width = bottom.shape
        s = self.stride
        if self.reverse:
            x = bottom.reshape(num, s, s, channels // s**2, height, width).permute(0, 3, 4, 1, 5, 2)
        else:
            x = bottom.reshape(num, channels // s**2, height, s, width, s).permute(0, 3, 5, 1, 2, 4)
        return x.reshape(num, *self.top)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        num, channels, height, width = graph.shape(bottoms[0])
        s = self.stride
        if self.reverse:
            graph.node("DepthToSpace", bottoms, tops, blocksize=s, mode="DCR")
            return
        if isinstance(height, str) or isinstance(width, str):
            rows = graph.size(bottoms[0], 2)
            seen, shape = (
                graph.node(
                    "Concat",
                    [
                        graph.constant([0, planes]),
                        graph.node(op, [rows, graph.constant([s])]),
                        graph.constant([-1]),
                    ],
                    axis=0,
                )
                for planes, op in ((channels // s**2, "Mul"), (self.top[0], "Div"))
            )
            value = graph.node("SpaceToDepth", [graph.node("Reshape", [bottoms[0], seen])], blocksize=s)
            graph.node("Reshape", [value, shape], tops)
            return
        blocks = graph.reshape(bottoms[0], (num, channels // s**2, height * s, width * s))
        value = graph.node("SpaceToDepth", [blocks], blocksize=s)
        graph.reshape(value, (num, *self.top), tops, source=(num, channels, height, width))
