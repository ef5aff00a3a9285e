"""CapsuleTransform and CapsuleRouting: votes of capsules for others, and their learned sums."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from caffe_compat.forks.capsules.capsule import capsules_of, items_of, positive
from caffe_compat.layers.base import Layer, Shape, layer


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

    def setup(self, bottom: Shape) -> None:
        p = self.param.capsule_transform_param
        names = ("input_capsule_dim", "output_capsule_dim", "output_capsule_num")
        self.size, size, outputs = positive(self, p, *names)
        self.inputs, self.votes = capsules_of(self, bottom, self.size, "input_capsule_dim"), size * outputs
        self.add_blob((self.inputs, self.size, self.votes), p.weight_filler)
        if p.bias_term:
            self.add_blob((self.inputs * self.votes,), p.bias_filler)

    def reshape(self, bottom: Shape) -> list[Shape]:
        values = self.inputs * self.size
        return [(items_of(self, bottom, values, "capsules * input_capsule_dim"), self.inputs, self.votes)]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return prod(top[0]) * self.size

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
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

    def setup(self, bottom: Shape) -> None:
        p = self.param.capsule_routing_param
        names = ("input_capsule_num", "output_capsule_num", "output_capsule_dim")
        self.inputs, self.outputs, self.size = positive(self, p, *names)
        self.add_blob((self.outputs, self.inputs), p.weight_filler)

    def reshape(self, bottom: Shape) -> list[Shape]:
        values = self.inputs * self.outputs * self.size
        what = "input_capsule_num * output_capsule_num * output_capsule_dim"
        return [(items_of(self, bottom, values, what), self.outputs, self.size)]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return prod(top[0]) * self.inputs

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        votes = bottom.reshape(bottom.shape[0], self.inputs, self.outputs, self.size)
        return torch.einsum("oi,niod->nod", self.blobs[0], votes)
