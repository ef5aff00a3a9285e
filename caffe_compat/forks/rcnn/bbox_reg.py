"""What layers with a bbox_reg_param share: offsets from regions, and from fields around positions.

Regions are rows: record, left, top, right, bottom, in pixels. Offsets from a region are those of R-CNN: the move of
the centre over the size, and the logarithm of the change of size, less bbox_reg_param's mean, over its std.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, Shape, constant
from caffe_compat.layers.common.legacy_shape import legacy_shape


class Regression(Layer):
    """A layer with a bbox_reg_param; `mean` and `std` are its numbers, or 0 and 1."""

    def setup(self, *bottom: Shape) -> None:
        p = self.param.bbox_reg_param
        self.by_class = p.cls_aware
        self.mean, self.std = [0.0] * 4, [1.0] * 4
        if p.bbox_mean and p.bbox_std:
            self.mean, self.std = list(p.bbox_mean), list(p.bbox_std)
            if len(self.mean) != 4 or len(self.std) != 4 or min(self.std) <= 0:
                self.fail(
                    f"bbox_reg_param has bbox_mean {self.mean} and bbox_std {self.std}; give four of each, std above 0"
                )

    def offsets(self, x: Tensor, axis: int) -> Tensor:
        """Offsets as they are meant, of normalised ones whose four numbers stand along `axis`."""
        shape = [4 if i == axis else 1 for i in range(x.dim())]
        return x * constant(self.std, x).view(shape) + constant(self.mean, x).view(shape)

    def rows(self, bottom: Sequence[Shape], index: int, *widths: int) -> tuple[int, int]:
        """The legacy number and channels of a bottom, whose channels must be one of `widths` if any are given."""
        number, channels, *_ = legacy_shape(self, bottom[index])
        if widths and channels not in widths:
            wanted = " or ".join(map(str, widths))
            self.fail(
                f"bottom {index} of shape {bottom[index]} has {channels} numbers a row and must have {wanted}"
            )
        return number, channels

    def same_rows(self, bottom: Sequence[Shape]) -> None:
        """Fail unless all bottoms have as many rows as the first."""
        for i, shape in enumerate(bottom):
            if shape[0] != bottom[0][0]:
                self.fail(
                    f"bottom {i} of shape {shape} has {shape[0]} rows and bottom 0 of shape {bottom[0]} has "
                    f"{bottom[0][0]}; they belong together, so make them the same"
                )


def flat(bottom: Tensor) -> Tensor:
    """A bottom of rows as a matrix, outside the autograd graph."""
    return bottom.detach().flatten(1)


def moved(regions: Tensor, offsets: Tensor) -> Tensor:
    """Where offsets (R, ..., 4) lead from regions (R, 4), both ends of which are pixels of theirs."""
    regions = regions.view(len(regions), *(1,) * (offsets.dim() - 2), 4)
    size = regions[..., 2:] - regions[..., :2] + 1
    centre = offsets[..., :2] * size + (regions[..., :2] + regions[..., 2:]) / 2
    size = offsets[..., 2:].exp() * size
    first = centre - (size - 1) / 2
    return torch.cat((first, first + size - 1), -1)


class Fields(Regression):
    """A layer of the offsets of fields around the positions of feature maps.

    A field is field_w x field_h pixels; offsets are cut to 1 / field_xyr of it and its size to field_whr times.
    """

    def limits(self, field_whr: float, field_xyr: float) -> None:
        if field_whr <= 0 or field_xyr <= 0:
            self.fail(f"field_whr is {field_whr:g} and field_xyr is {field_xyr:g}; both must be above 0")
        self.size_limit, self.move_limit = math.log(field_whr), 1 / field_xyr

    def fields(
        self, offsets: Tensor, sizes: Sequence[tuple[float, float]], stride: float
    ) -> tuple[Tensor, Tensor]:
        """First corner and size (N, F, 2, H, W) of offsets (N, F, 4, H, W) of fields of these widths and heights."""
        offsets = self.offsets(offsets, 2)
        move = offsets[:, :, :2].clamp(-self.move_limit, self.move_limit)
        grow = offsets[:, :, 2:].clamp(min(-self.size_limit, self.size_limit), self.size_limit)
        field = torch.stack([constant(size, offsets) for size in sizes])[:, :, None, None]
        height, width = offsets.shape[3:]
        y = (torch.arange(height, dtype=offsets.dtype, device=offsets.device) + 0.5) * stride
        x = (torch.arange(width, dtype=offsets.dtype, device=offsets.device) + 0.5) * stride
        position = torch.stack(torch.broadcast_tensors(x, y[:, None]))
        size = field * grow.exp()
        return move * field + position - size / 2, size
