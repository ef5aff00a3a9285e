"""ShuffleChannel: the channels of groups in turn."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer


@layer("ShuffleChannel")
class ShuffleChannel(Layer):
    """top[n, j group + i] = bottom[n, i (C / group) + j]: the channels of all groups in turn

    Fork: farmingyard/ShuffleNet
    """

    drawn_as = "arrangement"
    num_bottom = num_top = 1
    fork_fields = ("shuffle_channel_param",)

    def setup(self, bottom: Shape) -> None:
        self.group = self.param.shuffle_channel_param.group
        if self.group < 1:
            self.fail(f"group is {self.group}, it must be above 0")

    def reshape(self, bottom: Shape) -> list[Shape]:
        if len(bottom) < 2 or bottom[1] % self.group:
            self.fail(
                f"group {self.group} must divide the number of channels, axis 1 of bottom shape {tuple(bottom)}"
            )
        return [bottom]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.unflatten(1, (self.group, -1)).transpose(1, 2).flatten(1, 2)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        shape = graph.shape(bottoms[0])
        split = (shape[0], self.group, shape[1] // self.group, *shape[2:])
        exchanged = (split[0], split[2], split[1], *split[3:])
        value = graph.reshape(bottoms[0], split)
        value = graph.node("Transpose", [value], perm=[0, 2, 1, *range(3, len(split))])
        graph.reshape(value, shape, tops, source=exchanged)
