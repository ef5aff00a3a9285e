"""ROIWarping: regions of interest read between positions, whose corners learn too."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.forks.rcnn.roi import Regions, round_away
from caffe_compat.layers.base import ONNX_FLOAT, OnnxGraph, Shape, layer
from caffe_compat.layers.common.onnx_values import values


@layer("ROIWarping")
class ROIWarping(Regions):
    """top[r, c, i, j] = bottom0[record_r, c] between its positions, at point (i, j) of region r; 0 outside the map

    Fork: daijifeng001/caffe-mnc, src/caffe/layers/roi_warping_layer.cu
    Corners are rounded to positions; point i of n along an axis is start + i (end - start) / n. Regions get a gradient,
    too, as if nothing had been rounded. Both gradients are derivatives; the fork's leave parts out: of the map, what
    several points of a small region have of one position; of the regions, a share of 1 / (size + 1), and all points
    in the last row or column.
    """

    moves = True
    fork_fields = ("roi_warping_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.roi_warping_param
        self.pooled = self.pooled_size(p.pooled_h, p.pooled_w)
        self.scale = p.spatial_scale

    def forward(self, data: Tensor, regions: Tensor) -> Tensor:
        record, corners = self.regions(regions, data.shape[0])
        corners = corners * self.scale
        corners = corners + (round_away(corners) - corners).detach()
        points = [
            corners[:, axis, None]
            + torch.arange(count, dtype=data.dtype, device=data.device)
            * ((corners[:, axis + 2] - corners[:, axis]).clamp(min=0) / count)[:, None]
            for axis, count in ((1, self.pooled[0]), (0, self.pooled[1]))
        ]
        inside = [
            (p >= -0.5) & (p <= size - 0.5) for p, size in zip(points, (self.height, self.width), strict=True)
        ]
        return self.between(data, record, *points, *inside)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        data, regions = values(graph, bottoms)
        record, corners = self.regions_in_onnx(data, regions)
        corners = (corners * self.scale).round_away()
        low, size = corners.part(1, 0, 2), (corners.part(1, 2) - corners.part(1, 0, 2)).most(0)
        points, inside = [], []
        for axis, count in ((1, self.pooled[0]), (0, self.pooled[1])):
            step = size.part(1, axis, axis + 1) / float(count)
            point = low.part(1, axis, axis + 1) + step.range(count, ONNX_FLOAT) * step
            points.append(point)
            inside.append((point >= -0.5) & (point <= data.number(data.size(3 - axis)) - 0.5))
        self.between_in_onnx(data, record, *points, *inside).write(tops[0])
