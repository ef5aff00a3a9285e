"""Pooling of regions of interest: ROIPooling, PSROIPooling, ROIAlign, ROIWarping.

The second bottom holds regions, one a row: record number, left, top, right, bottom, in pixels of the picture.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import ONNX_FLOAT, ONNX_INT64, Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.common.legacy_shape import legacy_shape
from caffe_compat.layers.common.onnx_values import ONNX_DOUBLE, Size, Value, values


def round_away(x: Tensor) -> Tensor:
    """C's round: halves go away from 0, where torch's go to the even neighbour."""
    whole = x.trunc()
    return whole + x.sign() * ((x - whole).abs() >= 0.5)


class Regions(Layer):
    """A layer of feature maps (N, C, H, W) and regions (R, 5), whose top has one item a region.

    A record number outside the batch is an error on the CPU; elsewhere looking would mean waiting for the
    device, so the nearest record is read.
    """

    num_bottom: int | tuple[int, int | None] | None = 2
    num_top: int | tuple[int, int | None] | None = 1
    pooled: tuple[int, int]  # height and width of an item
    scale: float  # positions of the feature map a pixel
    moves = False  # whether the corners of regions get a gradient

    def allow_force_backward(self, index: int) -> bool:
        return index == 0 or self.moves

    def reshape(self, *bottom: Shape) -> list[Shape]:
        data, regions = bottom[:2]
        _, channels, self.height, self.width = legacy_shape(self, data)
        if len(regions) < 2 or math.prod(regions[1:]) != 5:
            self.fail(
                f"bottom 1 of shape {regions} has {math.prod(regions[1:])} numbers a region and must have 5: "
                "record, left, top, right, bottom; reshape it to R x 5"
            )
        return [(regions[0], channels, *self.pooled)]

    def pooled_size(self, height: int, width: int) -> tuple[int, int]:
        """The size of an item, which must be above 0."""
        if not height or not width:
            self.fail(f"pooled_h is {height} and pooled_w is {width}; both must be set and above 0")
        return height, width

    def regions(self, bottom: Tensor, records: int) -> tuple[Tensor, Tensor]:
        """The record numbers (R,) and the corners (R, 4) of bottom 1."""
        rows = (bottom if self.moves else bottom.detach()).reshape(-1, 5)
        record = rows[:, 0].detach().long()
        if record.device.type == "cpu" and not torch.compiler.is_compiling():
            bad = (record < 0) | (record >= records)
            if bad.any():
                self.fail(
                    f"a region is of record {int(record[bad][0])}, but bottom 0 has {records}; use 0 to {records - 1}"
                )
        return record.clamp(0, records - 1), rows[:, 1:]

    def between(
        self, data: Tensor, record: Tensor, y: Tensor, x: Tensor, inside_y: Tensor, inside_x: Tensor
    ) -> Tensor:
        """`data` at the points (R, Y) x (R, X), linear between positions: (R, C, Y, X)."""

        def neighbours(point: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
            point = point.clamp(0, size - 1)
            low = point.floor().long()
            return low, (low + 1).clamp(max=size - 1), point - low

        y0, y1, dy = neighbours(y, self.height)
        x0, x1, dx = neighbours(x, self.width)

        def at(row: Tensor, column: Tensor) -> Tensor:
            return data[record[:, None, None], :, row[:, :, None], column[:, None]]

        dy, dx = dy[:, :, None, None], dx[:, None, :, None]
        values = (1 - dy) * ((1 - dx) * at(y0, x0) + dx * at(y0, x1)) + dy * (
            (1 - dx) * at(y1, x0) + dx * at(y1, x1)
        )
        outside = ~(inside_y[:, :, None] & inside_x[:, None])
        return values.masked_fill(outside[..., None], 0).permute(0, 3, 1, 2)

    def padded(self, corners: Tensor, ratio: float) -> Tensor:
        """Corners moved out by `ratio` of the region's size on each side."""
        if not ratio:
            return corners
        pad = (corners[:, 2:] - corners[:, :2] + 1) * ratio
        return torch.cat((corners[:, :2] - pad, corners[:, 2:] + pad), 1)

    # -- in ONNX ------------------------------------------------------------------------------

    @staticmethod
    def regions_in_onnx(data: Value, bottom: Value) -> tuple[Value, Value]:
        """The nodes of `regions`; record numbers outside the batch are those of the nearest record."""
        rows = bottom.reshape(-1, 5)
        last = data.whole(data.size(0)).float() - 1.0
        return rows.pick(1, 0).clamp(0, last).long(), rows.part(1, 1)

    @staticmethod
    def padded_in_onnx(corners: Value, ratio: float) -> Value:
        """The nodes of `padded`."""
        if not ratio:
            return corners
        low, high = corners.part(1, 0, 2), corners.part(1, 2)
        pad = (high - low + 1.0) * ratio
        return (low - pad).joined([high + pad], 1)

    @staticmethod
    def between_in_onnx(
        data: Value, record: Value, y: Value, x: Value, inside_y: Value, inside_x: Value
    ) -> Value:
        """The nodes of `between`."""
        height, width = data.size(2), data.size(3)
        flat = data.transpose(0, 2, 3, 1).reshape(-1, data.size(1))

        def neighbours(point: Value, size: Size) -> tuple[Value, Value, Value]:
            last = data.number(size) - 1.0
            point = point.clamp(0, last)
            low = point.op("Floor")
            return low, (low + 1.0).least(last), point - low

        y0, y1, dy = neighbours(y, height)
        x0, x1, dx = neighbours(x, width)
        first = (record * data.whole(height)).unsqueeze(1)

        def at(row: Value, column: Value) -> Value:
            start = (row.long() + first) * data.whole(width)
            return flat.take(0, start.unsqueeze(2) + column.long().unsqueeze(1))

        dy, dx = dy.unsqueeze(2, 3), dx.unsqueeze(1, 3)
        upper = at(y0, x0) * (1.0 - dx) + at(y0, x1) * dx
        lower = at(y1, x0) * (1.0 - dx) + at(y1, x1) * dx
        found = upper * (1.0 - dy) + lower * dy
        inside = inside_y.unsqueeze(2) & inside_x.unsqueeze(1)
        return found.where(inside.unsqueeze(3), 0).transpose(0, 3, 1, 2)


@layer("ROIPooling")
class ROIPooling(Regions):
    """top[r, c, i, j] = max of bottom0[record_r, c] over bin (i, j) of region r; 0 for a bin outside the map

    Fork: rbgirshick/caffe-fast-rcnn, src/caffe/layers/roi_pooling_layer.cpp
    A region is round(corner * spatial_scale), both ends included, at least 1 x 1; bin i of n is from
    floor(i * size / n) to before ceil((i + 1) * size / n). `pad_ratio` (zhaoweicai/mscnn) makes regions larger.
    """

    fork_fields = ("roi_pooling_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.roi_pooling_param
        self.pooled = self.pooled_size(p.pooled_h, p.pooled_w)
        self.scale, self.pad_ratio = p.spatial_scale, p.pad_ratio

    def forward(self, data: Tensor, regions: Tensor) -> Tensor:
        record, corners = self.regions(regions, data.shape[0])
        corners = round_away(self.padded(corners, self.pad_ratio) * self.scale)
        left, top, right, bottom = corners.unbind(1)
        rows = bins(top, bottom, self.pooled[0], self.height)
        columns = bins(left, right, self.pooled[1], self.width)
        index, empty = largest(data.detach(), record, rows, columns)
        channels = torch.arange(data.shape[1], device=data.device)[:, None, None]
        index = index + (record[:, None, None, None] * data.shape[1] + channels) * (self.height * self.width)
        return data.reshape(-1)[index].masked_fill(empty[:, None], 0)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        data, regions = bottoms
        if len(graph.shape(regions)) != 2:
            regions = graph.reshape(regions, [graph.shape(regions)[0], 5])
        if self.pad_ratio:
            rows = Value(graph, regions)
            regions = (
                rows.part(1, 0, 1).joined([self.padded_in_onnx(rows.part(1, 1), self.pad_ratio)], 1).name
            )
        graph.node(
            "MaxRoiPool", [data, regions], tops, pooled_shape=list(self.pooled), spatial_scale=self.scale
        )


def bins(start: Tensor, end: Tensor, count: int, size: int) -> tuple[Tensor, Tensor]:
    """First position of and first position after each of `count` bins (R, count), inside 0 to `size`."""
    step = ((end - start + 1).clamp(min=1) / count)[:, None]
    number = torch.arange(count, dtype=step.dtype, device=step.device)
    first = (number * step).floor() + start[:, None]
    last = ((number + 1) * step).ceil() + start[:, None]
    return first.clamp(0, size).long(), last.clamp(0, size).long()


def largest(
    data: Tensor, record: Tensor, rows: tuple[Tensor, Tensor], columns: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Where in its H x W map each bin's largest value is (R, C, PH, PW), and which bins (R, PH, PW) are empty.

    Tables hold the largest of 2^i x 2^j neighbours from each position on; two windows of one size cover a
    bin along an axis, so four look-ups find its largest, whatever its size. Of equal values the first counts.
    """
    records, channels, height, width = data.shape
    tall, wide = rows[1] - rows[0], columns[1] - columns[0]
    empty = (tall <= 0)[:, :, None] | (wide <= 0)[:, None]
    # floor(log2(size)), and no more tables than the bins need, where looking costs nothing.
    tall, wide = (torch.frexp(size.clamp(min=1).double()).exponent.long() - 1 for size in (tall, wide))
    looking = data.device.type == "cpu" and not torch.compiler.is_compiling()
    levels = [
        int(level.max()) + 1 if looking and level.numel() else size.bit_length()
        for level, size in ((tall, height), (wide, width))
    ]

    value = data.permute(0, 2, 3, 1).contiguous()
    index = torch.arange(height * width, dtype=torch.int32, device=data.device).view(1, height, width, 1)
    tables = [(value, index.expand(value.shape))]
    for i in range(levels[0]):
        if i:
            tables.append(_doubled(tables[-levels[1]], 1, 1 << i - 1))
        for j in range(1, levels[1]):
            tables.append(_doubled(tables[-1], 2, 1 << j - 1))
    values, indices = (torch.stack(kind).view(-1, channels) for kind in zip(*tables, strict=True))

    def look_up(row: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
        table = tall[:, :, None] * levels[1] + wide[:, None]
        at = (table * records + record[:, None, None]) * (height * width)
        at = (at + row[:, :, None] * width + column[:, None]).masked_fill(empty, 0).view(-1)
        return values.index_select(0, at), indices.index_select(0, at)

    best = None
    for row in (rows[0], rows[1] - (1 << tall)):
        for column in (columns[0], columns[1] - (1 << wide)):
            found = look_up(row, column)
            best = found if best is None else _larger(best, found)
    assert best is not None
    return best[1].view(*empty.shape, channels).permute(0, 3, 1, 2).long(), empty


def _larger(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The larger values and their positions; of equal ones the smaller position."""
    take_b = (b[0] > a[0]) | ((b[0] == a[0]) & (b[1] < a[1]))
    return torch.where(take_b, b[0], a[0]), torch.where(take_b, b[1], a[1])


def _doubled(table: tuple[Tensor, Tensor], axis: int, step: int) -> tuple[Tensor, Tensor]:
    """The table of windows twice as long; what would reach past the edge is never looked up."""
    size = table[0].shape[axis]
    if step >= size:
        return table
    shifted = tuple(
        torch.cat((part.narrow(axis, step, size - step), part.narrow(axis, size - step, step)), axis)
        for part in table
    )
    return _larger(table, (shifted[0], shifted[1]))


@layer("PSROIPooling")
class PSROIPooling(Regions):
    """top[r, d, i, j] = mean of bottom0[record_r, (d G + i) G + j] over bin (i, j) of region r; 0 for an empty bin

    Fork: daijifeng001/caffe-rfcn, src/caffe/layers/psroi_pooling_layer.cu
    G is group_size, the top is (R, output_dim, G, G). A region is from round(corner) * spatial_scale to
    (round(corner) + 1) * spatial_scale, at least 0.1 long; bin i is from floor(i * step + start) to before
    ceil((i + 1) * step + start). Sums are taken in float64.
    """

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

    fork_fields = ("roi_pooling_param", "roi_align_param")

    def setup(self, *bottom: Shape) -> None:
        self.averaged = self.param.HasField("roi_align_param")
        if self.averaged == self.param.HasField("roi_pooling_param"):
            self.fail(
                "needs either roi_align_param (Caffe2's form) or roi_pooling_param (Cascade R-CNN's), not both"
            )
        p = self.param.roi_align_param if self.averaged else self.param.roi_pooling_param
        height, width = self.pooled_size(p.pooled_h, p.pooled_w)
        self.bins, self.scale = (height, width), p.spatial_scale
        self.pooled = self.bins if self.averaged else (height + 1, width + 1)
        self.sampling = max(0, p.sampling_ratio) if self.averaged else 1
        self.pad_ratio = 0.0 if self.averaged else p.pad_ratio
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
