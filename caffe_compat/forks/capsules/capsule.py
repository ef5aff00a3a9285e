"""Capsule layers: vectors, or small matrices, that are transformed, routed and squashed as wholes.

Fork: chenzhenhua986/CAFFE-CapsNet
A capsule is a run of neighbouring values; an item is capsules of one size, whatever axes it has.
"""

from __future__ import annotations

from math import prod

import torch
from google.protobuf.message import Message
from torch import Tensor

from caffe_compat.layers.base import Layer, Shape, layer

TINY = 1e-7  # the fork adds it to every squared length


def positive(layer: Layer, message: Message, *names: str) -> list[int]:
    """The fields `names` of `message`, which must be set and above 0."""
    values = []
    for name in names:
        value = getattr(message, name)
        if value < 1:
            layer.fail(f"{name} is {value}, it must be set and above 0")
        values.append(value)
    return values


def capsules_of(layer: Layer, shape: Shape, size: int, what: str) -> int:
    """How many runs of `size` values an item of a bottom has; fails where they do not come out even."""
    values = prod(shape[1:])
    if not shape or values % size:
        layer.fail(
            f"an item of bottom shape {tuple(shape)} has {values} values, which must be a multiple of {what} {size}"
        )
    return values // size


def items_of(layer: Layer, shape: Shape, values: int, what: str) -> int:
    """The number of items of a bottom; fails unless an item has `values` values."""
    if not shape or prod(shape[1:]) != values:
        layer.fail(
            f"an item of bottom shape {tuple(shape)} has {prod(shape[1:])} values and must have {what} = {values}; "
            "correct the parameters or resize the input"
        )
    return shape[0]


def lengths_of(capsules: Tensor) -> Tensor:
    """The lengths of capsules on the last axis."""
    return (capsules.square().sum(-1) + TINY).sqrt()


@layer("CapsuleRelu")
class CapsuleRelu(Layer):
    """top = bottom, with capsules longer than `thre` set to 0

    Fork: chenzhenhua986/CAFFE-CapsNet
    """

    num_bottom = num_top = 1
    fork_fields = ("capsule_relu_param",)

    def setup(self, bottom: Shape) -> None:
        p = self.param.capsule_relu_param
        (self.size,) = positive(self, p, "dim")
        self.threshold = p.thre

    def reshape(self, bottom: Shape) -> list[Shape]:
        capsules_of(self, bottom, self.size, "dim")
        return [bottom]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        capsules = bottom.reshape(-1, self.size)
        kept = lengths_of(capsules.detach()) <= self.threshold
        return torch.where(kept[:, None], capsules, 0).view(bottom.shape)


@layer("CapsuleMask")
class CapsuleMask(Layer):
    """top = bottom, with all capsules but the last of an item set to 0

    Fork: chenzhenhua986/CAFFE-CapsNet
    It is meant to keep the longest of class_num capsules, but never notes the length to beat, and so do we.
    """

    num_bottom = num_top = 1
    fork_fields = ("capsule_mask_param",)

    def setup(self, bottom: Shape) -> None:
        (self.classes,) = positive(self, self.param.capsule_mask_param, "class_num")

    def reshape(self, bottom: Shape) -> list[Shape]:
        capsules_of(self, bottom, self.classes, "class_num")
        return [bottom]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
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

    def setup(self, bottom: Shape) -> None:
        (self.classes,) = positive(self, self.param.capsule_len_param, "num_class")

    def reshape(self, bottom: Shape) -> list[Shape]:
        capsules_of(self, bottom, self.classes, "num_class")
        return [(bottom[0], self.classes)]

    def per_record(self) -> bool:
        return True

    @torch.no_grad()
    def forward(self, bottom: Tensor) -> Tensor:
        return lengths_of(bottom.reshape(bottom.shape[0], self.classes, -1))


@layer("CapsuleReshape")
class CapsuleReshape(Layer):
    """top (N, groups * H W, capsule_dim): the capsules of maps (N, groups * capsule_dim, H, W)

    Fork: chenzhenhua986/CAFFE-CapsNet
    This is its GPU code; its CPU code does nothing.
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("capsule_reshape_param",)

    def setup(self, bottom: Shape) -> None:
        (self.size,) = positive(self, self.param.capsule_reshape_param, "capsule_dim")

    def reshape(self, bottom: Shape) -> list[Shape]:
        if len(bottom) < 2 or bottom[1] % self.size:
            self.fail(f"axis 1 of bottom shape {tuple(bottom)} must be a multiple of capsule_dim {self.size}")
        return [(bottom[0], prod(bottom[1:]) // self.size, self.size)]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        maps = bottom.reshape(bottom.shape[0], bottom.shape[1] // self.size, self.size, -1)
        return maps.transpose(2, 3).flatten(1, 2)
