"""Correlation, Correlation1D: how alike two pictures are, moved against each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import Layer, Shape, layer
from caffe_compat.proto import CorrelationParameter


class _Correlation(Layer):
    num_bottom, num_top = 2, 1
    in_place = False
    fork_fields = ("correlation_param",)
    upright: bool  # whether the pictures are moved up and down, too

    def setup(self, *bottom: Shape) -> None:
        p = self.param.correlation_param
        if not p.HasField("kernel_size") or not p.HasField("max_displacement"):
            self.fail("correlation_param.kernel_size and max_displacement must be set")
        if p.kernel_size % 2 == 0:
            self.fail(f"correlation_param.kernel_size is {p.kernel_size} and must be odd")
        if min(p.stride_1, p.stride_2) < 1:
            self.fail(
                f"correlation_param has stride_1 {p.stride_1} and stride_2 {p.stride_2}; both must be above 0"
            )
        if p.single_direction not in ((0,) if self.upright else (-1, 0, 1)):
            choice = "only Correlation1D has one" if self.upright else "use -1, 0 or 1"
            self.fail(f"correlation_param.single_direction is {p.single_direction}; {choice}")
        self.kernel, self.reach, self.pad = p.kernel_size, p.max_displacement, p.pad
        self.stride, self.subtracts = p.stride_1, p.correlation_type == CorrelationParameter.SUBTRACT
        radius = p.max_displacement // p.stride_2
        first = {0: -radius, 1: 0, -1: -radius - 1}[p.single_direction]
        count = radius + 1 if p.single_direction else 2 * radius + 1
        steps = [(first + i) * p.stride_2 for i in range(count)]
        self.moves = [(y, x) for y in (steps if self.upright else [0]) for x in steps]

    def reshape(self, *bottom: Shape) -> list[Shape]:
        for shape in bottom:
            self.check_pictures(shape)
        if bottom[0] != bottom[1]:
            self.fail(f"bottom 0 of shape {bottom[0]} and bottom 1 of shape {bottom[1]} must be of one shape")
        num, _, height, width = bottom[0]
        room = 2 * self.pad - 2 * self.reach
        rows = -(-(height + (room if self.upright else 0) - self.kernel + 1) // self.stride)
        columns = -(-(width + room - self.kernel + 1) // self.stride)
        if min(rows, columns) < 1:
            self.fail(
                f"bottom shape {bottom[0]} gives a top of {rows} x {columns} with kernel_size {self.kernel}, "
                f"max_displacement {self.reach} and pad {self.pad}; enlarge the input or the pad"
            )
        self.size = (rows, columns)
        return [(num, len(self.moves), rows, columns)]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return math.prod(top[0]) * bottom[0][1] * self.kernel**2

    def per_record(self) -> bool:
        return True

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        pad, (rows, columns) = self.pad, self.size
        above = pad if self.upright else 0
        height, width = left.shape[2] + 2 * above, left.shape[3] + 2 * pad
        tall, wide = (max(abs(step) for step in steps) for steps in zip(*self.moves, strict=True))
        left = F.pad(left, (pad, pad, above, above))
        right = F.pad(right, (pad + wide, pad + wide, above + tall, above + tall))
        start = self.reach if self.upright else 0
        tops = []
        for y, x in self.moves:
            moved = right[..., tall + y : tall + y + height, wide + x : wide + x + width]
            alike = (left - moved).abs() if self.subtracts else left * moved
            means = alike.mean(1, keepdim=True)[..., start:, self.reach :]
            tops.append(F.avg_pool2d(means, self.kernel, self.stride)[..., :rows, :columns])
        return torch.cat(tops, 1)


@layer("Correlation")
class Correlation(_Correlation):
    """top[n, o, y, x] = mean over channels and a kernel_size window of bottom0 at (y, x) times bottom1, moved by o

    Fork: lmb-freiburg/flownet2, src/caffe/layers/correlation_layer.cu
    Movements are stride_2 pixels, from -R to R down and from -R to R to the right, R = max_displacement / stride_2, row by
    row. Windows begin max_displacement from the corner of the bottoms, which have `pad` zeros at all sides, and are
    stride_1 apart. SUBTRACT: the mean of |bottom0 - bottom1|. do_abs means nothing, as there.
    """

    upright = True


@layer("Correlation1D")
class Correlation1D(_Correlation):
    """top[n, o, y, x] = mean over channels and a kernel_size window of bottom0 at (y, x) times bottom1, moved by o

    Fork: yangguorun/SegStereo, lmb-freiburg/flownet2, src/caffe/layers/correlation_layer1d.cu
    Movements are stride_2 pixels: from -R to R, R = max_displacement / stride_2; single_direction 1: 0 to R; -1: -R - 1
    to -1. Windows begin max_displacement from the left of the bottoms, which have `pad` zeros at both sides, and
    are stride_1 apart. SUBTRACT: the mean of |bottom0 - bottom1|. What is outside is 0. do_abs means nothing, as there.
    """

    upright = False
