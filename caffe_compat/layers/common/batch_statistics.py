"""Normalisation by a batch's own statistics, for one replica or several that share a batch: the fast ways."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

_ALIGNED = 64  # values that the statistics of a layer begin at a multiple of


class Statistics:
    """What the normalisations of one forward pass share: memory for their statistics, and the sums to update.

    A GPU starts a kernel for each operation, however small. Here the sums of all layers are updated by a few when
    the pass ends, and the memory for all statistics is cleared by one.
    """

    def __init__(self) -> None:
        self._needed = self._used = 0  # values: in the last pass, and in this one
        self._memory: Tensor | None = None
        self._waiting: dict[int, tuple[Sequence[Tensor], float, Tensor, Tensor, Tensor | None]] = {}

    def zeros(self, count: int, like: Tensor) -> Tensor:
        """`count` zeros of the type and on the device of `like`."""
        if self._memory is None and self._needed:
            self._memory = like.new_zeros(self._needed)
        start = self._used
        self._used += -(-count // _ALIGNED) * _ALIGNED
        memory = self._memory
        fits = memory is not None and self._used <= memory.numel() and memory.dtype == like.dtype
        if memory is None or not fits or memory.device != like.device:
            return like.new_zeros(count)
        return memory[start : start + count]

    def add(
        self, sums: Sequence[Tensor], fraction: float, mean: Tensor, variance: Tensor, shift: Tensor | None
    ) -> None:
        """Add a batch's statistics to (sum of means, sum of variances, counter), which decay by `fraction`.

        `shift` is part of the mean, too.
        """
        if id(sums[0]) in self._waiting:  # two layers share it
            self.settle()
        self._waiting[id(sums[0])] = (sums, fraction, mean, variance, shift)

    @torch.no_grad()
    def settle(self) -> None:
        """Update all sums that wait."""
        if not self._waiting:
            return
        all_sums, fractions, means, variances, shifts = map(list, zip(*self._waiting.values(), strict=True))
        self._waiting = {}
        if moved := [i for i, shift in enumerate(shifts) if shift is not None]:
            sums = torch._foreach_add([means[i] for i in moved], [shifts[i] for i in moved])
            for i, mean in zip(moved, sums, strict=True):
                means[i] = mean
        decaying = [blob for sums in all_sums for blob in sums[:2]]
        counters = [sums[2] for sums in all_sums]
        torch._foreach_mul_(decaying, [fraction for fraction in fractions for _ in range(2)])
        torch._foreach_add_(
            decaying, [value for pair in zip(means, variances, strict=True) for value in pair]
        )
        torch._foreach_mul_(counters, list(fractions))
        torch._foreach_add_(counters, 1)

    def end(self, done: bool) -> None:
        """The pass is over; if it was not `done`, it adds nothing."""
        if done:
            self.settle()
        self._waiting = {}
        self._needed, self._used, self._memory = max(self._needed, self._used), 0, None


def normalize(
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    replicas: int,
    eps: float,
    zeros: Callable[[int], Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    """x (records, C, ...) by the mean and variance of each replica, times `gamma`, plus `beta` (C,).

    Row i is replica i % `replicas`'s. Gives the top, maybe of another shape, and replica 0's mean and m / (m - 1)
    variance, (C,) both; where torch's own function makes them they are written to what `zeros` gives. `gamma` and
    `beta` may be given once a replica (replicas * C,) where a GPU normalises pictures with channels outermost.
    """
    channels = x.shape[1]
    if replicas > 1 and _channels_innermost(x):
        return _Grouped.apply(x, gamma, beta, replicas, eps)
    # Torch's own function refuses an eps of 0 here.
    if eps <= 0 or (replicas > 1 and torch.compiler.is_compiling()):
        top, mean, variance = _Apart.apply(x, gamma, beta, replicas, eps)
        return (
            top.flatten(0, 1),
            mean[0, 0].detach().flatten(),
            variance[0, 0].detach().flatten(),
        )  # replica 0's
    if replicas > 1:
        # Folding the replicas into the channels gives each statistics of its own.
        x = x.reshape(-1, replicas * channels, *x.shape[2:])
        gamma, beta = (
            blob.repeat(replicas) if blob is not None and len(blob) == channels else blob
            for blob in (gamma, beta)
        )
    # Zeroed and with momentum 1 these hold exactly this batch's mean and m / (m - 1) variance afterwards.
    mean, variance = zeros(x.shape[1]), zeros(x.shape[1])
    top = F.batch_norm(x, mean, variance, gamma, beta, training=True, momentum=1.0, eps=eps)
    if replicas > 1:  # replica 0's are the ones kept
        mean, variance = mean[:channels], variance[:channels]
    return top, mean, variance


def _channels_innermost(x: Tensor) -> bool:
    """Whether x is pictures on the CPU, laid out as records x height x width x channels, and run eagerly."""
    return (
        x.device.type == "cpu"
        and x.dim() == 4
        and x.dtype in (torch.float32, torch.float64)
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
        scaled = (
            torch.addcmul(scaled, total, mean, value=-1) * inverse
        )  # the sum of diff times the normalised x
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
        weight, bias = (None if blob is None else blob.repeat(replicas) for blob in (gamma, beta))
        top = F.batch_norm(folded, None, None, weight, bias, training=True, eps=ctx.eps).view(x.shape)
        inputs = [x, gamma, beta]
        wanted = [value for value, need in zip(inputs, ctx.needs_input_grad, strict=False) if need]
        found = iter(torch.autograd.grad(top, wanted, diff, create_graph=True))
        return [next(found) if need else None for need in ctx.needs_input_grad[:3]]


class _Apart(Function):
    """Normalisation for the compiler, and for any eps, with the virtual replicas on an axis of their own.

    Were they folded into the channels, it would spend many minutes on the indices; of gradients that autograd writes
    it makes four sums over the batch instead of two.
    Gives the top (B, replicas, C, ...), and mean and m / (m - 1) variance (1, replicas, C, 1 ...).
    """

    @staticmethod
    def forward(ctx, x, gamma, beta, replicas, eps):
        parts = _apart(x, replicas)
        axes = (0, *range(3, parts.dim()))
        variance, mean = torch.var_mean(parts, axes, correction=0, keepdim=True)
        inverse = (variance + eps).rsqrt()
        top = (parts - mean) * inverse
        if gamma is not None:
            top = top * _along(gamma, x)
        if beta is not None:
            top = top + _along(beta, x)
        count = parts.numel() // mean.numel()
        kept = mean.clone(), variance * (count / (count - 1))
        ctx.save_for_backward(x, gamma, mean, inverse)
        ctx.axes, ctx.count, ctx.with_beta = axes, count, beta is not None
        ctx.mark_non_differentiable(*kept)
        return top.to(x.dtype), *kept

    @staticmethod
    def backward(ctx, diff, *_):
        x, gamma, mean, inverse = ctx.saved_tensors
        parts, diff = _apart(x, mean.shape[1]) - mean, diff.to(mean.dtype)
        total = diff.sum(ctx.axes, keepdim=True)
        scaled = (diff * parts).sum(ctx.axes, keepdim=True) * inverse
        factor = inverse if gamma is None else inverse * _along(gamma, x)
        x_diff = factor * (diff - total / ctx.count - parts * (inverse * scaled / ctx.count))
        blob_diffs = (
            part.sum(1).flatten() if wanted else None
            for part, wanted in ((scaled, gamma is not None), (total, ctx.with_beta))
        )
        return x_diff.flatten(0, 1).to(x.dtype), *blob_diffs, None, None


def _apart(x: Tensor, replicas: int) -> Tensor:
    """x (N, C, ...) as (N / replicas, replicas, C, ...), in float32 at least."""
    return x.unflatten(0, (-1, replicas)).to(torch.promote_types(x.dtype, torch.float32))


def _along(blob: Tensor, x: Tensor) -> Tensor:
    """A blob (C,) to go with the channels of x (N, C, ...)."""
    return blob.view(-1, *[1] * (x.dim() - 2))


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
