"""Layers of optical flow and disparity nets: FlowWarp, Warp, Resample, Downsample, ChannelNorm, Mean, DataAugmentation.

Those of FlowNet, DispNet and PWC-Net. Their losses are in l1_loss.py, their correlations in correlation.py.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from caffe_compat.forks.common.sampling import between, between_in_onnx
from caffe_compat.layers.base import (
    ONNX_BOOL,
    ONNX_FLOAT,
    TRAIN,
    Layer,
    OnnxGraph,
    Shape,
    as_tops,
    constant,
    layer,
    nothing_multiplied,
)
from caffe_compat.layers.common.onnx_values import blob, known_sizes, values
from caffe_compat.proto import FlowWarpParameter, MeanParameter, ResampleParameter
from caffe_compat.proto.binary import read_binaryproto


class _Warp(Layer):
    """top[n, c, y, x] = bottom0[n, c] between its positions, at (y + bottom1[n, 1, y, x], x + bottom1[n, 0, y, x])"""

    num_bottom, num_top = 2, 1
    in_place = False

    def reshape(self, *bottom: Shape) -> list[Shape]:
        image, flow = bottom
        self.check_pictures(image)
        if flow != (image[0], 2, *image[2:]):
            self.fail(
                f"bottom 1 (the flow) has shape {flow} and must have {(image[0], 2, *image[2:])}: "
                "a step to the right and one down for each position of bottom 0"
            )
        return [image]

    def per_record(self) -> bool:
        return True

    def _warped(self, image: Tensor, flow: Tensor, beyond: int, outside: float) -> Tensor:
        """The warped image; positions count from 0 to (below) its size minus 1 plus `beyond`."""
        height, width = image.shape[2:]
        x = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0]
        y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]
        if beyond:
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        else:
            inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
        x, y = x.where(inside, 0), y.where(inside, 0)
        top = between(image, y.flatten(1), x.flatten(1), outside=False).view_as(image)
        return top.where(inside[:, None], outside)

    def _write(self, graph: OnnxGraph, bottoms: list[str], top: str, beyond: int, outside: float) -> None:
        """The nodes of `_warped`."""
        image, flow = values(graph, bottoms)
        height, width = image.size(2), image.size(3)
        x = flow.range(width, ONNX_FLOAT) + flow.pick(1, 0)
        y = flow.range(height, ONNX_FLOAT).unsqueeze(1) + flow.pick(1, 1)
        inside = (x >= 0) & (y >= 0)
        for place, size in ((x, width), (y, height)):
            last = flow.number(size)
            inside = inside & (place < last if beyond else place <= last - 1.0)
        x, y = (place.where(inside, 0).reshape(0, -1) for place in (x, y))
        found = between_in_onnx(image, y, x, outside=False).reshape(0, 0, height, width)
        found.where(inside.unsqueeze(1), outside).write(top)


@layer("FlowWarp")
class FlowWarp(_Warp):
    """top[n, c, y, x] = bottom0[n, c] between its positions, at (y + bottom1[n, 1, y, x], x + bottom1[n, 0, y, x])

    Fork: lmb-freiburg/flownet2, src/caffe/layers/flow_warp_layer.cpp
    Outside, which begins one position after the last, it is 0, or NaN with fill_value: NOT_A_NUMBER; the last row and
    column reach up to there.
    """

    fork_fields = ("flow_warp_param",)

    def setup(self, *bottom: Shape) -> None:
        filled = self.param.flow_warp_param.fill_value
        self.outside = 0.0 if filled == FlowWarpParameter.ZERO else math.nan

    def forward(self, image: Tensor, flow: Tensor) -> Tensor:
        return self._warped(image, flow, 1, self.outside)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        self._write(graph, bottoms, tops[0], 1, self.outside)


@layer("Warp")
class Warp(_Warp):
    """top[n, c, y, x] = bottom0[n, c] between its positions, at (y + bottom1[n, 1, y, x], x + bottom1[n, 0, y, x])

    Fork: NVlabs/PWC-Net, Caffe/warping_code/warp_layer.cu
    It is 0 outside, which begins after the last position.
    """

    def forward(self, image: Tensor, flow: Tensor) -> Tensor:
        return self._warped(image, flow, 0, 0.0)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        self._write(graph, bottoms, tops[0], 0, 0.0)


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


@layer("ChannelNorm")
class ChannelNorm(Layer):
    """top[n, 0, y, x] = the square root of the sum of bottom[n, :, y, x]^2; the gradient at 0 is 0

    Fork: lmb-freiburg/flownet2, src/caffe/layers/channel_norm_layer.cpp
    """

    num_bottom = num_top = 1
    in_place = False

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom[0])
        return [(bottom[0][0], 1, *bottom[0][2:])]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        return torch.linalg.vector_norm(bottom, dim=1, keepdim=True)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.reduce("ReduceL2", bottoms[0], [1], tops, keepdims=True)


@layer("Mean")
class Mean(Layer):
    """tops = output_scale (input_scale bottoms + mean_scale mean), or minus mean (SUBTRACT); no gradient

    Fork: lmb-freiburg/flownet2, src/caffe/layers/mean_layer.cpp
    The mean is value[c % their number] for channel c, or a picture from a binaryproto file, again and again.
    """

    num_bottom = num_top = (1, None)
    equal_num_bottom_top = True
    fork_fields = ("mean_param",)
    mean: Tensor

    def setup(self, *bottom: Shape) -> None:
        p = self.param.mean_param
        self.scales = p.input_scale, p.output_scale
        if not p.HasField("file") and not p.value:
            self.fail("mean_param has neither file nor value; give one of them")
        if p.HasField("file") and self.context.device != "meta":
            mean = torch.from_numpy(read_binaryproto(self.context.path(p.file)).astype("float64"))
            mean = mean.reshape(1, *mean.shape[-3:])
        elif p.HasField("file"):
            mean = torch.zeros((), device="meta").expand(1, *bottom[0][1:])
        else:
            mean = torch.tensor(p.value, dtype=torch.float64).reshape(1, -1, 1, 1)
        sign = -1 if p.operation == MeanParameter.SUBTRACT else 1
        self.register_buffer("mean", (sign * p.mean_scale * mean).to(self.context.dtype), persistent=False)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        mean = tuple(self.mean.shape)
        for shape in bottom:
            self.check_pictures(shape)
            if shape[1] % mean[1] or (mean[2:] != (1, 1) and mean[2:] != shape[2:]):
                self.fail(
                    f"bottom shape {shape} does not fit the mean, {mean[1]} channels of {mean[2]} x {mean[3]}; correct "
                    "mean_param"
                )
        return list(bottom)

    def per_record(self) -> bool:
        return True

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        before, after = self.scales
        tops = []
        for x in bottom:
            mean = self.mean.repeat(1, x.shape[1] // self.mean.shape[1], 1, 1)
            tops.append(self.without_gradient(after * (before * x.detach() + mean), x))
        return as_tops(tops)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        before, after = self.scales
        for x, top in zip(values(graph, bottoms), tops, strict=True):
            channels = int(x.dims[1])
            mean = self.mean.repeat(1, channels // self.mean.shape[1], 1, 1).cpu().numpy()
            ((x * before + mean) * after).write(top)


_DRAWN = (  # fields of augmentation_param that draw something for each picture
    "mirror", "rotate", "zoom", "translate", "squeeze", "translate_x", "translate_y", "gamma", "brightness", "contrast",
    "color", "lmult_pow", "lmult_mult", "lmult_add", "sat_pow", "sat_mult", "sat_add", "col_pow", "col_mult", "col_add",
    "ladd_pow", "ladd_mult", "ladd_add", "col_rotate", "fog_amount", "fog_size", "motion_blur_angle", "motion_blur_size",
    "shadow_angle", "shadow_distance", "shadow_strength", "noise",
)  # fmt: skip


@layer("DataAugmentation")
class DataAugmentation(Layer):
    """top = the middle of bottom, crop_height x crop_width, minus a mean; a middle between two positions is their mean

    Fork: lmb-freiburg/flownet2, src/caffe/layers/data_augmentation_layer.cu
    Blobs: 0 how many batches it has seen (1, 1, 1, 1); with recompute_mean 1 mean picture (1, C, H, W) and 2 mean
    channels (1, C, 1, 1). No gradients.
    The mean is that of the first recompute_mean batches, of each position or (mean_per_pixel: false) each channel; or
    three numbers `mean`. What draws pictures at random is refused where it acts: in TRAIN, or with augment_during_test.
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("augmentation_param", "coeff_schedule_param")
    multiply_adds = nothing_multiplied

    def setup(self, *bottom: Shape) -> None:
        p = self.param.augmentation_param
        self.check_pictures(bottom[0])
        cropped = p.HasField("crop_width") and p.HasField("crop_height")
        self.crop = (p.crop_height, p.crop_width) if cropped else None
        drawn = [name for name in _DRAWN if p.HasField(name)]
        if cropped and drawn and (self.phase == TRAIN or p.augment_during_test):
            self.fail(
                f"augmentation_param.{drawn[0]} draws pictures at random, which is not known here; augment the data "
                "before, and leave crop_width, crop_height and the mean"
            )
        self.batches, self.by_position = p.recompute_mean, p.mean_per_pixel
        self.mean = list(p.mean) if len(p.mean) == 3 and not p.mean_per_pixel and not p.recompute_mean else []
        channels = bottom[0][1]
        if self.mean and channels != 3:
            self.fail(
                f"augmentation_param.mean has 3 numbers and bottom shape {bottom[0]} {channels} channels"
            )
        self.add_blob((1, 1, 1, 1), learned=False)
        if self.batches:
            self.add_blob((1, channels, *(self.crop or bottom[0][2:])), learned=False)
            self.add_blob((1, channels, 1, 1), learned=False)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom[0])
        size = self.crop or bottom[0][2:]
        if size[0] > bottom[0][2] or size[1] > bottom[0][3]:
            self.fail(
                f"crop_height x crop_width is {size[0]} x {size[1]}, more than bottom shape {bottom[0]}; crop less"
            )
        return [(*bottom[0][:2], *size)]

    def forward(self, bottom: Tensor) -> Tensor:
        top = bottom.detach()
        for axis in (2, 3) if self.crop else ():
            top = self._middle(top, axis)
        with torch.no_grad():
            self.blobs[0].add_(1)
        if self.batches:
            self._learn(top)
            top = top - (self.blobs[1] if self.by_position else self.blobs[2])
        if self.mean:
            top = top - constant(self.mean, top).reshape(1, 3, 1, 1)
        return self.without_gradient(top, bottom)

    def _middle(self, x: Tensor, axis: int) -> Tensor:
        size = (self.crop or x.shape[2:])[axis - 2]
        start, odd = divmod(x.shape[axis] - size, 2)
        middle = x.narrow(axis, start, size)
        return (middle + x.narrow(axis, start + 1, size)) / 2 if odd else middle

    def _learn(self, top: Tensor) -> None:
        """Take the batch into the mean, unless enough were seen."""
        with torch.no_grad():
            seen = self.blobs[0].reshape(())
            mean = (self.blobs[1] * (seen - 1) + top.mean(0, keepdim=True)) / seen
            more = seen <= self.batches
            self.blobs[1].copy_(mean.where(more, self.blobs[1]))
            self.blobs[2].copy_(mean.mean((2, 3), keepdim=True).where(more, self.blobs[2]))

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if self.batches and self.blobs[0].item() < self.batches:
            self.fail(
                f"cannot be exported: it has seen {int(self.blobs[0].item())} batches of recompute_mean {self.batches} and "
                "learns its mean from the next; give weights that were trained with it"
            )
        (top,) = values(graph, bottoms)
        if self.crop:
            sizes = known_sizes(self, graph, bottoms[0])
            for axis, before, size in zip((2, 3), sizes, self.crop, strict=True):
                start, odd = divmod(before - size, 2)
                middle = top.part(axis, start, start + size)
                top = (middle + top.part(axis, start + 1, start + 1 + size)) / 2.0 if odd else middle
        if self.batches:
            top = top - blob(graph, self, 1 if self.by_position else 2)
        if self.mean:
            top = top - np.reshape(self.mean, (1, 3, 1, 1))
        top.write(tops[0])
