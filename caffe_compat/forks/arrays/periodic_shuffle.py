"""PeriodicShuffle and Tiling: channels become blocks of a larger map."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer


class _FromChannels(Layer):
    """A layer (N, C s^2, H, W) -> (N, C, s H, s W): each position becomes a block of s x s."""

    num_bottom = num_top = 1
    in_place = False
    block: int
    channels_last = False  # the s^2 numbers of an output channel lie C channels apart, not side by side

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom[0])
        num, channels, height, width = bottom[0]
        if channels % self.block**2:
            self.fail(
                f"{channels} channels of bottom shape {bottom[0]} must be a multiple of {self.block}^2 = {self.block**2}"
            )
        self.outputs = channels // self.block**2
        return [(num, self.outputs, height * self.block, width * self.block)]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        if self.channels_last:
            bottom = bottom.unflatten(1, (self.block**2, self.outputs)).transpose(1, 2).flatten(1, 2)
        return F.pixel_shuffle(bottom, self.block)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node(
            "DepthToSpace", bottoms, tops, blocksize=self.block, mode="DCR" if self.channels_last else "CRD"
        )


@layer("PeriodicShuffle")
class PeriodicShuffle(_FromChannels):
    """top[n, c, g y + i, g x + j] = bottom[n, (g i + j) num_output + c, y, x], g = group_size

    Fork: Wangyupei/CED, src/caffe/layers/periodic_shuffle_layer.cpp
    """

    fork_fields = ("periodic_shuffle_param",)
    channels_last = True

    def setup(self, *bottom: Shape) -> None:
        p = self.param.periodic_shuffle_param
        self.block, self.wanted = p.group_size, p.num_output
        if min(p.group_size, p.num_output) < 1:
            self.fail(
                f"periodic_shuffle_param has group_size {p.group_size} and num_output {p.num_output}; both must be above 0"
            )

    def reshape(self, *bottom: Shape) -> list[Shape]:
        top = super().reshape(*bottom)
        if self.outputs != self.wanted:
            self.fail(
                f"bottom shape {bottom[0]} has {bottom[0][1]} channels and must have num_output group_size^2 = "
                f"{self.wanted * self.block**2}"
            )
        return top


@layer("Tiling")
class Tiling(_FromChannels):
    """top[n, c, t y + i, t x + j] = bottom[n, c t^2 + t i + j, y, x], t = tile_dim

    Fork: SeokjuLee/VPGNet, src/caffe/layers/tiling_layer.cpp
    """

    fork_fields = ("tiling_param",)

    def setup(self, *bottom: Shape) -> None:
        self.block = self.param.tiling_param.tile_dim
        if self.block < 1:
            self.fail(f"tiling_param.tile_dim is {self.block}, it must be set and above 0")
