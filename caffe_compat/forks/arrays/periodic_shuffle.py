"""Layers that make larger maps without weights, of forks: PeriodicShuffle, Tiling, Duplicate, BilinearInterpolation."""

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


@layer("Duplicate")
class Duplicate(Layer):
    """top (N, C, height, width) = the one value of each channel of bottom (N, C, 1, 1)

    Fork: SSAW14/LearnableDilationNetwork, src/caffe/layers/duplicate_layer.cu (its CPU code does nothing)
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("duplicate_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.duplicate_param
        self.size = (int(p.height), int(p.width))
        if min(self.size) < 1:
            self.fail(f"duplicate_param is {p.height:g} x {p.width:g}; height and width must be above 0")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        if len(bottom[0]) < 2 or any(size != 1 for size in bottom[0][2:]):
            self.fail(f"bottom shape {bottom[0]} must be N x C x 1 x 1: one value a channel")
        return [(*bottom[0][:2], *self.size)]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.reshape(*bottom.shape[:2], 1, 1).expand(-1, -1, *self.size).contiguous()

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        value = graph.reshape(bottoms[0], (*graph.shape(bottoms[0])[:2], 1, 1))
        graph.node("Expand", [value, graph.constant([1, 1, *self.size])], tops)


@layer("BilinearInterpolation")
class BilinearInterpolation(Layer):
    """top = bottom 0 in the height and width of bottom 1, its corners where they were

    Fork: ctensmeyer/binarization_2017, src/caffe/layers/bilinear_interpolation_layer.cpp
    """

    num_bottom, num_top = 2, 1
    in_place = False

    def allow_force_backward(self, index: int) -> bool:
        return index == 0

    def reshape(self, *bottom: Shape) -> list[Shape]:
        for shape in bottom:
            self.check_pictures(shape)
        self.size = bottom[1][2:]
        return [(*bottom[0][:2], *self.size)]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(bottom, self.size, mode="bilinear", align_corners=True)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        kept = [graph.size(bottoms[0], axis) for axis in (0, 1)]
        sizes = graph.node("Concat", [*kept, graph.constant(list(self.size))], axis=0)
        graph.node(
            "Resize",
            [bottoms[0], "", "", sizes],
            tops,
            mode="linear",
            coordinate_transformation_mode="align_corners",
        )
