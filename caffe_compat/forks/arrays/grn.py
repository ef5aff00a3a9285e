"""GRN: the channels of each position made a vector of length 1."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer


class _PassedOn(torch.autograd.Function):
    """(x, value) -> value, whose gradient is x's."""

    @staticmethod
    def forward(ctx, x: Tensor, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


@layer("GRN")
class GRN(Layer):
    """top = bottom / sqrt(sum over channels of bottom^2 + bias)

    Fork: openvinotoolkit/training_toolbox_caffe, src/caffe/layers/grn_layer.cpp
    dummy_backward passes the gradient on as it is.
    """

    num_bottom = num_top = 1
    fork_fields = ("grn_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.grn_param
        self.bias, self.passes_on = p.bias, p.dummy_backward
        if p.bias < 0:
            self.fail(f"grn_param.bias is {p.bias:g} and must be at least 0")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        if not 2 <= len(bottom[0]) <= 4:
            self.fail(
                f"bottom shape {bottom[0]} has {len(bottom[0])} axes, 2 to 4 are needed: num, channels ..."
            )
        return [bottom[0]]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        top = bottom / (bottom.square().sum(1, keepdim=True) + self.bias).sqrt()
        return _PassedOn.apply(bottom, top.detach()) if self.passes_on else top

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        squares = graph.reduce("ReduceSumSquare", bottoms[0], [1], keepdims=True)
        norm = graph.node("Sqrt", [graph.node("Add", [squares, graph.constant(self.bias)])])
        graph.node("Div", [bottoms[0], norm], tops)
