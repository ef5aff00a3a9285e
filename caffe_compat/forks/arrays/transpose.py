"""Transpose: axes in another order; Convert: those that LSTM takes, of a map."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.common.onnx_values import values


@layer("Transpose")
class Transpose(Layer):
    """top = bottom with its axes in the order `dim`: axis i of the top is axis dim[i] of the bottom

    Fork: dlunion/CC4.0
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("transpose_param",)

    def setup(self, bottom: Shape) -> None:
        self.order = list(self.param.transpose_param.dim)

    def reshape(self, bottom: Shape) -> list[Shape]:
        if sorted(self.order) != list(range(len(bottom))):
            self.fail(
                f"dim {self.order} must name each of the {len(bottom)} axes of bottom shape {tuple(bottom)} once"
            )
        return [tuple(bottom[axis] for axis in self.order)]

    def per_record(self) -> bool:
        return self.order[0] == 0

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.permute(self.order).contiguous()

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Transpose", bottoms, tops, perm=self.order)


@layer("Convert")
class Convert(Layer):
    """top0 (W, N, C) = bottom (N, C, W), or (N, C, 1, W), for LSTM; top1 (W, N) = 0 in the first row and 1 in the others

    Fork: Yuliang-Liu/Curve-Text-Detector, src/caffe/layers/convert_layer.cpp
    """

    num_bottom = 1
    num_top = (1, 2)
    in_place = False
    shape_tops = (1,)

    def reshape(self, bottom: Shape) -> list[Shape]:
        if len(bottom) not in (3, 4) or (len(bottom) == 4 and bottom[2] != 1):
            self.fail(f"bottom shape {tuple(bottom)} must be N x C x W or N x C x 1 x W")
        num, channels, *_, width = bottom
        self.tops = len(self.param.top)
        return [(width, num, channels), (width, num)][: self.tops]

    def forward(self, bottom: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        sequence = bottom.reshape(bottom.shape[0], bottom.shape[1], -1).permute(2, 0, 1).contiguous()
        if self.tops == 1:
            return sequence
        step = torch.arange(sequence.shape[0], device=bottom.device)[:, None].expand(sequence.shape[:2])
        return sequence, (step > 0).to(bottom.dtype)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        (x,) = values(graph, bottoms)
        x = x if len(x.dims) == 3 else x.squeeze(2)
        sequence = x.transpose(2, 0, 1)
        sequence.write(tops[0])
        if self.tops > 1:
            later = sequence.range(sequence.size(0)) > 0
            later.float().unsqueeze(1).expand(sequence.size(0), sequence.size(1)).write(tops[1])
