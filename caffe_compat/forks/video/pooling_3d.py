"""Pooling3D, NdPooling, and Pooling whose fields are given once an axis: over volumes and other numbers of axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.forks.video.convolution_3d import single, window_shapes
from caffe_compat.layers.base import Context, Layer, OnnxGraph, Shape, form, layer
from caffe_compat.layers.convolution import Window
from caffe_compat.layers.pooling import LOWEST, Pooling
from caffe_compat.proto import LayerParameter, PoolingParameter

MAX, AVE = PoolingParameter.MAX, PoolingParameter.AVE
_BY_AXIS = ("kernel_size__list", "stride__list", "pad__list", "dilation")  # what is given once an axis
_MAXIMUM = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_MEAN = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


class _Pooling(Layer):
    """Windows over all axes after the channels; their number is rounded up."""

    num_bottom = num_top = 1
    drops = False  # whether a last window that starts in the far pad is dropped
    method: int
    kernel: Shape
    stride: Shape
    pad: Shape
    dilation: Shape = ()  # of a maximum: 1 on every axis if it is empty
    weights: Tensor  # how many places of each window a mean divides by; empty where it is all of them

    def __init__(self, param: LayerParameter, phase: int, context: Context | None = None):
        super().__init__(param, phase, context)
        self.register_buffer("weights", torch.empty(0, dtype=self.context.dtype), persistent=False)

    def reshape(self, bottom: Shape) -> list[Shape]:
        if len(bottom) != 2 + len(self.kernel):
            self.fail(f"bottom shape {bottom} has {len(bottom)} axes, {2 + len(self.kernel)} are needed")
        sizes, edges, counts = [], [], []
        extent = Window(self.kernel, self.stride, self.pad, self.dilation or (1,) * len(self.kernel)).extent
        for size, kernel, stride, pad in zip(bottom[2:], extent, self.stride, self.pad, strict=True):
            count = math.ceil((size + 2 * pad - kernel) / stride) + 1
            if self.drops and pad and (count - 1) * stride >= size + pad:
                count -= 1
            if count < 1:
                self.fail(
                    f"bottom shape {bottom} with kernel {self.kernel}, stride {self.stride} and pad {self.pad} gives "
                    f"no window; enlarge the input or lower the kernel"
                )
            sizes.append(count)
            edges.append((pad, (count - 1) * stride + kernel - size - pad))
            counts.append([self.counted(at * stride - pad, size, kernel, pad) for at in range(count)])
        self.edges: list[int] = [edge for pair in reversed(edges) for edge in pair]
        whole = all(count == kernel for axis, kernel in zip(counts, extent, strict=True) for count in axis)
        self.weights = (torch.empty(0) if whole else _outer(counts)).to(self.weights)
        return [(*bottom[:2], *sizes)]

    def counted(self, start: int, size: int, kernel: int, pad: int) -> int:
        """How many places of a window along one axis a mean divides by."""
        return kernel

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        axes = len(self.kernel)
        if self.method == MAX:
            padded = F.pad(bottom, self.edges, value=LOWEST)
            return _MAXIMUM[axes](padded, self.kernel, self.stride, dilation=self.dilation or 1)
        mean = _MEAN[axes](F.pad(bottom, self.edges), self.kernel, self.stride)
        return mean * (math.prod(self.kernel) / self.weights) if self.weights.numel() else mean

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        near, far = self.edges[-2::-2], [max(0, edge) for edge in self.edges[::-2]]
        value = bottoms[0]
        window: dict[str, Any] = {"kernel_shape": list(self.kernel), "strides": list(self.stride)}
        if any(near) or any(far):
            outside = graph.constant(LOWEST if self.method == MAX else 0.0)
            value = graph.node("Pad", [value, graph.constant([0, 0, *near, 0, 0, *far]), outside])
        if self.method == MAX:
            gaps = {"dilations": list(self.dilation)} if max(self.dilation, default=1) > 1 else {}
            graph.node("MaxPool", [value], tops, **window, **gaps)
        elif not self.weights.numel():
            graph.node("AveragePool", [value], tops, **window)
        else:
            factor = (math.prod(self.kernel) / self.weights).tolist()
            graph.node("Mul", [graph.node("AveragePool", [value], **window), graph.constant(factor)], tops)


def _outer(counts: Sequence[Sequence[int]]) -> Tensor:
    """The products of one number an axis, for every window."""
    product = torch.ones((), dtype=torch.float64)
    for axis in counts:
        product = product.unsqueeze(-1) * torch.tensor(axis, dtype=torch.float64)
    return product


@layer("Pooling3D")
class Pooling3D(_Pooling):
    """top = maximum (MAX) or mean (AVE) of each window of bottom (N, C, L, H, W)

    Fork: facebookarchive/C3D
    kernel_size, stride and pad are of height and width, kernel_depth and temporal_stride of the length, which has no
    pad, in pooling3d_param (C3D 1.1) or pooling_param (C3D 1.0). Sizes are rounded up and no window is dropped: one
    that starts past the end gives -FLT_MAX or 0. A mean divides by the part of the window inside the bottom with its
    pads. Of equal values, the first takes the gradient; all of them do in C3D. kernel_l and stride_l, the words of
    nets of pseudo-3D residual networks, mean kernel_depth and temporal_stride.
    """

    fork_fields = (
        "pooling3d_param",
        *(f"pooling3d_param.{name}_l" for name in ("kernel", "stride", "pad")),
        *(f"pooling_param.{name}" for name in ("kernel_depth", "temporal_stride")),
    )

    def setup(self, bottom: Shape) -> None:
        has_own = self.param.HasField("pooling3d_param")
        own = self.param.pooling3d_param
        p = own if has_own else self.param.pooling_param
        lengths = has_own and (p.HasField("kernel_l") or p.HasField("stride_l"))
        names = ("kernel_l", "stride_l") if lengths else ("kernel_depth", "temporal_stride")
        size, depth = single(self, p, "kernel_size", 0, 1), single(self, p, names[0], 0, 1)
        stride, step = single(self, p, "stride", 1, 1), single(self, p, names[1], 1, 1)
        if has_own and own.pad_l:
            self.fail(f"pad_l is {own.pad_l}, and the length has no pad; use pad_l 0")
        self.kernel, self.stride, self.pad = (depth, size, size), (step, stride, stride), (0, p.pad, p.pad)
        self.method = p.pool
        if self.method not in (MAX, AVE):
            self.fail("pool: STOCHASTIC is not known for volumes; use MAX or AVE")
        if p.pad and self.method != AVE:
            self.fail(f"pad is {p.pad}, and only AVE pooling of volumes has one; use pad 0 or AVE")

    def counted(self, start: int, size: int, kernel: int, pad: int) -> int:
        return min(start + kernel, size + pad) - start


@form("Pooling", lambda param: any(len(getattr(param.pooling_param, name)) for name in _BY_AXIS))
class PoolingOverAxes(_Pooling, Pooling):
    """Pooling whose kernel_size, stride or pad is given once an axis, or that has a dilation: any number of axes

    Forks: naibaf7/caffe, VisionLearningGroup/R-C3D (Pooling)
    Sizes and means are Pooling's. dilation, of MAX only, is the distance of the places that a window looks at.
    """

    num_top = 1
    fork_fields = (*Pooling.fork_fields, *(f"pooling_param.{name}" for name in _BY_AXIS))
    drops = True

    def setup(self, bottom: Shape) -> None:
        p, axes = self.param.pooling_param, len(bottom) - 2
        if not 1 <= axes <= 3:
            self.fail(f"the bottom has {axes} axes after the channels; 1 to 3 are known")
        self.method = p.pool
        if self.method not in (MAX, AVE):
            self.fail("pool: STOCHASTIC is not known for windows of one size an axis; use MAX or AVE")
        if p.global_pooling:
            self.fail("global_pooling takes the whole bottom as kernel; remove kernel_size and dilation")
        self.kernel = self._numbers("kernel_size", "kernel", axes)
        self.stride = self._numbers("stride", "stride", axes)
        self.pad = self._numbers("pad", "pad", axes)
        self.dilation = tuple(p.dilation) * (axes if len(p.dilation) == 1 else 1) or (1,) * axes
        if len(self.dilation) != axes or min(self.dilation) < 1:
            self.fail(f"dilation is {self.dilation}; give one number above 0, or {axes} of them")
        if min(self.kernel) < 1 or min(self.stride) < 1:
            self.fail(f"kernel {self.kernel} and stride {self.stride} must be above 0 on every axis")
        if any(pad >= kernel for pad, kernel in zip(self.pad, self.kernel, strict=True)):
            self.fail(f"pad {self.pad} must be below kernel {self.kernel} on every axis; lower the pad")
        if max(self.dilation) > 1 and self.method != MAX:
            self.fail(f"dilation is {self.dilation}, and only MAX pooling has one; use dilation 1 or MAX")

    def _numbers(self, name: str, short: str, axes: int) -> Shape:
        p = self.param.pooling_param
        values = tuple(getattr(p, f"{name}__list")) or (getattr(p, name),)
        pair = (f"{short}_h", f"{short}_w")
        if any(map(p.HasField, pair)):
            if axes != 2:
                self.fail(
                    f"{pair[0]} and {pair[1]} are for 2 axes and there are {axes}; give {name} once an axis"
                )
            values = (getattr(p, pair[0]), getattr(p, pair[1]))
        if len(values) == 1:
            values *= axes
        if len(values) != axes:
            self.fail(f"{name} is given {len(values)} times for {axes} axes; give it once, or once an axis")
        return values

    def counted(self, start: int, size: int, kernel: int, pad: int) -> int:
        return min(start + kernel, size + pad) - start


@layer("NdPooling")
class NdPooling(_Pooling):
    """top = maximum (MAX) or mean (AVE) of each window over all axes after the channels

    Fork: chuckcho/video-caffe
    kernel_shape, stride_shape and pad_shape have one number an axis; global_pooling takes the whole bottom. Sizes are
    rounded up, and where an axis is padded a last window that starts in the far pad is dropped. A mean divides by the
    size of the kernel, wherever the window is.
    """

    drawn_as = "window"
    drops = True
    fork_fields = tuple(f"pooling_param.{name}_shape" for name in ("kernel", "stride", "pad"))

    def setup(self, bottom: Shape) -> None:
        p, axes = self.param.pooling_param, len(bottom) - 2
        self.kernel, self.stride, self.pad = window_shapes(self, p, axes)
        self.is_global, self.method = p.global_pooling, p.pool
        if self.method not in (MAX, AVE):
            self.fail("pool: STOCHASTIC is not known over any number of axes; use MAX or AVE")
        if any(pad >= kernel for pad, kernel in zip(self.pad, self.kernel, strict=True)):
            self.fail(
                f"pad_shape {self.pad} must be below kernel_shape {self.kernel} on every axis; lower it"
            )

    def reshape(self, bottom: Shape) -> list[Shape]:
        if self.is_global:
            self.kernel = bottom[2:]
        return super().reshape(bottom)
