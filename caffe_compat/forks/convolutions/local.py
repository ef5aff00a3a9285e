"""Local: a convolution whose kernel is another one at every place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer


@layer("Local")
class Local(Layer):
    """top[n, o, place] = sum_k window(n, place)[k] w[o, 0, k, place] + b[0, 0, o, place]

    Fork: happynear/caffe-windows, src/caffe/layers/local_layer.cpp
    Blobs: 0 weight (num_output, 1, channels * kernel_size^2, places); 1 bias (1, 1, num_output, places). Sizes as those
    of Convolution: (size + 2 pad - kernel_size) / stride, rounded down, + 1.
    """

    num_bottom = num_top = 1
    fork_fields = ("local_param",)

    def setup(self, bottom: Shape) -> None:
        p = self.param.local_param
        self.check_pictures(bottom)
        if min(p.num_output, p.kernel_size, p.stride) < 1:
            self.fail(
                f"num_output {p.num_output}, kernel_size {p.kernel_size} and stride {p.stride} must be set in "
                "local_param and above 0"
            )
        self.outputs, self.kernel, self.stride, self.pad = p.num_output, p.kernel_size, p.stride, p.pad
        self.item = bottom[1:]
        self.sizes = tuple((size + 2 * self.pad - self.kernel) // self.stride + 1 for size in bottom[2:])
        if min(bottom[2:]) < self.kernel:
            self.fail(f"bottom shape {bottom} is smaller than kernel_size {self.kernel}; enlarge the input")
        places = self.sizes[0] * self.sizes[1]
        self.add_blob((self.outputs, 1, bottom[1] * self.kernel**2, places), p.weight_filler)
        if p.bias_term:
            self.add_blob((1, 1, self.outputs, places), p.bias_filler)

    def reshape(self, bottom: Shape) -> list[Shape]:
        if bottom[1:] != self.item:
            self.fail(
                f"items of bottom shape {bottom} are {bottom[1:]}, but the blobs were made for {self.item}; "
                "keep the input's size"
            )
        return [(bottom[0], self.outputs, *self.sizes)]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return math.prod(top[0]) * self.blobs[0].shape[2]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        windows = F.unfold(bottom, self.kernel, padding=self.pad, stride=self.stride)
        top = (windows.unsqueeze(1) * self.blobs[0].squeeze(1)).sum(2)
        if len(self.blobs) > 1:
            top = top + self.blobs[1].squeeze(0)
        return top.unflatten(2, self.sizes)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        # One place after the other: ONNX has no windows of its own.
        num = graph.shape(bottoms[0])[0]
        x, kernel = bottoms[0], self.kernel
        if self.pad:
            pads = graph.constant([0, 0, self.pad, self.pad] * 2)
            x = graph.node("Pad", [x, pads, graph.constant(0.0)])
        columns = []
        for row in range(self.sizes[0]):
            band = graph.slice(x, 2, row * self.stride, row * self.stride + kernel)
            for column in range(self.sizes[1]):
                part = graph.slice(band, 3, column * self.stride, column * self.stride + kernel)
                columns.append(
                    graph.reshape(
                        part, (num, 1, self.blobs[0].shape[2], 1), source=(num, self.item[0], kernel, kernel)
                    )
                )
        windows = graph.node("Concat", columns, axis=3)
        weight = graph.blob(self, 0, (1, self.outputs, *self.blobs[0].shape[2:]))
        top = graph.reduce("ReduceSum", graph.node("Mul", [windows, weight]), [2])
        if len(self.blobs) > 1:
            top = graph.node("Add", [top, graph.blob(self, 1, tuple(self.blobs[1].shape[1:]))])
        graph.reshape(
            top, (num, self.outputs, *self.sizes), tops, source=(num, self.outputs, self.blobs[0].shape[3])
        )
