"""ROIPooling: the largest value of each bin of a region of interest."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.forks.rcnn.roi import Regions, round_away
from caffe_compat.layers.base import OnnxGraph, Shape, layer
from caffe_compat.layers.common.onnx_values import Value


@layer("ROIPooling")
class ROIPooling(Regions):
    """top[r, c, i, j] = max of bottom0[record_r, c] over bin (i, j) of region r; 0 for a bin outside the map

    Fork: rbgirshick/caffe-fast-rcnn, src/caffe/layers/roi_pooling_layer.cpp
    A region is round(corner * spatial_scale), both ends included, at least 1 x 1; bin i of n is from
    floor(i * size / n) to before ceil((i + 1) * size / n). `pad_ratio` (zhaoweicai/mscnn) makes regions larger.
    """

    drawn_as = "window"
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
