"""Nms: the peaks of a pose net's maps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import Layer, Shape, layer


@layer("Nms")
class Nms(Layer):
    """top[n, part] = the number of peaks of a map, then x, y and score of the first max_peaks of them, row by row

    Fork: CMU-Perceptual-Computing-Lab/caffe_rtpose, src/caffe/cpm/layers/nms_layer.cu (its CPU code differs)
    Tops: 0 (N, num_parts, max_peaks + 1, 3). A peak is above `threshold` and above its eight neighbours, and not on the
    border. Its x and y are the mean of the places in 7 x 7 around it with a value above 0, weighed by that value; places
    in row or column 0, and in rows from the map's width on, do not count. Unused places are 0. There is no gradient.
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("nms_param",)

    def setup(self, bottom: Shape) -> None:
        p = self.param.nms_param
        self.threshold, self.parts, self.most = p.threshold, p.num_parts, p.max_peaks

    def reshape(self, bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom)
        if bottom[1] < self.parts:
            self.fail(
                f"bottom shape {bottom} has {bottom[1]} channels and nms_param.num_parts is {self.parts}; lower it"
            )
        return [(bottom[0], self.parts, self.most + 1, 3)]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        maps = bottom.detach()[:, : self.parts]
        number, parts, height, width = maps.shape
        peaks = torch.zeros_like(maps, dtype=torch.bool)
        middle = maps[:, :, 1:-1, 1:-1]
        inside = middle > self.threshold
        for dy in range(3):
            for dx in range(3):
                if (dy, dx) != (1, 1):
                    inside &= middle > maps[:, :, dy : dy + height - 2, dx : dx + width - 2]
        peaks[:, :, 1:-1, 1:-1] = inside
        column = torch.arange(width, device=maps.device, dtype=maps.dtype)
        row = torch.arange(height, device=maps.device, dtype=maps.dtype)[:, None]
        counted = (row > 0) & (row < width) & (column > 0)
        weight = torch.where(counted, maps.clamp(min=0), 0)
        sums = [
            F.avg_pool2d(value, 7, stride=1, padding=3, divisor_override=1)
            for value in (weight * column, weight * row, weight)
        ]
        found = torch.stack((sums[0] / sums[2], sums[1] / sums[2], maps), -1).flatten(2, 3)
        order = peaks.flatten(2).to(torch.uint8).sort(dim=2, descending=True, stable=True)
        count = order.values.sum(2, dtype=maps.dtype)
        kept = min(self.most, height * width)
        taken = found.gather(2, order.indices[:, :, :kept, None].expand(-1, -1, -1, 3))
        taken = torch.where(order.values[:, :, :kept, None] > 0, taken, 0)
        top = maps.new_zeros((number, parts, self.most + 1, 3))
        top[:, :, 1 : kept + 1] = taken
        top[:, :, 0, 0] = count
        return top
