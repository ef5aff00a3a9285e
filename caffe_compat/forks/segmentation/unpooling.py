"""Unpooling: pooling undone, as DeconvNet does it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.forks.segmentation.upsample import Upsample
from caffe_compat.layers.base import OnnxGraph, Shape, layer
from caffe_compat.proto import UnpoolingParameter


@layer("Unpooling")
class Unpooling(Upsample):
    """top[mask] = bottom0 and 0 elsewhere, plane by plane (MAX); each value over a window (TILE), or shared by it (AVE)

    Fork: HyeonwooNoh/caffe (DeconvNet), AlphaNext/CaffePlus, src/caffe/layers/unpooling_layer.cpp
    MAX without bottom 1, a pooling layer's mask, puts each value into the first place of its window. The plane is
    unpool_size x unpool_size, or unpool_h x unpool_w; else as large as windows of the kernel, stride apart, take, but at
    least one more than the bottom's size times stride. Windows that overlap add up. What lies outside is left out.
    """

    fork_fields = ("unpooling_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.unpooling_param
        self.masked = len(bottom) == 2
        self.method = p.unpool
        for name in ("kernel", "stride", "pad"):
            short = "kernel_size" if name == "kernel" else name
            if p.HasField(short) and (p.HasField(f"{name}_h") or p.HasField(f"{name}_w")):
                self.fail(f"{short} and {name}_h or {name}_w are both set; keep one form")
        self.kernel = (p.kernel_h or p.kernel_size, p.kernel_w or p.kernel_size)
        self.stride = (p.stride_h or p.stride, p.stride_w or p.stride)
        if min(*self.kernel, *self.stride) < 1:
            self.fail(f"kernel is {self.kernel} and stride {self.stride}; both must be set and above 0")
        if p.pad or p.pad_h or p.pad_w:
            self.fail("pad is set, which the fork's layer refuses, too; remove it")
        unpooled = (p.unpool_h or p.unpool_size, p.unpool_w or p.unpool_size)
        self.size: tuple[int, int] | None = unpooled if min(unpooled) > 0 else None
        if self.masked and self.method != UnpoolingParameter.MAX:
            self.fail("has a mask as bottom 1, which only MAX reads; remove it")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom[0])
        self.scale, self.cut = (1, 1), (0, 0)
        height, width = (
            max((size - 1) * stride + kernel, size * stride + 1)
            for size, stride, kernel in zip(bottom[0][2:], self.stride, self.kernel, strict=True)
        )
        given, self.size = self.size, self.size or (height, width)
        tops = super().reshape(*bottom)
        self.size = given
        return tops

    def forward(self, bottom: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.method != UnpoolingParameter.MAX:
            return self._spread(bottom)
        if mask is None:
            places = [
                (torch.arange(size, device=bottom.device) * stride).clamp(max=plane - 1)
                for size, stride, plane in zip(bottom.shape[2:], self.stride, self.plane, strict=True)
            ]
            index = places[0][:, None] * self.plane[1] + places[1]
            index = index.expand(bottom.shape).flatten(2)
            top = bottom.new_zeros(*bottom.shape[:2], math.prod(self.plane))
            return top.scatter(2, index, bottom.flatten(2)).unflatten(2, self.plane)
        return super().forward(bottom, mask)

    def _spread(self, x: Tensor) -> Tensor:
        if self.method == UnpoolingParameter.AVE:
            counts = [
                (plane - torch.arange(size, device=x.device) * stride).clamp(max=kernel)
                for size, stride, kernel, plane in zip(
                    x.shape[2:], self.stride, self.kernel, self.plane, strict=True
                )
            ]
            x = x / (counts[0][:, None] * counts[1]).clamp(min=1)
        ones = x.new_ones(x.shape[1], 1, *self.kernel)
        top = F.conv_transpose2d(x, ones, stride=self.stride, groups=x.shape[1])
        room = [plane - size for plane, size in zip(self.plane, top.shape[2:], strict=True)]
        return F.pad(top, [0, room[1], 0, room[0]])

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if not self.masked:
            self.fail(
                "cannot be exported without a mask of a pooling layer as bottom 1; name blobs before this layer with --outputs"
            )
        super().to_onnx(graph, bottoms, tops)
