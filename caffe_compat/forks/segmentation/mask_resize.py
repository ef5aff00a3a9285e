"""MaskResize: masks in another height and width."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, Shape, layer


@layer("MaskResize")
class MaskResize(Layer):
    """top (N, C, output_height, output_width) = bottom between its positions, at i H / output_height, j W / output_width

    Fork: daijifeng001/caffe-mnc, src/caffe/layers/mask_resize_layer.cu; BestSonny/SSTD: factor_height, factor_width
    With a factor the size is the whole part of the bottom's times it. Points more than half a position behind the last
    one are 0. The gradient is the derivative; where a mask grows the fork's leaves out part of it.
    """

    num_bottom = num_top = 1
    fork_fields = ("mask_resize_param",)

    def setup(self, bottom: Shape) -> None:
        p = self.param.mask_resize_param
        if not p.output_height or not p.output_width:
            self.fail(
                f"output_height is {p.output_height} and output_width {p.output_width}; both must be set and above 0"
            )

    def reshape(self, bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom)
        p = self.param.mask_resize_param
        sizes = zip(
            bottom[2:],
            (p.factor_height, p.factor_width),
            (p.output_height, p.output_width),
            strict=True,
        )
        height, width = (int(n * factor) if factor > 0 else given for n, factor, given in sizes)
        if not height or not width:
            self.fail(
                f"factor_height {p.factor_height:g} and factor_width {p.factor_width:g} leave {height} x {width} of bottom "
                f"shape {bottom}; raise them"
            )
        self.size = height, width
        return [(*bottom[:2], height, width)]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        for axis, size in zip((2, 3), self.size, strict=True):
            bottom = _resampled(bottom, axis, size)
        return bottom


def _resampled(x: Tensor, axis: int, size: int) -> Tensor:
    """`x` at `size` points along an axis, from the first position on."""
    last = x.shape[axis] - 1
    point = torch.arange(size, dtype=x.dtype, device=x.device) * (x.shape[axis] / size)
    inside = point <= last + 0.5
    point = point.clamp(max=last)
    low = point.floor().long()
    shape = [-1 if i == axis else 1 for i in range(x.dim())]
    share = (point - low).view(shape)
    before, after = x.index_select(axis, low), x.index_select(axis, (low + 1).clamp(max=last))
    return (before * (1 - share) + after * share) * inside.view(shape)
