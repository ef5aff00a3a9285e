"""DeformableConvolution: a convolution whose kernel points are moved by a learned blob."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from caffe_compat.forks.common.sampling import between, between_in_onnx
from caffe_compat.layers.base import ONNX_FLOAT, Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.common.onnx_values import Size, Value, blob, values
from caffe_compat.layers.convolution import read_window
from caffe_compat.proto import ConvolutionParameter


@layer("DeformableConvolution")
class DeformableConvolution(Layer):
    """top = Convolution's of bottom 0, read between its positions, where bottom 1 moves each point of each window to

    Fork: unsky/Deformable-ConvNets-caffe, src/caffe/layers/deformable_conv_layer.cu
    Blobs: 0 weight (num_output, channels / group, kh, kw); 1 bias (num_output,).
    Bottom 1 is (N, deformable_group 2 kh kw, H', W'), H' x W' the top's size: for each group of bottom 0's channels and
    each kernel point a step down and one to the right. Outside, which begins one position after the last, bottom 0 is 0;
    the last row and column reach up to there.
    """

    num_bottom, num_top = 2, 1
    in_place = False
    fork_fields = ("deformable_convolution_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.deformable_convolution_param
        self.check_pictures(bottom[0])
        if p.axis != 1:
            self.fail(f"deformable_convolution_param.axis is {p.axis}; only axis 1 is known")
        self.window = read_window(
            self, 2, cast(ConvolutionParameter, p)
        )  # which has the fields of a window, too
        self.channels, self.outputs, self.group = bottom[0][1], p.num_output, p.group
        self.parts = p.deformable_group
        if self.outputs < 1:
            self.fail(
                f"deformable_convolution_param.num_output is {self.outputs}, it must be set and above 0"
            )
        if self.group < 1 or self.channels % self.group or self.outputs % self.group:
            self.fail(
                f"group {self.group} must divide both the {self.channels} channels of bottom shape {bottom[0]} and "
                f"num_output {self.outputs}"
            )
        if self.parts < 1 or self.channels % self.parts:
            self.fail(
                f"deformable_group {self.parts} must divide the {self.channels} channels of bottom shape {bottom[0]}"
            )
        self.add_blob((self.outputs, self.channels // self.group, *self.window.kernel), p.weight_filler)
        if p.bias_term:
            self.add_blob((self.outputs,), p.bias_filler)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        pictures, moves = bottom
        self.check_pictures(pictures)
        if pictures[1] != self.channels:
            self.fail(
                f"bottom shape {pictures} has {pictures[1]} channels, but the weights were made for {self.channels}; "
                "resize the input or rename the layer to relearn it"
            )
        self.size = self.window.positions(pictures[2:])
        if min(self.size) < 1:
            self.fail(
                f"bottom shape {pictures} gives a top of {self.size[0]} x {self.size[1]} with kernel "
                f"{self.window.kernel}, pad {self.window.pad} and dilation {self.window.dilation}; enlarge the input"
            )
        points = self.window.kernel[0] * self.window.kernel[1]
        wanted = (pictures[0], 2 * self.parts * points, *self.size)
        if moves != wanted:
            self.fail(
                f"bottom 1 (the moves) has shape {moves} and must have {wanted}: 2 for each of {points} kernel points "
                f"and {self.parts} groups of channels (deformable_group)"
            )
        return [(pictures[0], self.outputs, *self.size)]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return math.prod(top[0]) * math.prod(self.blobs[0].shape[1:])

    def per_record(self) -> bool:
        return True

    def forward(self, pictures: Tensor, moves: Tensor) -> Tensor:
        num, _, height, width = pictures.shape
        points, (rows, columns) = self.window.kernel[0] * self.window.kernel[1], self.size
        moves = moves.reshape(num, self.parts, points, 2, rows, columns)
        y = moves[:, :, :, 0] + self._grid(moves, 0)
        x = moves[:, :, :, 1] + self._grid(moves, 1)
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        # What lies after the last row or column is that row or column.
        y, x, inside = (
            part.reshape(num * self.parts, -1) for part in (y.where(inside, 0), x.where(inside, 0), inside)
        )
        parts = pictures.reshape(num * self.parts, -1, height, width)
        read = between(parts, y, x, outside=False).where(inside[:, None], 0)
        read = read.reshape(num, self.group, self.channels // self.group * points, rows * columns)
        weight = self.blobs[0].reshape(self.group, self.outputs // self.group, -1)
        top = (weight @ read).reshape(num, self.outputs, rows, columns)
        return top + self.blobs[1][:, None, None] if len(self.blobs) > 1 else top

    def _grid(self, like: Tensor, axis: int) -> Tensor:
        """Where each kernel point of each window is before it is moved: (points, rows, columns)."""
        kernel, stride, pad, dilation = (numbers[axis] for numbers in self.window)
        device, dtype = like.device, like.dtype
        windows = torch.arange(self.size[axis], device=device, dtype=dtype) * stride - pad
        points = torch.arange(kernel, device=device, dtype=dtype) * dilation
        if axis == 0:
            grid = (points[:, None] + windows)[:, None, :, None]
        else:
            grid = (points[:, None] + windows)[None, :, None, :]
        return grid.expand(*self.window.kernel, *self.size).reshape(-1, *self.size)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        # DeformConv takes what is half outside for half of it.
        pictures, moves = values(graph, bottoms)
        num, height, width = (pictures.size(axis) for axis in (0, 2, 3))
        rows, columns = moves.size(2), moves.size(3)
        points = self.window.kernel[0] * self.window.kernel[1]
        moves = moves.reshape(-1, points, 2, rows, columns)
        y, x = (
            moves.pick(2, axis) + self._grid_in_onnx(moves, axis, size)
            for axis, size in ((0, rows), (1, columns))
        )
        inside = (y >= 0) & (y < moves.number(height)) & (x >= 0) & (x < moves.number(width))
        y, x, inside = (part.reshape(0, -1) for part in (y.where(inside, 0), x.where(inside, 0), inside))
        parts = pictures.reshape(-1, self.channels // self.parts, height, width)
        read = between_in_onnx(parts, y, x, outside=False).where(inside.unsqueeze(1), 0)
        read = read.reshape(num, self.group, self.channels // self.group * points, -1)
        weight = blob(
            graph, self, 0, 1, self.group, self.outputs // self.group, self.channels // self.group * points
        )
        top = (weight @ read).reshape(num, self.outputs, rows, columns)
        if len(self.blobs) > 1:
            top = top + blob(graph, self, 1, self.outputs, 1, 1)
        top.write(tops[0])

    def _grid_in_onnx(self, like: Value, axis: int, size: Size) -> Value:
        """The nodes of `_grid`, which broadcasts."""
        stride, pad, dilation = (numbers[axis] for numbers in self.window[1:])
        windows = like.range(size, ONNX_FLOAT) * float(stride) - float(pad)
        place = np.indices(self.window.kernel)[axis].reshape(-1, 1, 1) * dilation
        return windows.reshape(*((-1, 1) if axis == 0 else (1, -1))) + place
