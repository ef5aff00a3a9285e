"""CapsuleConvTransform and CapsuleConvRouting: votes of the capsules of a window over maps, and their sums."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from caffe_compat.forks.capsules.capsule import items_of, positive
from caffe_compat.layers.base import Layer, Shape, layer
from caffe_compat.proto import BlobShape, CapsuleConvRoutingParameter, CapsuleConvTransformParameter


class _OverMaps(Layer):
    """What the capsule layers over maps of input_h x input_w capsules share: windows of kh x kw, `stride` apart."""

    num_bottom = num_top = 1
    in_place = False

    def read(self, p: CapsuleConvTransformParameter | CapsuleConvRoutingParameter) -> None:
        names = ("stride", "kh", "kw", "input_capsule_num", "output_capsule_num", "input_h", "input_w")
        self.stride, *kernel, self.inputs, self.outputs, height, width = positive(self, p, *names)
        self.kernel, self.size = tuple(kernel), (height, width)
        if kernel[0] > height or kernel[1] > width:
            self.fail(
                f"kh x kw is {kernel[0]} x {kernel[1]}, more than input_h x input_w, {height} x {width}"
            )
        self.windows = prod((size - k) // self.stride + 1 for size, k in zip(self.size, kernel, strict=True))
        self.taps = self.inputs * prod(kernel)

    def matrix(self, shape: BlobShape, name: str) -> Sequence[int]:
        """Rows and columns of a capsule."""
        if len(shape.dim) != 2 or min(shape.dim) < 1:
            self.fail(f"{name} is {list(shape.dim)}, it must have two numbers above 0: rows and columns")
        return shape.dim

    def per_record(self) -> bool:
        return True


@layer("CapsuleConvTransform")
class CapsuleConvTransform(_OverMaps):
    """top = capsule @ weight for each capsule of each window, with a weight for each of a window's places

    Fork: chenzhenhua986/CAFFE-CapsNet
    Blobs: 0 weight (kh * kw * inputs * outputs, columns, output columns), read as (inputs * kh * kw, columns,
    outputs * output columns); 1 bias, as many as an item of the top has.
    Capsules are matrices, rows x columns, ordered (map, y, x); the top is (N, windows, inputs * kh * kw,
    rows * outputs * output columns). The bottom's gradient is the derivative; the fork's is that of the last window.
    """

    fork_fields = ("capsule_conv_transform_param",)

    def setup(self, bottom: Shape) -> None:
        p = self.param.capsule_conv_transform_param
        self.read(p)
        self.rows, self.columns = self.matrix(p.input_capsule_shape, "input_capsule_shape")
        rows, columns = self.matrix(p.output_capsule_shape, "output_capsule_shape")
        if rows != self.rows:
            self.fail(
                f"input_capsule_shape has {self.rows} rows and output_capsule_shape {rows}; make them the same"
            )
        self.add_blob((self.taps * self.outputs, self.columns, columns), p.weight_filler)
        self.top = (self.windows, self.taps, rows * self.outputs * columns)
        if p.bias_term:
            self.add_blob((prod(self.top),), p.bias_filler)

    def reshape(self, bottom: Shape) -> list[Shape]:
        values = self.inputs * prod(self.size) * self.rows * self.columns
        return [
            (items_of(self, bottom, values, "input_capsule_num * input_h * input_w * capsule"), *self.top)
        ]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return prod(top[0]) * self.columns

    def forward(self, bottom: Tensor) -> Tensor:
        maps = bottom.reshape(bottom.shape[0], self.inputs, *self.size, self.rows, self.columns)
        windows = maps.unfold(2, self.kernel[0], self.stride).unfold(3, self.kernel[1], self.stride)
        weight = self.blobs[0].view(self.inputs, *self.kernel, self.columns, -1)
        top = torch.einsum("nmyxrcij,mijcd->nyxmijrd", windows, weight).reshape(-1, *self.top)
        return top + self.blobs[1].view(self.top) if len(self.blobs) > 1 else top


@layer("CapsuleConvRouting")
class CapsuleConvRouting(_OverMaps):
    """top[n, o] = sum_k blobs[0][o, k] bottom[n, o, k]: the learned sum of a window's votes

    Fork: chenzhenhua986/CAFFE-CapsNet
    Blobs: 0 weight (outputs * windows, kh * kw * inputs).
    An item of the bottom is read as (outputs * windows, kh * kw * inputs, capsule), whatever its axes mean. The top is
    (N, outputs * windows, capsule).
    """

    fork_fields = ("capsule_conv_routing_param",)

    def setup(self, bottom: Shape) -> None:
        p = self.param.capsule_conv_routing_param
        self.read(p)
        self.capsule = prod(self.matrix(p.output_capsule_shape, "output_capsule_shape"))
        self.add_blob((self.outputs * self.windows, self.taps), p.weight_filler)

    def reshape(self, bottom: Shape) -> list[Shape]:
        count = self.outputs * self.windows
        values = count * self.taps * self.capsule
        return [(items_of(self, bottom, values, "outputs * windows * votes * capsule"), count, self.capsule)]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return prod(top[0]) * self.taps

    def forward(self, bottom: Tensor) -> Tensor:
        votes = bottom.reshape(bottom.shape[0], self.outputs * self.windows, self.taps, self.capsule)
        return torch.einsum("ok,nokd->nod", self.blobs[0], votes)
