"""Positions against their neighbours, for embeddings that segment: Im2dist, Im2parity, DistLoss."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.im2col import Im2col
from caffe_compat.layers.loss import KnownGradient, Loss
from caffe_compat.proto import Im2distParameter

FAR = 3.4028234663852886e38 / 100  # a distance that is none


class _Neighbours(Im2col):
    """A layer of (N, K, h, w): what each of a window's K positions is to its centre. The window is Convolution's."""

    in_place = False

    def setup(self, *bottom: Shape) -> None:
        self.check_pictures(bottom[0])
        if self.param.convolution_param.axis != 1:
            self.fail(
                f"axis is {self.param.convolution_param.axis} and must be 1, the channels of (N, C, H, W)"
            )
        super().setup(*bottom)
        height, width = self.window.kernel
        self.count = height * width
        self.centre = height // 2 * width + width // 2

    def reshape(self, *bottom: Shape) -> list[Shape]:
        ((num, _, *size),) = super().reshape(*bottom)
        return [(num, self.count, *size)]

    def per_record(self) -> bool:
        return True

    def windows(self, x: Tensor) -> Tensor:
        """The windows of (N, C, H, W) as (N, C, K, h, w), 0 outside."""
        return Im2col.forward(self, x).unflatten(1, (-1, self.count))

    def inside(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Which of a window's positions (1, K, h, w), and which centres (1, 1, h, w), lie in the picture."""
        held = self.windows(torch.ones_like(x[:1, :1]).detach())[:, 0] > 0
        return held, held[:, self.centre : self.centre + 1]


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
        windows = self.windows(bottom)
        inside, centred = self.inside(bottom)
        apart = windows[:, :, self.centre : self.centre + 1] - windows
        apart = apart.where((inside & centred)[:, None], 0)
        top = apart.abs().sum(1) if self.absolute else apart.square().sum(1) / 2
        if self.no_outside:
            top = top.masked_fill(~inside & centred, FAR)
        if self.no_centre:
            own = (torch.arange(self.count, device=top.device) == self.centre)[:, None, None]
            top = top.masked_fill(own & centred, FAR)
        return top

    def to_onnx(self, graph, bottoms, tops):
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
        labels = self.windows(bottom.detach().trunc())[:, 0]
        _, centred = self.inside(bottom)
        own = labels[:, self.centre : self.centre + 1]
        left_out = ~centred.expand_as(labels)
        if self.ignores:
            left_out = left_out | (labels == self.ignored) | (own == self.ignored)
        return (labels == own).to(bottom).masked_fill(left_out, self.ignored)

    def to_onnx(self, graph, bottoms, tops):
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
