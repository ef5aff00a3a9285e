"""Capsule layers: vectors, or small matrices, that are transformed, routed and squashed as wholes.

Fork: chenzhenhua986/CAFFE-CapsNet
A capsule is a run of neighbouring values; an item is capsules of one size, whatever axes it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from caffe_compat.layers.base import Layer, Shape, layer
from caffe_compat.layers.common.losses import Loss

TINY = 1e-7  # the fork adds it to every squared length


def _positive(layer: Layer, message: Any, *names: str) -> list[int]:
    """The fields `names` of `message`, which must be set and above 0."""
    values = []
    for name in names:
        value = getattr(message, name)
        if value < 1:
            layer.fail(f"{name} is {value}, it must be set and above 0")
        values.append(value)
    return values


def _count(layer: Layer, shape: Shape, size: int, what: str) -> int:
    """How many runs of `size` values an item of a bottom has; fails where they do not come out even."""
    values = prod(shape[1:])
    if not shape or values % size:
        layer.fail(
            f"an item of bottom shape {tuple(shape)} has {values} values, which must be a multiple of {what} {size}"
        )
    return values // size


def _items(layer: Layer, shape: Shape, values: int, what: str) -> int:
    """The number of items of a bottom; fails unless an item has `values` values."""
    if not shape or prod(shape[1:]) != values:
        layer.fail(
            f"an item of bottom shape {tuple(shape)} has {prod(shape[1:])} values and must have {what} = {values}; "
            "correct the parameters or resize the input"
        )
    return shape[0]


def _lengths(capsules: Tensor) -> Tensor:
    """The lengths of capsules on the last axis."""
    return (capsules.square().sum(-1) + TINY).sqrt()


class _Squash(torch.autograd.Function):
    """x (1 - exp(-r)) / r. The fork's gradient is the diagonal of the derivative, element by element."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        radius = (x.square().sum(-1, keepdim=True) + 2 * TINY).sqrt()
        ctx.save_for_backward(x, radius)
        return x * (-torch.expm1(-radius) / radius)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, diff: Tensor) -> Tensor:
        x, radius = ctx.saved_tensors
        factor = -torch.expm1(-radius) / radius
        return diff * (factor + x.square() * ((1 - radius * factor) - factor) / radius.square())


@layer("Squash")
class Squash(Layer):
    """top = bottom (1 - exp(-r)) / r for each capsule, r = sqrt(|capsule|^2 + 2e-7)

    Fork: chenzhenhua986/CAFFE-CapsNet
    The gradient is the fork's: a value's own derivative, without those of the rest of its capsule.
    """

    num_bottom = num_top = 1
    fork_fields = ("squash_param",)

    def setup(self, bottom):
        (self.size,) = _positive(self, self.param.squash_param, "capsule_dim")

    def reshape(self, bottom):
        _count(self, bottom, self.size, "capsule_dim")
        return [bottom]

    def per_record(self):
        return True

    def forward(self, bottom):
        return _Squash.apply(bottom.reshape(-1, self.size)).view(bottom.shape)


@layer("CapsuleRelu")
class CapsuleRelu(Layer):
    """top = bottom, with capsules longer than `thre` set to 0

    Fork: chenzhenhua986/CAFFE-CapsNet
    """

    num_bottom = num_top = 1
    fork_fields = ("capsule_relu_param",)

    def setup(self, bottom):
        p = self.param.capsule_relu_param
        (self.size,) = _positive(self, p, "dim")
        self.threshold = p.thre

    def reshape(self, bottom):
        _count(self, bottom, self.size, "dim")
        return [bottom]

    def per_record(self):
        return True

    def forward(self, bottom):
        capsules = bottom.reshape(-1, self.size)
        kept = _lengths(capsules.detach()) <= self.threshold
        return torch.where(kept[:, None], capsules, 0).view(bottom.shape)


@layer("CapsuleMask")
class CapsuleMask(Layer):
    """top = bottom, with all capsules but the last of an item set to 0

    Fork: chenzhenhua986/CAFFE-CapsNet
    It is meant to keep the longest of class_num capsules, but never notes the length to beat, and so do we.
    """

    num_bottom = num_top = 1
    fork_fields = ("capsule_mask_param",)

    def setup(self, bottom):
        (self.classes,) = _positive(self, self.param.capsule_mask_param, "class_num")

    def reshape(self, bottom):
        _count(self, bottom, self.classes, "class_num")
        return [bottom]

    def per_record(self):
        return True

    def forward(self, bottom):
        capsules = bottom.reshape(bottom.shape[0], self.classes, -1)
        return torch.cat([torch.zeros_like(capsules[:, :-1]), capsules[:, -1:]], 1).view(bottom.shape)


@layer("CapsuleLen")
class CapsuleLen(Layer):
    """top (N, num_class) = sqrt(|capsule|^2 + 1e-7); for Accuracy, no gradient

    Fork: chenzhenhua986/CAFFE-CapsNet
    These are the lengths of its CPU code; its GPU code gives their squares.
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("capsule_len_param",)

    def setup(self, bottom):
        (self.classes,) = _positive(self, self.param.capsule_len_param, "num_class")

    def reshape(self, bottom):
        _count(self, bottom, self.classes, "num_class")
        return [(bottom[0], self.classes)]

    def per_record(self):
        return True

    @torch.no_grad()
    def forward(self, bottom):
        return _lengths(bottom.reshape(bottom.shape[0], self.classes, -1))


@layer("CapsuleReshape")
class CapsuleReshape(Layer):
    """top (N, groups * H W, capsule_dim): the capsules of maps (N, groups * capsule_dim, H, W)

    Fork: chenzhenhua986/CAFFE-CapsNet
    This is its GPU code; its CPU code does nothing.
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("capsule_reshape_param",)

    def setup(self, bottom):
        (self.size,) = _positive(self, self.param.capsule_reshape_param, "capsule_dim")

    def reshape(self, bottom):
        if len(bottom) < 2 or bottom[1] % self.size:
            self.fail(f"axis 1 of bottom shape {tuple(bottom)} must be a multiple of capsule_dim {self.size}")
        return [(bottom[0], prod(bottom[1:]) // self.size, self.size)]

    def per_record(self):
        return True

    def forward(self, bottom):
        maps = bottom.reshape(bottom.shape[0], bottom.shape[1] // self.size, self.size, -1)
        return maps.transpose(2, 3).flatten(1, 2)


@layer("CapsuleTransform")
class CapsuleTransform(Layer):
    """top[n, i] = bottom[n, i] @ blobs[0][i] + blobs[1][i] for input capsule i: its votes for all output capsules

    Fork: chenzhenhua986/CAFFE-CapsNet
    Blobs: 0 (inputs, input_capsule_dim, outputs * output_capsule_dim); 1 bias (inputs * outputs * output_capsule_dim,).
    The top is (N, inputs, outputs * output_capsule_dim).
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("capsule_transform_param",)

    def setup(self, bottom):
        p = self.param.capsule_transform_param
        names = ("input_capsule_dim", "output_capsule_dim", "output_capsule_num")
        self.size, size, outputs = _positive(self, p, *names)
        self.inputs, self.votes = _count(self, bottom, self.size, "input_capsule_dim"), size * outputs
        self.add_blob((self.inputs, self.size, self.votes), p.weight_filler)
        if p.bias_term:
            self.add_blob((self.inputs * self.votes,), p.bias_filler)

    def reshape(self, bottom):
        values = self.inputs * self.size
        return [(_items(self, bottom, values, "capsules * input_capsule_dim"), self.inputs, self.votes)]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return prod(top[0]) * self.size

    def per_record(self):
        return True

    def forward(self, bottom):
        x = bottom.reshape(bottom.shape[0], self.inputs, self.size)
        top = torch.bmm(x.transpose(0, 1), self.blobs[0]).transpose(0, 1)
        return top + self.blobs[1].view(self.inputs, self.votes) if len(self.blobs) > 1 else top.contiguous()


@layer("CapsuleRouting")
class CapsuleRouting(Layer):
    """top[n, o] = sum_i blobs[0][o, i] bottom[n, i, o]: the learned sum of all votes for output capsule o

    Fork: chenzhenhua986/CAFFE-CapsNet
    Blobs: 0 weight (output_capsule_num, input_capsule_num).
    The bottom is (N, inputs, outputs * output_capsule_dim), the top (N, outputs, output_capsule_dim). This is its
    GPU code; its CPU code reads other values.
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("capsule_routing_param",)

    def setup(self, bottom):
        p = self.param.capsule_routing_param
        names = ("input_capsule_num", "output_capsule_num", "output_capsule_dim")
        self.inputs, self.outputs, self.size = _positive(self, p, *names)
        self.add_blob((self.outputs, self.inputs), p.weight_filler)

    def reshape(self, bottom):
        values = self.inputs * self.outputs * self.size
        what = "input_capsule_num * output_capsule_num * output_capsule_dim"
        return [(_items(self, bottom, values, what), self.outputs, self.size)]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return prod(top[0]) * self.inputs

    def per_record(self):
        return True

    def forward(self, bottom):
        votes = bottom.reshape(bottom.shape[0], self.inputs, self.outputs, self.size)
        return torch.einsum("oi,niod->nod", self.blobs[0], votes)


class _OverMaps(Layer):
    """What the capsule layers over maps of input_h x input_w capsules share: windows of kh x kw, `stride` apart."""

    num_bottom = num_top = 1
    in_place = False

    def read(self, p: Any) -> None:
        names = ("stride", "kh", "kw", "input_capsule_num", "output_capsule_num", "input_h", "input_w")
        self.stride, *kernel, self.inputs, self.outputs, height, width = _positive(self, p, *names)
        self.kernel, self.size = tuple(kernel), (height, width)
        if kernel[0] > height or kernel[1] > width:
            self.fail(
                f"kh x kw is {kernel[0]} x {kernel[1]}, more than input_h x input_w, {height} x {width}"
            )
        self.windows = prod((size - k) // self.stride + 1 for size, k in zip(self.size, kernel, strict=True))
        self.taps = self.inputs * prod(kernel)

    def matrix(self, shape: Any, name: str) -> Sequence[int]:
        """Rows and columns of a capsule."""
        if len(shape.dim) != 2 or min(shape.dim) < 1:
            self.fail(f"{name} is {list(shape.dim)}, it must have two numbers above 0: rows and columns")
        return shape.dim

    def per_record(self) -> bool:
        return True


@layer("CapsuleConvTransform")
class CapsuleConvTransform(_OverMaps):
    """top = capsule @ weight for each capsule of each window, with a weight for each of a window's places

    Fork: chenzhenhua986/CAFFE-CapsNet
    Blobs: 0 weight (kh * kw * inputs * outputs, columns, output columns), read as (inputs * kh * kw, columns,
    outputs * output columns); 1 bias, as many as an item of the top has.
    Capsules are matrices, rows x columns, ordered (map, y, x); the top is (N, windows, inputs * kh * kw,
    rows * outputs * output columns). The bottom's gradient is the derivative; the fork's is that of the last window.
    """

    fork_fields = ("capsule_conv_transform_param",)

    def setup(self, bottom):
        p = self.param.capsule_conv_transform_param
        self.read(p)
        self.rows, self.columns = self.matrix(p.input_capsule_shape, "input_capsule_shape")
        rows, columns = self.matrix(p.output_capsule_shape, "output_capsule_shape")
        if rows != self.rows:
            self.fail(
                f"input_capsule_shape has {self.rows} rows and output_capsule_shape {rows}; make them the same"
            )
        self.add_blob((self.taps * self.outputs, self.columns, columns), p.weight_filler)
        self.top = (self.windows, self.taps, rows * self.outputs * columns)
        if p.bias_term:
            self.add_blob((prod(self.top),), p.bias_filler)

    def reshape(self, bottom):
        values = self.inputs * prod(self.size) * self.rows * self.columns
        return [(_items(self, bottom, values, "input_capsule_num * input_h * input_w * capsule"), *self.top)]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return prod(top[0]) * self.columns

    def forward(self, bottom):
        maps = bottom.reshape(bottom.shape[0], self.inputs, *self.size, self.rows, self.columns)
        windows = maps.unfold(2, self.kernel[0], self.stride).unfold(3, self.kernel[1], self.stride)
        weight = self.blobs[0].view(self.inputs, *self.kernel, self.columns, -1)
        top = torch.einsum("nmyxrcij,mijcd->nyxmijrd", windows, weight).reshape(-1, *self.top)
        return top + self.blobs[1].view(self.top) if len(self.blobs) > 1 else top


@layer("CapsuleConvRouting")
class CapsuleConvRouting(_OverMaps):
    """top[n, o] = sum_k blobs[0][o, k] bottom[n, o, k]: the learned sum of a window's votes

    Fork: chenzhenhua986/CAFFE-CapsNet
    Blobs: 0 weight (outputs * windows, kh * kw * inputs).
    An item of the bottom is read as (outputs * windows, kh * kw * inputs, capsule), whatever its axes mean. The top is
    (N, outputs * windows, capsule).
    """

    fork_fields = ("capsule_conv_routing_param",)

    def setup(self, bottom):
        p = self.param.capsule_conv_routing_param
        self.read(p)
        self.capsule = prod(self.matrix(p.output_capsule_shape, "output_capsule_shape"))
        self.add_blob((self.outputs * self.windows, self.taps), p.weight_filler)

    def reshape(self, bottom):
        count = self.outputs * self.windows
        values = count * self.taps * self.capsule
        return [(_items(self, bottom, values, "outputs * windows * votes * capsule"), count, self.capsule)]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return prod(top[0]) * self.taps

    def forward(self, bottom):
        votes = bottom.reshape(bottom.shape[0], self.outputs * self.windows, self.taps, self.capsule)
        return torch.einsum("ok,nokd->nod", self.blobs[0], votes)


@layer("MarginLoss")
class MarginLoss(Loss):
    """top = sum_nk (k is label_n ? max(0, upper - r_nk)^2 : lambda max(0, r_nk - lower)^2) / N, r a capsule's length

    Fork: chenzhenhua986/CAFFE-CapsNet
    Bottom 0 holds num_class capsules an item, m_upper_bound and m_lower_bound are the bounds, and r is
    sqrt(|capsule|^2 + 1e-7). A label that is no class counts as none of them. The gradient is the fork's: that of
    the sum, not divided by N.
    """

    fork_fields = ("margin_param",)

    def setup(self, *bottom):
        p = self.param.margin_param
        (self.classes,) = _positive(self, p, "num_class")
        self.upper, self.lower, self.weight = p.m_upper_bound, p.m_lower_bound, getattr(p, "lambda")

    def reshape(self, *bottom):
        top = super().reshape(*bottom)
        _count(self, bottom[0], self.classes, "num_class")
        if prod(bottom[1]) != bottom[0][0]:
            self.fail(f"bottom 1 of shape {bottom[1]} has {prod(bottom[1])} labels for {bottom[0][0]} items")
        return top

    def forward(self, data, label):
        self.refuse_gradient(label, "label inputs")
        count = data.shape[0]
        lengths = _lengths(data.reshape(count, self.classes, -1))
        own = label.detach().long().reshape(count, 1) == torch.arange(self.classes, device=data.device)
        short, long = (self.upper - lengths).relu().square(), (lengths - self.lower).relu().square()
        total = torch.where(own, short, self.weight * long).sum()
        return total + (total / count - total).detach()


@layer("Cap")
class Cap(Layer):
    """top[n, o] = sum_i c[n, o, i] u[n, i, o] + blobs[1][o], u the votes of CapsuleTransform, c found by 3 rounds of routing

    Fork: chenzhenhua986/CAFFE-CapsNet, src/caffe/layers/cap_layer.cu
    Blobs: 0 weight (inputs, input_capsule_dim, outputs * output_capsule_dim); 1 bias (outputs * output_capsule_dim,).
    The top is (N, outputs, output_capsule_dim). A round: c = softmax of b over the output capsules, s[o] = sum_i c u, and
    b grows by the product of each vote with the squashed s. b begins at 0; the fork's goes on from the last batch.
    Gradients are the fork's: as if c were 1. routing_num and the other numbers of capsules mean nothing, as there.
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("cap_param",)
    rounds = 3

    def setup(self, bottom):
        p = self.param.cap_param
        self.given, self.size, self.outputs = _positive(
            self, p, "input_capsule_dim", "output_capsule_dim", "output_capsule_num"
        )
        self.inputs = _count(self, bottom, self.given, "input_capsule_dim")
        self.add_blob((self.inputs, self.given, self.outputs * self.size), p.weight_filler)
        if p.bias_term:
            self.add_blob((self.outputs * self.size,), p.bias_filler)

    def reshape(self, bottom):
        items = _items(self, bottom, self.inputs * self.given, "capsules * input_capsule_dim")
        return [(items, self.outputs, self.size)]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        # A round weighs the votes and compares them with their sum; after the last one there is nothing to compare for.
        votes = prod(top[0]) * self.inputs
        return votes * self.given + (2 * self.rounds - 1) * votes

    def per_record(self):
        return True

    def forward(self, bottom):
        x = bottom.reshape(bottom.shape[0], self.inputs, self.given)
        weight = self.blobs[0].unflatten(2, (self.outputs, self.size))
        sums = torch.einsum("nid,idoe->noe", x, weight)
        with torch.no_grad():
            votes = torch.einsum("nid,idoe->nioe", x, weight)
            prior = votes.new_zeros(votes.shape[:3])
            for _ in range(self.rounds):
                routed = torch.einsum("nio,nioe->noe", torch.softmax(prior, 2), votes)
                squared = routed.square().sum(2, keepdim=True)
                squashed = routed * squared / (1 + squared) / (squared + TINY).sqrt()
                prior = prior + torch.einsum("nioe,noe->nio", votes, squashed)
        top = routed + sums - sums.detach()
        return top + self.blobs[1].view(self.outputs, self.size) if len(self.blobs) > 1 else top
