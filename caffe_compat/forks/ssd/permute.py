"""Permute: axes in another order."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer


@layer("Permute")
class Permute(Layer):
    """top = bottom with axis `order[i]` as its axis i; axes that `order` leaves out follow in their old order

    Fork: weiliu89/caffe (SSD), src/caffe/layers/permute_layer.cpp
    """

    drawn_as = "arrangement"
    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("permute_param",)

    def setup(self, *bottom: Shape) -> None:
        order, axes = list(self.param.permute_param.order), len(bottom[0])
        for axis in order:
            if axis >= axes:
                self.fail(
                    f"permute_param.order names axis {axis}, but the bottom of shape {bottom[0]} has {axes} axes; "
                    f"use 0 to {axes - 1}"
                )
        if len(set(order)) < len(order):
            self.fail(f"permute_param.order is {order}, which names an axis twice; name each axis once")
        self.order = order + [axis for axis in range(axes) if axis not in order]
        self.shares_memory = self.shares_diff = self.order == list(range(axes))

    def reshape(self, *bottom: Shape) -> list[Shape]:
        (shape,) = bottom
        if len(shape) != len(self.order):
            self.fail(
                f"bottom of shape {shape} has {len(shape)} axes, but the layer was set up for {len(self.order)}; "
                "rebuild the net for the new shape"
            )
        return [tuple(shape[axis] for axis in self.order)]

    def per_record(self) -> bool:
        return self.order[0] == 0

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.permute(self.order).contiguous()

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Transpose", bottoms, tops, perm=self.order)
