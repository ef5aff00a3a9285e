"""DenseBlock: a whole block of a DenseNet in one layer."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import TEST, TRAIN, Layer, OnnxGraph, Shape, layer
from caffe_compat.proto import DenseBlockParameter, FillerParameter

_EPS = 1e-5
# The groups of blobs, one blob a transition each; the second row is of use_BC.
_FILTER, _SCALE, _SHIFT, _MEAN, _VARIANCE = range(5)
_NARROW, _NARROW_SCALE, _NARROW_SHIFT, _NARROW_MEAN, _NARROW_VARIANCE = range(5, 10)


@layer("DenseBlock")
class DenseBlock(Layer):
    """top = bottom joined on the channels with, numTransition times, conv 3x3 (ReLU (BN (all so far))), growthRate channels

    Fork: Tongcheng/caffe, as senlinuc/caffe_ocr and GuohongWu/caffe-windows have it; the numbers are its GPU code's
    Blobs: T = numTransition of each: filter (growthRate, C, 3, 3); scale, shift, mean, variance (1, C, 1, 1), for the
    C channels so far; with use_BC filter (4 growthRate, C, 1, 1) and scale, shift, mean, variance
    (1, 4 growthRate, 1, 1) of a narrow middle, conv 3x3 (ReLU (BN (conv 1x1 (ReLU (BN (all so far)))))); then one number
    (1,), which is 0.
    Filters are turned by 180 degrees, as cuDNN's CUDNN_CONVOLUTION has them. Means and variances are averages,
    a = (1 - f) a + f batch with f = moving_average_fraction and the variance times m / (m - 1); they serve in TEST.
    With use_dropout each transition's result is dropped at random in TRAIN.
    """

    num_bottom = num_top = 1
    in_place = False
    is_random = True
    fork_fields = ("denseblock_param",)

    def setup(self, *bottom: Shape) -> None:
        p, (shape,) = self.param.denseblock_param, bottom
        self.check_pictures(shape)
        self.channels, self.count, self.growth = shape[1], p.numTransition, p.growthRate
        if self.count < 1 or self.growth < 1:
            self.fail(f"numTransition is {self.count} and growthRate {self.growth}; both must be above 0")
        if p.HasField("initChannel") and p.initChannel != self.channels:
            self.fail(
                f"initChannel is {p.initChannel} and bottom shape {tuple(shape)} has {self.channels} channels"
            )
        window = (p.filter_H, p.filter_W, p.pad_h, p.pad_w, p.conv_verticalStride, p.conv_horizentalStride)
        if window != (3, 3, 1, 1, 1, 1):
            self.fail(
                f"filter, pad and stride are {window}, and the fork's code has 3 x 3 filters with pad 1 and stride 1; "
                "leave them out"
            )
        if self.param.param:
            self.fail("has `param` blocks, which the fork refuses; remove them")
        self.narrow, self.fraction = p.use_BC, p.moving_average_fraction
        self.ratio = p.dropout_amount if p.use_dropout and self.phase == TRAIN else 0.0
        if not 0 <= self.ratio < 1:
            self.fail(f"dropout_amount is {self.ratio:g}, it must be at least 0 and below 1")
        self._add_blobs(p)

    def _add_blobs(self, p: DenseBlockParameter) -> None:
        middle = 4 * self.growth
        wide = [self.channels + i * self.growth for i in range(self.count)]
        filters = [(self.growth, middle if self.narrow else channels, 3, 3) for channels in wide]
        self._add_group(filters, p.Filter_Filler)
        self._add_statistics(p, wide)
        if self.narrow:
            self._add_group([(middle, channels, 1, 1) for channels in wide], p.Filter_Filler)
            self._add_statistics(p, [middle] * self.count)
        self.add_blob((1,), learned=False)
        statistics = (_MEAN, _VARIANCE, _NARROW_MEAN, _NARROW_VARIANCE)
        for i in range(len(self.blobs)):
            learned = i // self.count not in statistics and i < len(self.blobs) - 1
            self.param.param.add(lr_mult=learned, decay_mult=learned)

    def _add_group(
        self, shapes: Sequence[Shape], filler: FillerParameter | None, learned: bool = True
    ) -> list[Tensor]:
        return [self.add_blob(shape, filler, learned=learned) for shape in shapes]

    def _add_statistics(self, p: DenseBlockParameter, channels: Sequence[int]) -> None:
        shapes = [(1, number, 1, 1) for number in channels]
        self._add_group(shapes, p.BN_Scaler_Filler)
        self._add_group(shapes, p.BN_Bias_Filler)
        self._add_group(shapes, None, learned=False)
        for blob in self._add_group(shapes, None, learned=False):
            blob.data.fill_(1)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        (shape,) = bottom
        self.check_pictures(shape)
        if shape[1] != self.channels:
            self.fail(
                f"bottom shape {tuple(shape)} has {shape[1]} channels, but the blobs were made for {self.channels}; "
                "resize the input or rename the layer to relearn it"
            )
        if self.phase != TEST and shape[0] * shape[2] * shape[3] == 1:
            self.fail(
                f"bottom shape {tuple(shape)} has one value a channel, whose variance is not known; give more"
            )
        return [(shape[0], self.channels + self.count * self.growth, *shape[2:])]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        positions = top[0][0] * prod(top[0][2:])
        factors = (_FILTER, _SCALE, _NARROW, _NARROW_SCALE)
        blobs = list(self.blobs)[:-1]
        return positions * sum(blob.numel() for i, blob in enumerate(blobs) if i // self.count in factors)

    def random_reason(self) -> str:
        return "drops values at random in TRAIN" if self.ratio else ""

    def per_record(self) -> bool:
        return self.phase == TEST

    def _blob(self, group: int, transition: int) -> Tensor:
        return self.blobs[group * self.count + transition]

    def forward(self, bottom: Tensor) -> Tensor:
        for i in range(self.count):
            x = self._normalised(bottom, _SCALE, i)
            if self.narrow:
                x = self._normalised(F.conv2d(x, self._blob(_NARROW, i)), _NARROW_SCALE, i)
            x = F.conv2d(x, self._blob(_FILTER, i).flip(2, 3), padding=1)
            if self.ratio:
                x = x * self.drawn(x, lambda like: F.dropout(torch.ones_like(like), self.ratio))
            bottom = torch.cat([bottom, x], 1)
        return bottom

    def _normalised(self, x: Tensor, group: int, i: int) -> Tensor:
        """ReLU of BN of `x`, by the blobs of `group`, which is of scales, and the three after it."""
        scale, shift, mean, variance = (self._blob(group + k, i).flatten() for k in range(4))
        if self.phase == TEST:
            return F.relu(F.batch_norm(x, mean, variance, scale, shift, eps=_EPS))
        # Zeroed and with momentum 1 these hold this batch's mean and m / (m - 1) variance afterwards.
        fresh = torch.zeros_like(mean), torch.zeros_like(variance)
        top = F.batch_norm(x, *fresh, scale, shift, training=True, momentum=1.0, eps=_EPS)
        with torch.no_grad():
            for blob, value in zip((mean, variance), fresh, strict=True):
                blob.lerp_(value, self.fraction)
        return F.relu(top)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if self.phase != TEST:
            self.fail(
                "takes the statistics of each batch, which no ONNX operator for inference does; export the TEST net"
            )
        joined = bottoms[0]
        for i in range(self.count):
            x = self._onnx_normalised(graph, joined, _SCALE, i)
            if self.narrow:
                x = graph.node("Conv", [x, graph.blob(self, _NARROW * self.count + i)])
                x = self._onnx_normalised(graph, x, _NARROW_SCALE, i)
            turned = graph.constant(
                self._blob(_FILTER, i).detach().flip(2, 3).cpu().numpy(), name=f"filter_{i}"
            )
            x = graph.node("Conv", [x, turned], pads=[1, 1, 1, 1])
            joined = graph.node("Concat", [joined, x], tops if i == self.count - 1 else None, axis=1)

    def _onnx_normalised(self, graph: OnnxGraph, x: str, group: int, i: int) -> str:
        blobs = [graph.blob(self, (group + k) * self.count + i, (-1,)) for k in range(4)]
        return graph.node("Relu", [graph.node("BatchNormalization", [x, *blobs], epsilon=_EPS)])
