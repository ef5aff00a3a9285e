"""Resample and Downsample: pictures and flows in another height and width, without a gradient."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.layers.base import ONNX_BOOL, Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.common.onnx_values import known_sizes, values
from caffe_compat.proto import ResampleParameter


class _Sized(Layer):
    """A layer whose top has the height and width of bottom 1, or those of its parameters."""

    num_bottom, num_top = (1, 2), 1
    in_place = False
    names: tuple[str, str]

    def size(self) -> tuple[int, int]:
        """Height and width as the parameters have them, 0 where they are not set."""
        self._undefined("size")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        for shape in bottom:
            self.check_pictures(shape)
        self.output = tuple(bottom[1][2:]) if len(bottom) > 1 else self.size()
        if min(self.output) < 1:
            self.fail(
                f"the top is {self.output[0]} x {self.output[1]}; set {self.names[0]} and {self.names[1]}, or give a "
                "second bottom of the size that it shall have"
            )
        return [(*bottom[0][:2], *self.output)]

    def per_record(self) -> bool:
        return True


def _shares(weights: Tensor) -> Tensor:
    """Each row divided by its sum; rows of 0 stay."""
    total = weights.sum(1, keepdim=True)
    return weights / total.where(total != 0, 1)


@layer("Resample")
class Resample(_Sized):
    """top = bottom 0 in another height and width: the nearest, triangle (LINEAR) or cubic weights; no gradient

    Fork: lmb-freiburg/flownet2, src/caffe/layers/resample_layer.cu
    Row y of the top is at y fy + fx / 2 - 1/2 of the bottom, column x at x fx + fy / 2 - 1/2, fx and fy how many times
    as wide and high the bottom is: the halves are exchanged there, too. `antialias` widens the weights by fx and fy where
    the top is smaller. NEAREST stays in the picture, where the fork reads what lies beyond it.
    """

    fork_fields = ("resample_param",)
    names = ("resample_param.height", "resample_param.width")

    def setup(self, *bottom: Shape) -> None:
        p = self.param.resample_param
        self.kind, self.antialias, self.given = p.type, p.antialias, (p.height, p.width)
        if p.type == ResampleParameter.AREA:
            self.fail(
                "resample_param.type AREA is not known to the fork's layer; use NEAREST, LINEAR or CUBIC"
            )

    def size(self) -> tuple[int, int]:
        return self.given

    def forward(self, *bottom: Tensor) -> Tensor:
        x = bottom[0].detach()
        fy, fx = (x.shape[2] / self.output[0], x.shape[3] / self.output[1])
        wide = self.antialias and (fx > 1 or fy > 1)
        if self.kind == ResampleParameter.NEAREST:
            rows, columns = self._places(x, 2, fy, fx), self._places(x, 3, fx, fy)
            nearest = [
                place.add(0.5).floor().long().clamp(0, size - 1)
                for place, size in zip((rows, columns), x.shape[2:], strict=True)
            ]
            top = x[:, :, nearest[0]][..., nearest[1]]
        else:
            down = self._weights(x, 2, fy, fx, wide)
            across = self._weights(x, 3, fx, fy, wide)
            top = down @ x @ across.T
        return self.without_gradient(top, bottom[0])

    def _places(self, x: Tensor, axis: int, factor: float, other: float) -> Tensor:
        """Where along an axis of the bottom each position of the top is."""
        return torch.arange(self.output[axis - 2], device=x.device, dtype=x.dtype) * factor + other / 2 - 0.5

    def _weights(self, x: Tensor, axis: int, factor: float, other: float, wide: bool) -> Tensor:
        """(size of the top, size of the bottom) along an axis."""
        places = self._places(x, axis, factor, other)
        distance = (places[:, None] - torch.arange(x.shape[axis], device=x.device, dtype=x.dtype)).abs()
        d = distance / factor if wide else distance
        if self.kind == ResampleParameter.LINEAR:
            return _shares((1 - d).clamp(min=0))
        near, far = d * d * (1.5 * d - 2.5) + 1, d * (d * (2.5 - 0.5 * d) - 4) + 2
        return _shares(torch.where(d <= 1, near, torch.where(d < 2, far, 0)))

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        height, width = known_sizes(self, graph, bottoms[0])
        known_sizes(self, graph, tops[0])
        (x,) = values(graph, bottoms[:1])
        like = torch.empty(1, 1, height, width)
        fy, fx = height / self.output[0], width / self.output[1]
        if self.kind == ResampleParameter.NEAREST:
            for axis, size, factor, other in ((2, height, fy, fx), (3, width, fx, fy)):
                place = self._places(like, axis, factor, other).add(0.5).floor().long().clamp(0, size - 1)
                x = x.take(axis, place.numpy())
            x.write(tops[0])
            return
        wide = self.antialias and (fx > 1 or fy > 1)
        down, across = self._weights(like, 2, fy, fx, wide), self._weights(like, 3, fx, fy, wide)
        (x.of(down.numpy()) @ x @ x.of(across.T.numpy())).write(tops[0])


@layer("Downsample")
class Downsample(_Sized):
    """top = bottom 0 in another height and width, corners where they were, triangle weights; no gradient

    Fork: lmb-freiburg/flownet2, src/caffe/layers/downsample_layer.cu
    NaN values count for nothing; where they have more than half of the weight of the others the top is NaN.
    """

    fork_fields = ("downsample_param",)
    names = ("downsample_param.top_height", "downsample_param.top_width")

    def setup(self, *bottom: Shape) -> None:
        p = self.param.downsample_param
        self.given = (p.top_height, p.top_width)

    def size(self) -> tuple[int, int]:
        return self.given

    def reshape(self, *bottom: Shape) -> list[Shape]:
        tops = super().reshape(*bottom)
        if bottom[0][2:] != self.output and 1 in (*bottom[0][2:], *self.output):
            self.fail(
                f"bottom shape {bottom[0]} and a top of {self.output[0]} x {self.output[1]}: corners need at least 2 x 2"
            )
        return tops

    def forward(self, *bottom: Tensor) -> Tensor:
        x = bottom[0].detach()
        if x.shape[2:] == self.output:
            return bottom[0]
        down, across = self._weights(x, 2), self._weights(x, 3)
        missing = x.isnan()
        total = down @ (~missing).to(x.dtype) @ across.T
        lost = down @ missing.to(x.dtype) @ across.T
        top = (down @ x.where(~missing, 0) @ across.T) / total
        return self.without_gradient(top.where(lost <= 0.5 * total, math.nan), bottom[0])

    def _weights(self, x: Tensor, axis: int) -> Tensor:
        size, output = x.shape[axis], self.output[axis - 2]
        scale = (size - 1) / (output - 1)
        places = torch.arange(output, device=x.device, dtype=x.dtype) * scale
        distance = (places[:, None] - torch.arange(size, device=x.device, dtype=x.dtype)).abs()
        return (1 - distance / scale).clamp(min=0)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        height, width = known_sizes(self, graph, bottoms[0])
        known_sizes(self, graph, tops[0])
        (x,) = values(graph, bottoms[:1])
        if (height, width) == self.output:
            x.write(tops[0])
            return
        like = torch.empty(1, 1, height, width)
        down, across = x.of(self._weights(like, 2).numpy()), x.of(self._weights(like, 3).T.numpy())
        missing = x.op("IsNaN", kind=ONNX_BOOL)
        total, lost = (down @ part.float() @ across for part in (~missing, missing))
        top = (down @ x.of(0.0).where(missing, x) @ across) / total
        top.where(lost <= total * 0.5, math.nan).write(tops[0])
