"""PSROIPooling: position-sensitive means of the bins of a region of interest."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.forks.rcnn.roi import Regions, round_away
from caffe_compat.layers.base import ONNX_INT64, OnnxGraph, Shape, layer
from caffe_compat.layers.common.onnx_values import ONNX_DOUBLE, Size, Value, values


@layer("PSROIPooling")
class PSROIPooling(Regions):
    """top[r, d, i, j] = mean of bottom0[record_r, (d G + i) G + j] over bin (i, j) of region r; 0 for an empty bin

    Fork: daijifeng001/caffe-rfcn, src/caffe/layers/psroi_pooling_layer.cu
    G is group_size, the top is (R, output_dim, G, G). A region is from round(corner) * spatial_scale to
    (round(corner) + 1) * spatial_scale, at least 0.1 long; bin i is from floor(i * step + start) to before
    ceil((i + 1) * step + start). Sums are taken in float64.
    """

    drawn_as = "window"
    fork_fields = ("psroi_pooling_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.psroi_pooling_param
        if p.output_dim <= 0 or p.group_size <= 0:
            self.fail(
                f"psroi_pooling_param.output_dim is {p.output_dim} and group_size is {p.group_size}; "
                "both must be set and above 0"
            )
        if not p.HasField("spatial_scale"):
            self.fail("psroi_pooling_param.spatial_scale must be set: positions of the feature map a pixel")
        self.scale, self.dim, self.group = p.spatial_scale, p.output_dim, p.group_size
        self.pooled = (self.group, self.group)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        ((count, channels, *pooled),) = super().reshape(*bottom)
        if channels != self.dim * self.group**2:
            self.fail(
                f"bottom 0 of shape {bottom[0]} has {channels} channels, but output_dim {self.dim} x group_size "
                f"{self.group} x {self.group} is {self.dim * self.group**2}; make them the same"
            )
        return [(count, self.dim, *pooled)]

    def forward(self, data: Tensor, regions: Tensor) -> Tensor:
        record, corners = self.regions(regions, data.shape[0])
        corners = round_away(corners)
        corners = torch.cat((corners[:, :2] * self.scale, (corners[:, 2:] + 1) * self.scale), 1)
        left, top, right, bottom = corners.unbind(1)
        y0, y1 = self._bins(top, bottom, self.height)
        x0, x1 = self._bins(left, right, self.width)
        area = ((y1 - y0)[:, :, None] * (x1 - x0)[:, None]).clamp(min=0)

        # sums[..., y, x] is the sum of everything above y and left of x.
        maps = data.reshape(data.shape[0], self.dim, self.group, self.group, self.height, self.width)
        sums = F.pad(maps.double().cumsum(4).cumsum(5), (1, 0, 1, 0))
        group = torch.arange(self.group, device=data.device)

        def corner(y: Tensor, x: Tensor) -> Tensor:
            return sums[record[:, None, None], :, group[:, None], group, y[:, :, None], x[:, None]]

        total = corner(y1, x1) - corner(y0, x1) - corner(y1, x0) + corner(y0, x0)
        mean = (total / area.clamp(min=1)[..., None]).masked_fill((area == 0)[..., None], 0)
        return mean.to(data.dtype).permute(0, 3, 1, 2).contiguous()

    def _bins(self, start: Tensor, end: Tensor, size: int) -> tuple[Tensor, Tensor]:
        step = ((end - start).clamp(min=0.1) / self.group)[:, None]
        number = torch.arange(self.group, dtype=step.dtype, device=step.device)
        first = (number * step + start[:, None]).floor()
        last = ((number + 1) * step + start[:, None]).ceil()
        # A bin that ends before it starts has no positions: end it where it starts, so its area is 0.
        first, last = first.clamp(0, size).long(), last.clamp(0, size).long()
        return first, torch.maximum(first, last)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        data, regions = values(graph, bottoms)
        record, corners = self.regions_in_onnx(data, regions)
        corners = corners.round_away()
        low, high = corners.part(1, 0, 2) * self.scale, (corners.part(1, 2) + 1.0) * self.scale
        height, width, group = data.size(2), data.size(3), self.group
        y0, y1 = self._bins_in_onnx(low.part(1, 1, 2), high.part(1, 1, 2), height)
        x0, x1 = self._bins_in_onnx(low.part(1, 0, 1), high.part(1, 0, 1), width)
        area = (y1 - y0).unsqueeze(2) * (x1 - x0).unsqueeze(1)

        # As in forward: sums[..., y, x] is the sum of everything above y and left of x.
        sums = data.cast(ONNX_DOUBLE)
        for axis in (2, 3):
            sums = sums.op("CumSum", sums.of(axis, ONNX_INT64))
        sums = sums.padded((0, 0), (0, 0), (1, 0), (1, 0)).reshape(-1)
        wide = data.whole(width) + 1
        plane = (data.whole(height) + 1) * wide
        # (R, dim, group, group): the map of each value
        maps = np.arange(self.dim * group * group).reshape(1, self.dim, group, group)
        start = record.unsqueeze(1, 2, 3) * maps.size + maps

        def corner(y: Value, x: Value) -> Value:
            place = (y * wide).unsqueeze(2) + x.unsqueeze(1)
            return sums.take(0, start * plane + place.unsqueeze(1))

        total = corner(y1, x1) - corner(y0, x1) - corner(y1, x0) + corner(y0, x0)
        mean = total / area.most(1).cast(ONNX_DOUBLE).unsqueeze(1)
        mean.float().where(area.unsqueeze(1) > 0, 0).write(tops[0])

    def _bins_in_onnx(self, start: Value, end: Value, size: Size) -> tuple[Value, Value]:
        """The nodes of `_bins`."""
        step = (end - start).most(0.1) / float(self.group)
        edges = (np.arange(self.group, dtype=np.float32) + i for i in (0, 1))
        first, last = (
            (step * edge + start).op(rounds).clamp(0, start.number(size)).long()
            for edge, rounds in zip(edges, ("Floor", "Ceil"), strict=True)
        )
        return first, last.most(first)
