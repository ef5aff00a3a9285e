"""ChannelNorm: the length of each position's channels."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer


@layer("ChannelNorm")
class ChannelNorm(Layer):
    """top[n, 0, y, x] = the square root of the sum of bottom[n, :, y, x]^2; the gradient at 0 is 0

    Fork: lmb-freiburg/flownet2, src/caffe/layers/channel_norm_layer.cpp
    """

    num_bottom = num_top = 1
    in_place = False

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom[0])
        return [(bottom[0][0], 1, *bottom[0][2:])]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        return torch.linalg.vector_norm(bottom, dim=1, keepdim=True)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.reduce("ReduceL2", bottoms[0], [1], tops, keepdims=True)
