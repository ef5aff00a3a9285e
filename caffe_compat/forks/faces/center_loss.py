"""CenterLoss: every item is drawn to a learned center of its class."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.labels import Labelled
from caffe_compat.layers.common.losses import Loss


class _Pull(torch.autograd.Function):
    """(items x, centers c, classes) -> sum |x - c|^2 / 2N, with the fork's step for the centers as their gradient."""

    @staticmethod
    def forward(ctx, x: Tensor, centers: Tensor, index: Tensor, counted: Tensor | None) -> Tensor:
        distance = x - centers[index]
        if counted is not None:
            distance = distance.where(counted[:, None], 0)
        ctx.save_for_backward(distance, index)
        ctx.shape = centers.shape
        return distance.square().sum() / (2 * x.shape[0])

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        distance, index = ctx.saved_tensors
        step = None
        if ctx.needs_input_grad[1]:
            moved = distance.new_zeros(ctx.shape).index_add(0, index, distance)
            members = distance.new_zeros(ctx.shape[0]).index_add(0, index, torch.ones_like(distance[:, 0]))
            step = -moved / (members + 1)[:, None]
        return distance * (grad / distance.shape[0]), step, None, None


@layer("CenterLoss")
class CenterLoss(Labelled, Loss):
    """top = sum_n |x_n - c_label_n|^2 / (2 N), x_n what item n has from `axis` on

    Fork: ydwen/caffe, happynear/caffe-windows
    Blobs: 0 centers c (num_output, size of x_n).
    The centers' gradient is the fork's: sum_(label_n = k) (c_k - x_n) / (1 + how many such n), whatever the loss weight.
    """

    num_bottom = 2
    fork_fields = ("center_loss_param",)

    def setup(self, *bottom: Shape) -> None:
        p, data = self.param.center_loss_param, bottom[0]
        if p.num_output < 1:
            self.fail(f"center_loss_param.num_output is {p.num_output}, it must be the number of classes")
        axis = self.axis(p.axis, data)
        if math.prod(data[1:axis]) != 1 or axis == 0:
            self.fail(f"axis {axis} of bottom shape {data} must be 1: one vector an item")
        self.add_blob((p.num_output, math.prod(data[1:])), p.center_filler)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        top = super().reshape(*bottom)
        classes, size = self.blobs[0].shape
        if math.prod(bottom[0][1:]) != size:
            self.fail(
                f"bottom shape {bottom[0]} has {math.prod(bottom[0][1:])} values an item, but the centers were made "
                f"for {size}; resize the input or rename the layer to relearn them"
            )
        self.fold((bottom[0][0], classes), bottom[1], 1)
        return top

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return math.prod(bottom[0])

    def forward(self, data: Tensor, label: Tensor) -> Tensor:
        self.refuse_gradient(label, "label inputs")
        index, counted, nan = self.read_labels(label, None)
        counted = None if counted is None else counted.flatten()
        loss = _Pull.apply(data.flatten(1), self.blobs[0], index.flatten(), counted)
        return loss if nan is None else loss + nan
