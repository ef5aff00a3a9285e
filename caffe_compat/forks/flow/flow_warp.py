"""FlowWarp, and Warp of PWC-Net: a picture read where a flow leads."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.forks.common.sampling import between, between_in_onnx
from caffe_compat.layers.base import ONNX_FLOAT, Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.common.onnx_values import values
from caffe_compat.proto import FlowWarpParameter


class _Warp(Layer):
    """top[n, c, y, x] = bottom0[n, c] between its positions, at (y + bottom1[n, 1, y, x], x + bottom1[n, 0, y, x])"""

    num_bottom, num_top = 2, 1
    in_place = False

    def reshape(self, *bottom: Shape) -> list[Shape]:
        image, flow = bottom
        self.check_pictures(image)
        if flow != (image[0], 2, *image[2:]):
            self.fail(
                f"bottom 1 (the flow) has shape {flow} and must have {(image[0], 2, *image[2:])}: "
                "a step to the right and one down for each position of bottom 0"
            )
        return [image]

    def per_record(self) -> bool:
        return True

    def _warped(self, image: Tensor, flow: Tensor, beyond: int, outside: float) -> Tensor:
        """The warped image; positions count from 0 to (below) its size minus 1 plus `beyond`."""
        height, width = image.shape[2:]
        x = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0]
        y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]
        if beyond:
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        else:
            inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
        x, y = x.where(inside, 0), y.where(inside, 0)
        top = between(image, y.flatten(1), x.flatten(1), outside=False).view_as(image)
        return top.where(inside[:, None], outside)

    def _write(self, graph: OnnxGraph, bottoms: list[str], top: str, beyond: int, outside: float) -> None:
        """The nodes of `_warped`."""
        image, flow = values(graph, bottoms)
        height, width = image.size(2), image.size(3)
        x = flow.range(width, ONNX_FLOAT) + flow.pick(1, 0)
        y = flow.range(height, ONNX_FLOAT).unsqueeze(1) + flow.pick(1, 1)
        inside = (x >= 0) & (y >= 0)
        for place, size in ((x, width), (y, height)):
            last = flow.number(size)
            inside = inside & (place < last if beyond else place <= last - 1.0)
        x, y = (place.where(inside, 0).reshape(0, -1) for place in (x, y))
        found = between_in_onnx(image, y, x, outside=False).reshape(0, 0, height, width)
        found.where(inside.unsqueeze(1), outside).write(top)


@layer("FlowWarp")
class FlowWarp(_Warp):
    """top[n, c, y, x] = bottom0[n, c] between its positions, at (y + bottom1[n, 1, y, x], x + bottom1[n, 0, y, x])

    Fork: lmb-freiburg/flownet2, src/caffe/layers/flow_warp_layer.cpp
    Outside, which begins one position after the last, it is 0, or NaN with fill_value: NOT_A_NUMBER; the last row and
    column reach up to there.
    """

    fork_fields = ("flow_warp_param",)

    def setup(self, *bottom: Shape) -> None:
        filled = self.param.flow_warp_param.fill_value
        self.outside = 0.0 if filled == FlowWarpParameter.ZERO else math.nan

    def forward(self, image: Tensor, flow: Tensor) -> Tensor:
        return self._warped(image, flow, 1, self.outside)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        self._write(graph, bottoms, tops[0], 1, self.outside)


@layer("Warp")
class Warp(_Warp):
    """top[n, c, y, x] = bottom0[n, c] between its positions, at (y + bottom1[n, 1, y, x], x + bottom1[n, 0, y, x])

    Fork: NVlabs/PWC-Net, Caffe/warping_code/warp_layer.cu
    It is 0 outside, which begins after the last position.
    """

    def forward(self, image: Tensor, flow: Tensor) -> Tensor:
        return self._warped(image, flow, 0, 0.0)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        self._write(graph, bottoms, tops[0], 0, 0.0)
