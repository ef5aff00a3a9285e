"""BatchNorm: normalisation by the batch's or the stored statistics, in a fork with a scale and a bias of its own."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import TEST, Layer, OnnxGraph, layer, one_a_value
from caffe_compat.layers.common.batch_statistics import normalize
from caffe_compat.proto import BatchNormParameter, FillerParameter


@layer("BatchNorm")
class BatchNorm(Layer):
    """top = (bottom - mean) / sqrt(variance + eps), with a mean and a variance for each channel (axis 1)

    Caffe: src/caffe/layers/batch_norm_layer.cpp
    Blobs: 0 sum of means (C,); 1 sum of variances (C,); 2 counter (1,), the weight of these sums. No gradients.
    In training the statistics are the batch's, and every forward adds them to the sums, which decay by
    f = moving_average_fraction: sum = f sum + batch, counter = f counter + 1, with the variance times m / (m - 1)
    for m values a channel. With `use_global_stats` (in TEST unless set) they are sum / counter, or 0 while the
    counter is 0. torch keeps an average instead of a sum and a counter, so it differs in the first iterations.
    NVIDIA's fork (`scale_bias`, `scale_filler`, `bias_filler`) has top = that * scale + bias, with 3 scale (C,), 1
    unless filled, and 4 bias (C,), which learn with lr_mult and decay_mult 1. Its blobs 0 and 1 are averages,
    a = f a + (1 - f) batch with the first batch's taken whole, and 2 stays 1. Files of its version 0.15 (DIGITS) have the
    scale, the bias, both averages and a number in this order.
    With intel/caffe's stats_batch_size each so many records have statistics of their own, in their order.
    """

    drawn_as = "follower"
    num_bottom = num_top = 1
    fork_fields = tuple(
        f"batch_norm_param.{name}"
        for name in ("scale_bias", "scale_filler", "bias_filler", "stats_batch_size")
    )
    multiply_adds = one_a_value

    def setup(self, bottom):
        p = self.param.batch_norm_param
        self.fraction, self.eps = p.moving_average_fraction, p.eps
        self.global_stats = p.use_global_stats if p.HasField("use_global_stats") else self.phase == TEST
        self.records = 0 if self.global_stats else p.stats_batch_size  # with statistics of their own; 0: all
        self.channels = self._channels(bottom)
        for shape in ((self.channels,), (self.channels,), (1,)):
            self.add_blob(shape, learned=False)
        self.scaled = p.scale_bias or p.HasField("scale_filler") or p.HasField("bias_filler")
        if self.scaled:
            self._add_scale(p)
        for i, spec in enumerate(self.param.param[:3] if self.scaled else self.param.param):
            if spec.lr_mult != 0:
                self.fail(
                    f"param block {i} has lr_mult {spec.lr_mult:g}, but the statistics are not learned by the "
                    "solver; set lr_mult: 0 or remove the param blocks"
                )
        while len(self.param.param) < 3:  # as Caffe's layer does, so the saved net says it too
            self.param.param.add(lr_mult=0)

    def _add_scale(self, p: BatchNormParameter) -> None:
        with torch.no_grad():
            self.blobs[2].fill_(1)
        one = FillerParameter(value=1)
        self.add_blob((self.channels,), p.scale_filler if p.HasField("scale_filler") else one)
        self.add_blob((self.channels,), p.bias_filler)
        while len(self.param.param) < 5:
            self.param.param.add()
        for i, spec in enumerate(self.param.param):  # whatever the file says, as in the fork
            spec.lr_mult = spec.decay_mult = 0 if i < 3 else 1

    def from_file(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        sizes = [array.size for array in arrays]
        if not self.scaled or self.channels == 1 or sizes != [*[self.channels] * 4, 1]:
            return arrays
        scale, bias, mean, variance, _ = (array.reshape(-1) for array in arrays)
        return [mean, variance, np.ones(1, np.float32), scale, bias]

    def _channels(self, bottom):
        if len(bottom) < 2:
            self.fail(f"bottom shape {tuple(bottom)} has {len(bottom)} axes, at least 2 are needed")
        return bottom[1]

    def reshape(self, bottom):
        channels = self._channels(bottom)
        if channels != self.channels:
            self.fail(
                f"bottom shape {tuple(bottom)} has {channels} channels, but the statistics were made for "
                f"{self.channels}; resize the input or rename the layer"
            )
        if self.records and bottom[0] % self.records:
            self.fail(
                f"batch_norm_param.stats_batch_size {self.records} must divide the {bottom[0]} records of a batch"
            )
        return [bottom]

    def per_record(self):
        return True  # not across a replica's batch, but `forward_scaled` itself keeps replicas apart

    def removed_mean(self):
        return None if self.global_stats else 0

    def forward(self, bottom):
        return self.forward_scaled(bottom, None, None)

    def forward_scaled(
        self, bottom: Tensor, gamma: Tensor | None, beta: Tensor | None, shift: Tensor | None = None
    ) -> Tensor:
        """The layer followed by a per-channel `gamma * top + beta` (None: 1 and 0), as one normalisation.

        `shift` (C,) is what the bottom lacks of what the layer is to normalise: by the batch's own statistics it changes
        the stored mean, and nothing else.
        """
        if self.scaled:
            scale, bias = self.blobs[3], self.blobs[4]
            if gamma is not None:
                scale, bias = scale * gamma, bias * gamma
            gamma, beta = scale, bias if beta is None else bias + beta
        if self.global_stats:
            mean, variance = self.statistics()
            if self.eps < 0:  # which torch's own function refuses
                return F.batch_norm(bottom, mean, variance + self.eps, gamma, beta, eps=0.0)
            return F.batch_norm(bottom, mean, variance, gamma, beta, eps=self.eps)
        if self.records:
            parts = bottom.split(self.records * self.context.virtual_replicas)
            return torch.cat([self._by_batch(part, gamma, beta, shift).view(part.shape) for part in parts])
        top = self._by_batch(bottom, gamma, beta, shift)
        # No view: what overwrites one costs copies of the whole gradient in backward.
        return top if top.shape == bottom.shape else torch.ops.aten._unsafe_view(top, bottom.shape)

    def _by_batch(self, x: Tensor, gamma: Tensor | None, beta: Tensor | None, shift: Tensor | None) -> Tensor:
        """`x` (records, C, ...) by its own statistics, which are added to the sums."""
        replicas = self.context.virtual_replicas
        if x.numel() == self.channels * replicas:
            return self._single(x, gamma, beta, shift)
        top, mean, variance = normalize(x, gamma, beta, replicas, self.eps, self._zeros)
        self._add(mean, variance, shift)
        return top

    def _zeros(self, count: int) -> Tensor:
        like, shared = self.blobs[0], self.context.statistics
        return like.new_zeros(count) if shared is None else shared.zeros(count, like)

    def statistics(self) -> tuple[Tensor, Tensor]:
        """The stored mean and variance (C,): the sums over the counter, or 0 while the counter is 0."""
        if self.context.statistics is not None:
            self.context.statistics.settle()  # another layer of this pass may have added to them
        with torch.no_grad():
            weight = torch.nan_to_num(self.blobs[2].reciprocal(), nan=math.nan, posinf=0.0)
            return self.blobs[0] * weight, self.blobs[1] * weight

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        shape = graph.shape(bottoms[0])
        flat = len(shape) == 1
        x = graph.node("Unsqueeze", [*bottoms, graph.constant([1])]) if flat else bottoms[0]
        outputs = None if flat else tops
        if self.global_stats:
            mean, variance = (blob.cpu().numpy() for blob in self.statistics())
            if self.scaled:
                scale, bias = graph.blob(self, 3), graph.blob(self, 4)
            else:
                scale, bias = (graph.constant([value] * self.channels) for value in (1.0, 0.0))
            statistics = [graph.constant(mean, name="mean"), graph.constant(variance, name="variance")]
            top = graph.node("BatchNormalization", [x, scale, bias, *statistics], outputs, epsilon=self.eps)
        else:
            if self.records and shape[0] != self.records:
                self.fail(
                    f"normalises each {self.records} of the {shape[0]} records by themselves, which ONNX cannot say; "
                    "export the TEST phase, or remove stats_batch_size"
                )
            axes = [axis for axis in range(len(shape)) if axis != 1]
            x = graph.node("Sub", [x, graph.reduce("ReduceMean", x, axes, keepdims=True)])
            squares = graph.reduce("ReduceMean", graph.node("Mul", [x, x]), axes, keepdims=True)
            deviation = graph.node("Sqrt", [graph.node("Add", [squares, graph.constant(self.eps)])])
            top = graph.node("Div", [x, deviation], None if self.scaled else outputs)
            if self.scaled:
                spread = (self.channels, *[1] * (max(2, len(shape)) - 2))
                top = graph.node("Mul", [top, graph.blob(self, 3, spread)])
                top = graph.node("Add", [top, graph.blob(self, 4, spread)], outputs)
        if flat:
            graph.node("Squeeze", [top, graph.constant([1])], tops)

    def _single(self, x: Tensor, gamma: Tensor | None, beta: Tensor | None, shift: Tensor | None) -> Tensor:
        """A batch of one value a channel, which torch refuses: the variance is 0, and so is the top for eps above 0."""
        mean = x.detach().reshape(-1, self.channels)[0]
        self._add(mean, torch.zeros_like(mean), shift)
        spread = (1, -1, *[1] * (x.dim() - 2))
        zero = x - x if self.eps > 0 else (x - x) / (x - x)
        top = zero if gamma is None else zero * gamma.view(spread)
        return top if beta is None else top + beta.view(spread)

    def _add(self, mean: Tensor, variance: Tensor, shift: Tensor | None) -> None:
        shared = self.context.statistics
        if shared is not None and not self.scaled:
            shared.add(list(self.blobs), self.fraction, mean, variance, shift)
            return
        with torch.no_grad():
            if shift is not None:
                mean = mean + shift
            if self.scaled:
                # A variance of 0 in every channel means that there was no batch yet.
                first = ~self.blobs[1].any()
                weight = torch.where(first, 1.0, 1 - self.fraction).to(mean.dtype)
                self.blobs[0].lerp_(mean, weight)
                self.blobs[1].lerp_(variance, weight)
                return
            self.blobs[0].mul_(self.fraction).add_(mean)
            self.blobs[1].mul_(self.fraction).add_(variance)
            self.blobs[2].mul_(self.fraction).add_(1)
