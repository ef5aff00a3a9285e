"""Axpy: one value a channel scales a blob, and another blob is added."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer, one_a_value


@layer("Axpy")
class Axpy(Layer):
    """top = bottom0[n, c] bottom1[n, c, ...] + bottom2

    Fork: hujie-frank/SENet
    Bottom 0 is (N, C) or (N, C, 1, 1) for bottoms 1 and 2 of (N, C, ...).
    """

    drawn_as = "arrangement"
    num_bottom, num_top = 3, 1
    in_place = False
    multiply_adds = one_a_value

    def reshape(self, scale: Shape, x: Shape, y: Shape) -> list[Shape]:
        if len(x) < 2 or len(scale) < 2 or scale[:2] != x[:2] or prod(scale[2:]) != 1:
            self.fail(
                f"bottom 0 of shape {scale} must hold one value a channel of bottom 1 of shape {x}: "
                f"{(*x[:2], 1, 1)}; pool it over its whole height and width"
            )
        if x != y:
            self.fail(f"bottom 1 has shape {x} and bottom 2 has {y}; they must be equal")
        return [x]

    def per_record(self) -> bool:
        return True

    def forward(self, scale: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return torch.addcmul(y, scale.reshape(*x.shape[:2], *[1] * (x.dim() - 2)), x)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        scale, x, y = bottoms
        shape = graph.shape(x)
        if len(graph.shape(scale)) != len(shape):
            scale = graph.reshape(scale, (*shape[:2], *[1] * (len(shape) - 2)))
        graph.node("Add", [graph.node("Mul", [scale, x]), y], tops)
