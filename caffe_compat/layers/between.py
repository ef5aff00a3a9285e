"""Reading pictures between their positions, for layers that move what they read."""

import torch
from torch import Tensor


def between(pictures: Tensor, y: Tensor, x: Tensor, outside: bool) -> Tensor:
    """`pictures` (N, C, H, W) at rows `y` and columns `x`, both (N, P): (N, C, P), with gradients to all three.

    Of the four positions around a place those beyond the edge are 0 with `outside`, and otherwise those of the edge.
    """
    height, width = pictures.shape[2:]
    above, left = y.detach().floor(), x.detach().floor()
    b, a = y - above, x - left
    flat = pictures.flatten(2)

    def at(row: Tensor, column: Tensor, weight: Tensor) -> Tensor:
        if outside:
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            weight = torch.where(inside, weight, 0)
        index = row.clamp(0, height - 1).long() * width + column.clamp(0, width - 1).long()
        return flat.gather(2, index[:, None].expand(-1, flat.shape[1], -1)) * weight[:, None]

    return (
        at(above, left, (1 - b) * (1 - a))
        + at(above, left + 1, (1 - b) * a)
        + at(above + 1, left, b * (1 - a))
        + at(above + 1, left + 1, b * a)
    )
