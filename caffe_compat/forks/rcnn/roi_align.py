"""ROIAlign: regions of interest read between positions, as corners of bins or as means."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.forks.rcnn.roi import Regions
from caffe_compat.layers.base import ONNX_FLOAT, OnnxGraph, Shape, layer
from caffe_compat.layers.common.onnx_values import Value, values


@layer("ROIAlign")
class ROIAlign(Regions):
    """top[r, c] = bottom0[record_r, c] between its positions, at points of region r; 0 at points outside the map

    Fork: zhaoweicai/cascade-rcnn, src/caffe/layers/roi_align_layer.cpp
    With `roi_pooling_param` the points are the corners of the bins, so the top is (R, C, pooled_h + 1,
    pooled_w + 1) and a pooling layer averages it; position p of the map is the pixel (p + 0.5) / spatial_scale,
    and a region without width or height gives 0. With `roi_align_param`, as in Caffe2 and ONNX, a bin is the
    mean of sampling_ratio x sampling_ratio points (not set: as many as the bin has positions), position p is the
    pixel p / spatial_scale, and a region is at least 1 x 1 positions.
    """

    drawn_as = "window"
    fork_fields = ("roi_pooling_param", "roi_align_param")

    def setup(self, *bottom: Shape) -> None:
        self.averaged = self.param.HasField("roi_align_param")
        if self.averaged == self.param.HasField("roi_pooling_param"):
            self.fail(
                "needs either roi_align_param (Caffe2's form) or roi_pooling_param (Cascade R-CNN's), not both"
            )
        own, others = self.param.roi_align_param, self.param.roi_pooling_param
        p = own if self.averaged else others
        height, width = self.pooled_size(p.pooled_h, p.pooled_w)
        self.bins, self.scale = (height, width), p.spatial_scale
        self.pooled = self.bins if self.averaged else (height + 1, width + 1)
        self.sampling = max(0, own.sampling_ratio) if self.averaged else 1
        self.pad_ratio = 0.0 if self.averaged else others.pad_ratio
        if not self.sampling:
            self.dynamic = True  # how many points there are depends on the regions' sizes

    def forward(self, data: Tensor, regions: Tensor) -> Tensor:
        record, corners = self.regions(regions, data.shape[0])
        return self._averages(data, record, corners) if self.averaged else self._grid(data, record, corners)

    def _grid(self, data: Tensor, record: Tensor, corners: Tensor) -> Tensor:
        corners = self.padded(corners, self.pad_ratio) * self.scale - 0.5
        size = corners[:, 2:] - corners[:, :2]
        points = [
            torch.arange(count + 1, dtype=data.dtype, device=data.device) * (size[:, axis, None] / count)
            + corners[:, axis, None]
            for axis, count in ((1, self.bins[0]), (0, self.bins[1]))
        ]
        inside = [
            (p >= -0.5) & (p <= size - 0.5) for p, size in zip(points, (self.height, self.width), strict=True)
        ]
        inside = [mask & (size > 0).all(1, keepdim=True) for mask in inside]
        return self.between(data, record, *points, *inside)

    def _averages(self, data: Tensor, record: Tensor, corners: Tensor) -> Tensor:
        corners = corners * self.scale
        step = [
            ((corners[:, axis + 2] - corners[:, axis]).clamp(min=1) / count)[:, None]
            for axis, count in ((1, self.bins[0]), (0, self.bins[1]))
        ]
        points, inside, counts = [], [], []
        for axis, bins, step_size, size in zip(
            (1, 0), self.bins, step, (self.height, self.width), strict=True
        ):
            count = step_size.ceil() if not self.sampling else torch.full_like(step_size, self.sampling)
            most = self.sampling or int(count.max()) if count.numel() else 1
            sample = torch.arange(most, dtype=data.dtype, device=data.device)
            number = torch.arange(bins, dtype=data.dtype, device=data.device)
            first = corners[:, axis, None] + number * step_size
            point = first[..., None] + ((sample + 0.5) * step_size / count)[:, None]
            inside.append(((point >= -1) & (point <= size) & (sample < count)[:, None]).flatten(1))
            points.append(point.flatten(1))
            counts.append(count)
        values = self.between(data, record, *points, *inside)
        values = values.unflatten(3, (self.bins[1], -1)).sum(4).unflatten(2, (self.bins[0], -1)).sum(3)
        return values / (counts[0] * counts[1])[:, :, None, None]

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if not self.averaged:
            self._grid_in_onnx(*values(graph, bottoms)).write(tops[0])
            return
        data, regions = bottoms
        if len(graph.shape(regions)) != 2:
            regions = graph.reshape(regions, [graph.shape(regions)[0], 5])
        record = graph.node("Cast", [graph.slice(regions, 1, 0, 1)], to=7)  # int64
        record = graph.node("Squeeze", [record, graph.constant([1])])
        more = {} if graph.opset < 16 else {"coordinate_transformation_mode": "output_half_pixel"}
        graph.node(
            "RoiAlign",
            [data, graph.slice(regions, 1, 1, None), record],
            tops,
            output_height=self.bins[0],
            output_width=self.bins[1],
            sampling_ratio=self.sampling,
            spatial_scale=self.scale,
            mode="avg",
            **more,
        )

    def _grid_in_onnx(self, data: Value, regions: Value) -> Value:
        """The nodes of `_grid`."""
        record, corners = self.regions_in_onnx(data, regions)
        corners = self.padded_in_onnx(corners, self.pad_ratio) * self.scale - 0.5
        low, size = corners.part(1, 0, 2), corners.part(1, 2) - corners.part(1, 0, 2)
        proper = (size > 0).all(1).unsqueeze(1)
        points, inside = [], []
        for axis, count in ((1, self.bins[0]), (0, self.bins[1])):
            step = size.part(1, axis, axis + 1) / float(count)
            point = step.range(count + 1, ONNX_FLOAT) * step + low.part(1, axis, axis + 1)
            length = data.number(data.size(3 - axis))
            points.append(point)
            inside.append((point >= -0.5) & (point <= length - 0.5) & proper)
        return self.between_in_onnx(data, record, *points, *inside)
