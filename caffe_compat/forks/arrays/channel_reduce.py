"""ChannelReduce: the maximum or sum of runs of channels."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer
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
