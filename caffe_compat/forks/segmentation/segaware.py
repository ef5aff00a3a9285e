"""segaware's layers, of positions against their neighbours: Im2dist, Im2parity, DistLoss, NormConvMeanfield."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.common.losses import KnownGradient, Loss
from caffe_compat.layers.convolution import Window
from caffe_compat.layers.im2col import Im2col
from caffe_compat.proto import Im2distParameter

FAR = 3.4028234663852886e38 / 100  # a distance that is none


def centre_of(window: Window) -> int:
    """The place of a window's centre among its K positions."""
    height, width = window.kernel
    return height // 2 * width + width // 2


def windows(x: Tensor, window: Window) -> Tensor:
    """The windows of (N, C, H, W) as (N, C, K, h, w), 0 outside."""
    columns = F.unfold(x, window.kernel, window.dilation, window.pad, window.stride)
    sizes = [
        (n + 2 * p - e) // s + 1
        for n, p, e, s in zip(x.shape[2:], window.pad, window.extent, window.stride, strict=True)
    ]
    return columns.view(len(x), x.shape[1], -1, *sizes)


def inside(x: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Which of a window's positions (1, K, h, w), and which centres (1, 1, h, w), lie in the picture."""
    held = windows(torch.ones_like(x[:1, :1]).detach(), window)[:, 0] > 0
    return held, held[:, centre_of(window)][:, None]


def distances(x: Tensor, window: Window, absolute: bool, no_centre: bool, no_outside: bool) -> Tensor:
    """What Im2dist makes (N, K, h, w) of x (N, C, H, W)."""
    seen, centre = windows(x, window), centre_of(window)
    held, centred = inside(x, window)
    apart = (seen[:, :, centre][:, :, None] - seen).where((held & centred)[:, None], 0)
    top = apart.abs().sum(1) if absolute else apart.square().sum(1) / 2
    if no_outside:
        top = top.masked_fill(~held & centred, FAR)
    if no_centre:
        own = (torch.arange(top.shape[1], device=top.device) == centre)[:, None, None]
        top = top.masked_fill(own & centred, FAR)
    return top


class _Neighbours(Im2col):
    """A layer of (N, K, h, w): what each of a window's K positions is to its centre. The window is Convolution's."""

    in_place = False
    inside = True

    def setup(self, *bottom: Shape) -> None:
        self.check_pictures(bottom[0])
        if self.param.convolution_param.axis != 1:
            self.fail(
                f"axis is {self.param.convolution_param.axis} and must be 1, the channels of (N, C, H, W)"
            )
        super().setup(*bottom)
        self.count = math.prod(self.window.kernel)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        ((num, _, *size),) = super().reshape(*bottom)
        return [(num, self.count, *size)]

    def per_record(self) -> bool:
        return True


@layer("Im2dist")
class Im2dist(_Neighbours):
    """top[n, k, y, x] = |bottom at the window's centre - bottom at its position k|, L1 or half the square of L2

    Fork: aharley/segaware, src/caffe/layers/im2dist_layer.cpp
    What is outside has the distance 0, or with remove_bounds that of a hundredth of the greatest float; remove_center
    gives the centre that, too. A centre outside has 0 everywhere. Gradients are the derivative; the fork's for L1 counts
    positions outside, and is -1 where values are equal.
    """

    fork_fields = ("im2dist_param",)

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.param.im2dist_param
        self.absolute, self.no_centre, self.no_outside = (
            p.norm == Im2distParameter.L1,
            p.remove_center,
            p.remove_bounds,
        )

    def forward(self, bottom: Tensor) -> Tensor:
        return distances(bottom, self.window, self.absolute, self.no_centre, self.no_outside)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        self.fail(
            "cannot be exported: it compares windows with their centres; name blobs before it with --outputs"
        )


@layer("Im2parity")
class Im2parity(_Neighbours):
    """top[n, k, y, x] = 1 if the label at the window's centre is that at its position k, else 0

    Fork: aharley/segaware, src/caffe/layers/im2parity_layer.cpp
    Bottom: labels (N, 1, H, W), as whole numbers; outside they are 0. Where one of the two is ignore_label, or the
    centre is outside, the top is ignore_label (0 if that is not set).
    """

    fork_fields = ("im2parity_param",)

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.param.im2parity_param
        self.ignored, self.ignores = p.ignore_label, p.HasField("ignore_label")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        top = super().reshape(*bottom)
        if bottom[0][1] != 1:
            self.fail(
                f"bottom of shape {bottom[0]} has {bottom[0][1]} channels; one label a position is needed"
            )
        return top

    def forward(self, bottom: Tensor) -> Tensor:
        labels = windows(bottom.detach().trunc(), self.window)[:, 0]
        _, centred = inside(bottom, self.window)
        own = labels[:, centre_of(self.window)][:, None]
        left_out = ~centred.expand_as(labels)
        if self.ignores:
            left_out = left_out | (labels == self.ignored) | (own == self.ignored)
        return (labels == own).to(bottom).masked_fill(left_out, self.ignored)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        self.fail("cannot be exported: it makes labels for training; name blobs before it with --outputs")


@layer("DistLoss")
class DistLoss(Loss):
    """top = (sum of max(0, d - alpha) where bottom 1 is not 0 + sum of max(0, beta - d) where it is) / their number

    Fork: aharley/segaware, src/caffe/layers/dist_loss_layer.cpp
    Bottoms: 0 distances, 1 as many parities; where that is ignore_label nothing is added. Bottom 0's gradient is the
    fork's: each term's amount, not its sign; times the loss weight, which the fork leaves out. convolution_param
    means nothing.
    """

    fork_fields = ("dist_loss_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.dist_loss_param
        self.near, self.apart = p.alpha, p.beta
        self.ignored = p.ignore_label if p.HasField("ignore_label") else None
        if not 0 < p.alpha < p.beta:
            self.fail(f"dist_loss_param has alpha {p.alpha:g} and beta {p.beta:g}; use 0 < alpha < beta")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        if bottom[0] != bottom[1]:
            self.fail(f"bottom 0 of shape {bottom[0]} and bottom 1 of shape {bottom[1]} must be of one shape")
        return super().reshape(*bottom)

    def forward(self, data: Tensor, parity: Tensor) -> Tensor:
        self.refuse_gradient(parity, "parities")
        d, parity = data.detach(), parity.trunc()
        off = torch.where(parity != 0, (d - self.near).clamp(min=0), -(self.apart - d).clamp(min=0))
        if self.ignored is not None:
            off = off.where(parity != self.ignored, 0)
        return KnownGradient.apply(data, off.abs().sum() / d.numel(), off / d.numel())


@layer("NormConvMeanfield")
class NormConvMeanfield(Layer):
    """top = the scores that num_iterations of mean field inference leave of scores U and a first guess

    Fork: aharley/segaware, src/caffe/layers/norm_conv_meanfield_layer.cpp
    Bottoms: 0 U (N, C, H, W), 1 the guess (mostly U again), 2 embeddings with colour (N, D, H, W), 3 embeddings of
    places (N, E, H, W). Blobs (1, 1, C, C): 0 weights of the spatial filter and 1 of the other, unit matrices; 2 the
    classes' compatibility, -1 on its diagonal. Each turn is U - blob2 (blob0 S(Q) + blob1 B(Q)), Q the softmax of what the
    last one left; B and S are means of a window, weighted by the softmax of -scale times Im2dist's L2 of bottoms 2 and 3.
    Of kernel_size, pad, stride, dilation, scale (0 unless set), remove_center and remove_bounds (true unless set) the
    first number is B's, the second S's. What else the message has means nothing.
    """

    num_bottom, num_top = 4, 1
    in_place = False
    fork_fields = ("norm_conv_meanfield_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.norm_conv_meanfield_param
        for shape in bottom:
            self.check_pictures(shape)
        if p.num_iterations < 2:
            self.fail(f"norm_conv_meanfield_param.num_iterations is {p.num_iterations} and must be above 1")
        self.iterations = p.num_iterations
        defaults = {
            "stride": 1,
            "pad": 0,
            "dilation": 1,
            "scale": 0,
            "remove_center": True,
            "remove_bounds": True,
        }
        given = {name: list(getattr(p, name)) or [default] * 2 for name, default in defaults.items()}
        given["kernel_size"] = list(p.kernel_size)
        for name, values in given.items():
            if len(values) != 2:
                self.fail(
                    f"norm_conv_meanfield_param.{name} is given {len(values)} times; give it for both filters"
                )
        for name in ("kernel_size", "stride", "dilation"):
            if min(given[name]) < 1:
                self.fail(f"norm_conv_meanfield_param.{name} is {given[name]}; both must be above 0")
        columns = (given[name] for name in ("kernel_size", "stride", "pad", "dilation"))
        self.windows = [Window(*((value,) * 2 for value in each)) for each in zip(*columns, strict=True)]
        self.scales = given["scale"]
        self.removed = list(zip(given["remove_center"], given["remove_bounds"], strict=True))
        self.classes = bottom[0][1]
        for diagonal in (1, 1, -1):
            blob = self.add_blob((1, 1, self.classes, self.classes))
            if not blob.is_meta:
                blob.data[0, 0].diagonal().fill_(diagonal)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        unary, guess, *embeddings = bottom
        if guess != unary or unary[1] != self.classes:
            self.fail(
                f"bottom 0 of shape {unary} and bottom 1 of shape {guess} must be equal and have {self.classes} channels, "
                "which the weights were made for"
            )
        for i, (shape, window) in enumerate(zip(embeddings, self.windows, strict=True), 2):
            if shape[0] != unary[0] or shape[2:] != unary[2:]:
                self.fail(
                    f"bottom {i} of shape {shape} must have the records and positions of bottom 0 of shape {unary}"
                )
            sizes = tuple(
                (n + 2 * p - e) // s + 1
                for n, p, e, s in zip(shape[2:], window.pad, window.extent, window.stride, strict=True)
            )
            if sizes != unary[2:]:
                self.fail(
                    f"the window of kernel {window.kernel}, pad {window.pad} and dilation {window.dilation} makes {sizes} of "
                    f"{unary[2:]} positions; choose pad so that they stay"
                )
        return [unary]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        taps = sum(math.prod(window.kernel) for window in self.windows)
        return self.iterations * math.prod(top[0]) * (3 * self.classes + taps)

    def per_record(self) -> bool:
        return True

    def forward(self, unary: Tensor, guess: Tensor, *embeddings: Tensor) -> Tensor:
        shares = [
            torch.softmax(-scale * distances(x, window, False, *removed), 1)[:, None]
            for x, window, scale, removed in zip(
                embeddings, self.windows, self.scales, self.removed, strict=True
            )
        ]
        spatial, other, compatibility = (self.blobs[i][0, 0] for i in range(3))
        q = guess
        for _ in range(self.iterations):
            q = torch.softmax(q, 1)
            means = [
                (windows(q, window) * share).sum(2)
                for window, share in zip(self.windows, shares, strict=True)
            ]
            message = torch.einsum("ij,njhw->nihw", other, means[0]) + torch.einsum(
                "ij,njhw->nihw", spatial, means[1]
            )
            q = unary - torch.einsum("ij,njhw->nihw", compatibility, message)
        return q
