"""What the layers that pool regions of interest share.

The second bottom holds regions, one a row: record number, left, top, right, bottom, in pixels of the picture.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, Shape
from caffe_compat.layers.common.legacy_shape import legacy_shape
from caffe_compat.layers.common.onnx_values import Size, Value


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
