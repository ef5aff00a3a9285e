"""ImResize: the maps of a pose net, enlarged and averaged over scales."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, Shape, layer


@layer("ImResize")
class ImResize(Layer):
    """top = the mean over records of their middles, each resized to one size by Catmull-Rom interpolation

    Fork: CMU-Perceptual-Computing-Lab/caffe_rtpose, src/caffe/cpm/layers/imresize_layer.cu (its CPU code differs)
    The size is `factor` times the bottom's, or target_spatial_height x target_spatial_width. Record n of the batch is the
    picture at scale start_scale - n scale_gap, in the middle of as many pixels: floor(size / 2 (1 - scale)) are cut off
    on each side. There is no gradient.
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("imresize_param",)

    def setup(self, bottom: Shape) -> None:
        p = self.param.imresize_param
        self.factor, self.start, self.gap = p.factor, p.start_scale, p.scale_gap
        self.target = (p.target_spatial_height, p.target_spatial_width)

    def reshape(self, bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom)
        self.sizes = tuple(int(size * self.factor) for size in bottom[2:]) if self.factor else self.target
        self.cuts = [
            tuple(math.floor(size // 2 * (1 - self.start + n * self.gap)) for size in bottom[2:])
            for n in range(bottom[0])
        ]
        for cut in self.cuts:
            if any(not 0 <= 2 * c < size for c, size in zip(cut, bottom[2:], strict=True)):
                self.fail(
                    f"bottom shape {bottom} with start_scale {self.start:g} and scale_gap {self.gap:g} leaves nothing of "
                    f"record {self.cuts.index(cut)}, of which {cut} are cut off on each side; lower the scale_gap"
                )
        return [(1, bottom[1], *self.sizes)]

    def forward(self, bottom: Tensor) -> Tensor:
        total = bottom.new_zeros((bottom.shape[1], *self.sizes))
        for maps, (above, left) in zip(bottom.detach(), self.cuts, strict=True):
            maps = maps[:, above : maps.shape[1] - above, left : maps.shape[2] - left]
            total = total + _cubic(_cubic(maps, 1, self.sizes[0]), 2, self.sizes[1])
        return total.unsqueeze(0) / len(bottom)


def _cubic(maps: Tensor, axis: int, size: int) -> Tensor:
    """`maps` with `size` values along an axis."""
    before = maps.shape[axis]
    at = (torch.arange(size, device=maps.device, dtype=maps.dtype) - (size / before / 2 - 0.5)) * (
        before / size
    )
    first = (at + 1e-5).trunc().long().clamp(min=0)
    t = (at - first).reshape(-1, *[1] * (2 - axis))
    near = [
        (first - 1).clamp(min=0),
        first,
        (first + 1).clamp(max=before - 1),
        (first + 2).clamp(max=before - 1),
    ]
    v0, v1, v2, v3 = (maps.index_select(axis, index) for index in near)
    cube = -0.5 * v0 + 1.5 * v1 - 1.5 * v2 + 0.5 * v3
    square = v0 - 2.5 * v1 + 2 * v2 - 0.5 * v3
    return cube * t**3 + square * t**2 + (-0.5 * v0 + 0.5 * v2) * t + v1
