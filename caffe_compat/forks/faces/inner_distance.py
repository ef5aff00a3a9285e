"""InnerDistance: how far items are from learned centers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, Shape, layer


@layer("InnerDistance")
class InnerDistance(Layer):
    """top[m, n] = sum_k (x_mk - w_nk)^2 of what items have from `axis` on; distance_type "L1": sum_k |x_mk - w_nk|

    Fork: happynear/caffe-windows, src/caffe/layers/inner_distance_layer.cpp
    Blobs: 0 centers w (num_output, K); or bottom 1 holds them. `normalize` makes the blob's rows unit vectors, for good,
    whenever they are used. update_center_only, with labels as bottom 2: centers learn of the items of their class alone.
    There is no bias, and transpose, which the fork does not follow, is refused.
    """

    num_bottom = (1, 3)
    num_top = 1
    in_place = False
    fork_fields = ("inner_distance_param",)

    def allow_force_backward(self, index: int) -> bool:
        return index < 2

    def setup(self, *bottom: Shape) -> None:
        p = self.param.inner_distance_param
        self.start = self.axis(p.axis, bottom[0])
        self.size = math.prod(bottom[0][self.start :])
        self.absolute, self.unit, self.own_only = p.distance_type == "L1", p.normalize, p.update_center_only
        if p.distance_type not in ("L1", "L2"):
            self.fail(f'inner_distance_param.distance_type is "{p.distance_type}"; it must be "L1" or "L2"')
        if p.transpose:
            self.fail("inner_distance_param.transpose is true, which the fork does not follow; remove it")
        if (len(bottom) == 3) != self.own_only:
            self.fail(
                f"has {len(bottom)} bottoms and update_center_only is {str(self.own_only).lower()}; with it there must be "
                "three (items, centers, labels), without it one or two"
            )
        if len(bottom) == 1:
            if p.num_output < 1:
                self.fail(f"inner_distance_param.num_output is {p.num_output} and must be above 0")
            self.add_blob((p.num_output, self.size), p.weight_filler)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        if math.prod(bottom[0][self.start :]) != self.size:
            self.fail(
                f"bottom shape {bottom[0]} has {math.prod(bottom[0][self.start :])} values an item, but the layer was set up "
                f"for {self.size}; resize the input or rename the layer to relearn its centers"
            )
        items, centers = (
            math.prod(bottom[0][: self.start]),
            self.blobs[0].shape if len(bottom) == 1 else bottom[1],
        )
        if math.prod(centers[1:]) != self.size:
            self.fail(
                f"bottom 1 of shape {bottom[1]} has centers of {math.prod(centers[1:])} values and items have {self.size}; "
                "make them the same"
            )
        if len(bottom) == 3 and math.prod(bottom[2]) != items:
            self.fail(f"bottom 2 of shape {bottom[2]} must have a label for each of the {items} items")
        return [(*bottom[0][: self.start], centers[0])]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return math.prod(top[0]) * self.size

    def forward(self, data: Tensor, *rest: Tensor) -> Tensor:
        x = data.flatten(self.start).flatten(0, -2)
        if rest:
            centers = rest[0].flatten(1)
        else:
            centers = self.blobs[0]
            if self.unit:
                with torch.no_grad():
                    centers.div_((centers.square().sum(1, keepdim=True) + 1e-6).sqrt())
        if self.own_only:
            held = self._distance(x, centers.detach())
            taught = self._distance(x.detach(), centers)
            own = torch.nn.functional.one_hot(rest[1].long().flatten(), len(centers)).bool()
            # The value is one distance; the centers' gradient comes from their own items.
            top = held + (taught - taught.detach()).where(own, 0)
        else:
            top = self._distance(x, centers)
        return top.unflatten(0, data.shape[: self.start]) if self.start != 1 else top

    def _distance(self, x: Tensor, centers: Tensor) -> Tensor:
        if self.absolute:
            return torch.cdist(x, centers, p=1)
        squares = x.square().sum(1, keepdim=True) + centers.square().sum(1)
        return squares - 2 * x @ centers.T
