"""Reading pictures between their positions, for layers that move what they read."""

import torch
from torch import Tensor

from caffe_compat.layers.common.onnx_values import Value


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


def between_in_onnx(pictures: Value, y: Value, x: Value, outside: bool) -> Value:
    """The nodes of `between`."""
    height, width = (pictures.number(pictures.size(axis)) for axis in (2, 3))
    if pictures.graph.opset >= 16:
        # GridSample's places go from -1, where the first position begins, to 1, where the last one ends.
        places = [(at * 2.0 + 1.0) / size - 1.0 for at, size in ((x, width), (y, height))]
        grid = [place.unsqueeze(2, 3) for place in places]
        mode = "linear" if pictures.graph.opset >= 20 else "bilinear"
        return pictures.op(
            "GridSample",
            grid[0].joined(grid[1:], 3),
            mode=mode,
            padding_mode="zeros" if outside else "border",
            align_corners=0,
        ).squeeze(3)
    above, left = y.op("Floor"), x.op("Floor")
    down, right = y - above, x - left
    flat = pictures.reshape(0, 0, -1)

    def at(row: Value, column: Value, weight: Value) -> Value:
        if outside:
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            weight = weight.where(inside, 0)
        index = row.clamp(0, height - 1.0) * width + column.clamp(0, width - 1.0)
        index = index.long().unsqueeze(1).expand(1, pictures.size(1), 1)
        return flat.op("GatherElements", index, axis=2) * weight.unsqueeze(1)

    return (
        at(above, left, (1.0 - down) * (1.0 - right))
        + at(above, left + 1.0, (1.0 - down) * right)
        + at(above + 1.0, left, down * (1.0 - right))
        + at(above + 1.0, left + 1.0, down * right)
    )
