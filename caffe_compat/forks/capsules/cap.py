"""Cap: capsules that vote and are routed in one layer."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from caffe_compat.forks.capsules.capsule import TINY, capsules_of, items_of, positive
from caffe_compat.layers.base import Layer, Shape, layer


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

    def setup(self, bottom: Shape) -> None:
        p = self.param.cap_param
        self.given, self.size, self.outputs = positive(
            self, p, "input_capsule_dim", "output_capsule_dim", "output_capsule_num"
        )
        self.inputs = capsules_of(self, bottom, self.given, "input_capsule_dim")
        self.add_blob((self.inputs, self.given, self.outputs * self.size), p.weight_filler)
        if p.bias_term:
            self.add_blob((self.outputs * self.size,), p.bias_filler)

    def reshape(self, bottom: Shape) -> list[Shape]:
        items = items_of(self, bottom, self.inputs * self.given, "capsules * input_capsule_dim")
        return [(items, self.outputs, self.size)]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        # A round weighs the votes and compares them with their sum; after the last one there is nothing to compare for.
        votes = prod(top[0]) * self.inputs
        return votes * self.given + (2 * self.rounds - 1) * votes

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
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
