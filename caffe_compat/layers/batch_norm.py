"""BatchNorm: normalisation by the batch's or the stored statistics, without scale and bias."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from caffe_compat.layers.base import TEST, Layer, OnnxGraph, layer


@layer("BatchNorm")
class BatchNorm(Layer):
    """top = (bottom - mean) / sqrt(variance + eps), with a mean and a variance for each channel (axis 1)

    Caffe: src/caffe/layers/batch_norm_layer.cpp
    Blobs: 0 sum of means (C,); 1 sum of variances (C,); 2 counter (1,), the weight of these sums. No gradients.
    In training the statistics are the batch's, and every forward adds them to the sums, which decay by
    f = moving_average_fraction: sum = f sum + batch, counter = f counter + 1, with the variance times m / (m - 1)
    for m values a channel. With `use_global_stats` (in TEST unless set) they are sum / counter, or 0 while the
    counter is 0. torch keeps an average instead of a sum and a counter, so it differs in the first iterations.
    """

    num_bottom = num_top = 1

    def setup(self, bottom):
        p = self.param.batch_norm_param
        self.fraction, self.eps = p.moving_average_fraction, p.eps
        self.global_stats = p.use_global_stats if p.HasField("use_global_stats") else self.phase == TEST
        self.channels = bottom[1] if len(bottom) > 1 else 1
        for shape in ((self.channels,), (self.channels,), (1,)):
            self.add_blob(shape, learned=False)
        for i, spec in enumerate(self.param.param):
            if spec.lr_mult != 0:
                self.fail(
                    f"param block {i} has lr_mult {spec.lr_mult:g}, but the statistics are not learned by the "
                    "solver; set lr_mult: 0 or remove the param blocks"
                )
        while len(self.param.param) < 3:  # as Caffe's layer does, so the saved net says it too
            self.param.param.add(lr_mult=0)

    def reshape(self, bottom):
        if not bottom:
            self.fail("bottom shape () has 0 axes, at least 1 is needed")
        channels = bottom[1] if len(bottom) > 1 else 1
        if channels != self.channels:
            self.fail(
                f"bottom shape {tuple(bottom)} has {channels} channels, but the statistics were made for "
                f"{self.channels}; resize the input or rename the layer"
            )
        return [bottom]

    def per_record(self):
        return True  # not across a replica's batch, but `forward_scaled` itself keeps replicas apart

    def forward(self, bottom):
        return self.forward_scaled(bottom, None, None)

    def forward_scaled(self, bottom: Tensor, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
        """The layer followed by a per-channel `gamma * top + beta` (None: 1 and 0), as one normalisation."""
        x = bottom if bottom.dim() > 1 else bottom.unsqueeze(1)
        replicas = self.context.virtual_replicas
        if self.global_stats:
            mean, variance = self.statistics()
            top = F.batch_norm(x, mean, variance, gamma, beta, eps=self.eps)
        elif x.numel() == self.channels * replicas:
            top = self._single(x, gamma, beta)
        elif replicas > 1 and _channels_innermost(x):
            top, mean, variance = _Grouped.apply(x, gamma, beta, replicas, self.eps)
            self._add(mean, variance)
        else:
            if replicas > 1:
                # Row i is replica i % N's, so folding N into the channels gives each replica statistics of its own.
                x = x.reshape(-1, replicas * self.channels, *x.shape[2:])
                gamma, beta = (None if blob is None else blob.repeat(replicas) for blob in (gamma, beta))
            # Zeroed and with momentum 1 these hold exactly this batch's mean and m / (m - 1) variance afterwards.
            mean, variance = self.blobs[0].new_zeros(x.shape[1]), self.blobs[1].new_zeros(x.shape[1])
            top = F.batch_norm(x, mean, variance, gamma, beta, training=True, momentum=1.0, eps=self.eps)
            if replicas > 1:  # replica 0's are the ones kept
                mean, variance = mean[: self.channels], variance[: self.channels]
            self._add(mean, variance)
        return top if top.shape == bottom.shape else top.view(bottom.shape)

    def statistics(self) -> tuple[Tensor, Tensor]:
        """The stored mean and variance (C,): the sums over the counter, or 0 while the counter is 0."""
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
            one, zero = (graph.constant([value] * self.channels) for value in (1.0, 0.0))
            statistics = [graph.constant(mean, name="mean"), graph.constant(variance, name="variance")]
            top = graph.node("BatchNormalization", [x, one, zero, *statistics], outputs, epsilon=self.eps)
        else:
            axes = [axis for axis in range(max(2, len(shape))) if axis != 1]
            x = graph.node("Sub", [x, graph.reduce("ReduceMean", x, axes, keepdims=True)])
            squares = graph.reduce("ReduceMean", graph.node("Mul", [x, x]), axes, keepdims=True)
            deviation = graph.node("Sqrt", [graph.node("Add", [squares, graph.constant(self.eps)])])
            top = graph.node("Div", [x, deviation], outputs)
        if flat:
            graph.node("Squeeze", [top, graph.constant([1])], tops)

    def _single(self, x: Tensor, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
        """A batch of one value a channel, which torch refuses: the variance is 0, and so is the top."""
        mean = x.detach().reshape(-1, self.channels)[0]
        self._add(mean, torch.zeros_like(mean))
        spread = (1, -1, *[1] * (x.dim() - 2))
        top = (x - x) if gamma is None else (x - x) * gamma.view(spread)
        return top if beta is None else top + beta.view(spread)

    def _add(self, mean: Tensor, variance: Tensor) -> None:
        with torch.no_grad():
            self.blobs[0].mul_(self.fraction).add_(mean)
            self.blobs[1].mul_(self.fraction).add_(variance)
            self.blobs[2].mul_(self.fraction).add_(1)


def _channels_innermost(x: Tensor) -> bool:
    """Whether x is pictures on the CPU, laid out as records x height x width x channels, and run eagerly."""
    return (
        x.device.type == "cpu"
        and x.dim() == 4
        and x.is_contiguous(memory_format=torch.channels_last)
        and not torch.compiler.is_compiling()
    )


class _Grouped(Function):
    """Normalisation of pictures whose channels lie innermost, with statistics for each virtual replica.

    Folding the replicas into the channels, as for other layouts, would copy x. Here a row holds one record of
    every replica: the statistics of its columns are taken first and joined over the pixels then.
    Gives the top, and replica 0's mean and m / (m - 1) variance, (C,) both.
    """

    @staticmethod
    def forward(ctx, x, gamma, beta, replicas, eps):
        records, channels, height, width = x.shape
        layout = _Layout(replicas, height * width, channels)
        means, variances = torch.ops.aten.batch_norm_update_stats(layout.rows(x), None, None, 0)
        mean = layout.total(means) / layout.pixels
        variances += (means.view(layout.shape) - mean.unsqueeze(1)).square_().view(-1)
        variance = layout.total(variances) / layout.pixels
        factor = (variance + eps).rsqrt() * (1 if gamma is None else gamma)
        shift = -mean * factor if beta is None else torch.addcmul(beta, mean, factor, value=-1)
        top = torch.empty_like(x, memory_format=torch.channels_last)
        torch.addcmul(layout.spread(shift), layout.blocks(x), layout.spread(factor), out=layout.blocks(top))
        ctx.save_for_backward(x, gamma, beta, mean, variance, factor)
        ctx.layout, ctx.eps, ctx.count = layout, eps, records // replicas * layout.pixels
        kept = mean[0], variance[0] * (ctx.count / (ctx.count - 1))
        ctx.mark_non_differentiable(*kept)
        return top, *kept

    @staticmethod
    def backward(ctx, diff, *_):
        x, gamma, beta, mean, variance, factor = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *_Grouped._differentiable(ctx, x, gamma, beta, diff), None, None
        layout = ctx.layout
        diff = diff.contiguous(memory_format=torch.channels_last)
        x_diff = torch.empty_like(x, memory_format=torch.channels_last)
        rows = layout.rows(diff)
        ones = rows.new_ones(1, len(rows))  # a product with ones is the fastest sum over records
        total = layout.total(ones @ rows)
        scaled = layout.total(ones @ layout.rows(torch.mul(diff, x, out=x_diff)))
        inverse = (variance + ctx.eps).rsqrt()
        scaled = torch.addcmul(scaled, total, mean, value=-1) * inverse  # the sum of diff times the normalised x
        slope = factor * inverse * scaled / -ctx.count
        shift = factor * total / -ctx.count - slope * mean
        result = layout.blocks(x_diff)
        torch.addcmul(layout.spread(shift), layout.blocks(x), layout.spread(slope), out=result)
        result.addcmul_(layout.blocks(diff), layout.spread(factor))
        blob_diffs = (
            None if blob is None else part.sum(0) for blob, part in ((gamma, scaled), (beta, total))
        )
        return x_diff, *blob_diffs, None, None

    @staticmethod
    def _differentiable(ctx, x, gamma, beta, diff):
        """The same gradients by torch's own functions, which have gradients themselves."""
        replicas, channels = ctx.layout.replicas, ctx.layout.channels
        folded = x.reshape(-1, replicas * channels, *x.shape[2:])
        blobs = [None if blob is None else blob.repeat(replicas) for blob in (gamma, beta)]
        top = F.batch_norm(folded, None, None, *blobs, training=True, eps=ctx.eps).view(x.shape)
        inputs = [x, gamma, beta]
        wanted = [value for value, need in zip(inputs, ctx.needs_input_grad, strict=False) if need]
        found = iter(torch.autograd.grad(top, wanted, diff, create_graph=True))
        return [next(found) if need else None for need in ctx.needs_input_grad[:3]]


class _Layout(NamedTuple):
    """How the pixels of a record, and its channels, follow each other in memory, replica after replica."""

    replicas: int
    pixels: int
    channels: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.replicas, self.pixels, self.channels

    @property
    def beside(self) -> int:
        """Pixels to take as one row of numbers, because short rows keep the vector units idle."""
        count = 1
        while self.pixels % (2 * count) == 0 and 2 * count * self.channels <= 1024:
            count *= 2
        return count

    def rows(self, x: Tensor) -> Tensor:
        """x (N, C, H, W) as a matrix: a row has one record of each replica."""
        return x.permute(0, 2, 3, 1).view(-1, math.prod(self.shape))

    def blocks(self, x: Tensor) -> Tensor:
        """x (N, C, H, W) as (N / replicas, replicas, pixels / beside, beside * C)."""
        return x.permute(0, 2, 3, 1).view(
            -1, self.replicas, self.pixels // self.beside, self.beside * self.channels
        )

    def spread(self, part: Tensor) -> Tensor:
        """(replicas, C) to go with `blocks`."""
        return part.repeat(1, self.beside).unsqueeze(1)

    def total(self, row: Tensor) -> Tensor:
        """A row summed over the pixels: (replicas, C)."""
        return (
            row.view(self.replicas, -1, self.beside * self.channels)
            .sum(1)
            .view(self.replicas, -1, self.channels)
            .sum(1)
        )
