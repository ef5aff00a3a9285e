"""Layers that treat the channels of a position alike, of forks: ChannelReduce, GRN, ScaleFilter."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from caffe_compat.layers.base import TRAIN, Layer, OnnxGraph, Shape, layer
from caffe_compat.proto import ChannelReduceParameter


@layer("ChannelReduce")
class ChannelReduce(Layer):
    """top (N, num_channels, H, W) = the MAX or SUM of each run of C / num_channels channels of bottom

    Fork: aharley/segaware, src/caffe/layers/channel_reduce_layer.cpp
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("channel_reduce_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.channel_reduce_param
        self.count, self.takes_max = p.num_channels, p.operation == ChannelReduceParameter.MAX

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom[0])
        num, channels, *size = bottom[0]
        if not self.count or channels % self.count:
            self.fail(
                f"num_channels {self.count} must divide the {channels} channels of bottom shape {bottom[0]}"
            )
        return [(num, self.count, *size)]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        runs = bottom.unflatten(1, (self.count, -1))
        return runs.max(2).values if self.takes_max else runs.sum(2)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        num, channels, *size = graph.shape(bottoms[0])
        runs = graph.reshape(bottoms[0], (num, self.count, channels // self.count, *size))
        graph.reduce("ReduceMax" if self.takes_max else "ReduceSum", runs, [2], tops)


class _PassedOn(torch.autograd.Function):
    """(x, value) -> value, whose gradient is x's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


@layer("GRN")
class GRN(Layer):
    """top = bottom / sqrt(sum over channels of bottom^2 + bias)

    Fork: openvinotoolkit/training_toolbox_caffe, src/caffe/layers/grn_layer.cpp
    dummy_backward passes the gradient on as it is.
    """

    num_bottom = num_top = 1
    fork_fields = ("grn_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.grn_param
        self.bias, self.passes_on = p.bias, p.dummy_backward
        if p.bias < 0:
            self.fail(f"grn_param.bias is {p.bias:g} and must be at least 0")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        if not 2 <= len(bottom[0]) <= 4:
            self.fail(
                f"bottom shape {bottom[0]} has {len(bottom[0])} axes, 2 to 4 are needed: num, channels ..."
            )
        return [bottom[0]]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        top = bottom / (bottom.square().sum(1, keepdim=True) + self.bias).sqrt()
        return _PassedOn.apply(bottom, top.detach()) if self.passes_on else top

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        squares = graph.reduce("ReduceSumSquare", bottoms[0], [1], keepdims=True)
        norm = graph.node("Sqrt", [graph.node("Add", [squares, graph.constant(self.bias)])])
        graph.node("Div", [bottoms[0], norm], tops)


@layer("ScaleFilter")
class ScaleFilter(Layer):
    """top = bottom, in TRAIN with each channel of each item times a number drawn between min_scale and max_scale

    Fork: openvinotoolkit/training_toolbox_caffe, src/caffe/layers/scale_filter_layer.cpp
    """

    num_bottom = num_top = 1
    is_random = True
    fork_fields = ("scale_filter_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.scale_filter_param
        self.least, self.most = p.min_scale, p.max_scale
        if not 0 < p.min_scale < p.max_scale:
            self.fail(
                f"scale_filter_param has min_scale {p.min_scale:g} and max_scale {p.max_scale:g}; use 0 < min_scale < max_scale"
            )

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom[0])
        return [bottom[0]]

    def per_record(self) -> bool:
        return True

    def random_reason(self) -> str:
        return "draws a factor for each channel in TRAIN" if self.phase == TRAIN else ""

    def forward(self, bottom: Tensor) -> Tensor:
        if self.phase != TRAIN:
            return bottom.clone()
        factor = self.drawn(
            bottom[:, :, :1, :1].detach(), lambda like: torch.empty_like(like).uniform_(self.least, self.most)
        )
        return bottom * factor

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if self.phase == TRAIN:
            self.fail("cannot be exported: in TRAIN it draws scales at random; export the TEST net")
        graph.node("Identity", bottoms, tops)
