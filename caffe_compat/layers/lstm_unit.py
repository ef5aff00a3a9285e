"""LSTMUnit: one step of the LSTM."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer


def step(c_prev: Tensor, gates: Tensor, cont: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """One LSTM step: c, h, and what `step_backward` needs."""
    size = c_prev.shape[-1]
    i, f, o = gates[..., : 3 * size].sigmoid().split(size, -1)
    f = f * cont
    g = gates[..., 3 * size :].tanh()
    c = f * c_prev + i * g
    tanh_c = c.tanh()
    return c, o * tanh_c, (c_prev, i, f, o, g, tanh_c)


def step_backward(dc: Tensor, dh: Tensor, *saved: Tensor) -> tuple[Tensor, Tensor]:
    """Caffe's gradients of c_prev and the gates.

    With f = cont * s(f') Caffe has f (1 - f) where the derivative is cont s (1 - s); they are equal for
    the usual cont of 0 or 1. cont gets no gradient.
    """
    c_prev, i, f, o, g, tanh_c = saved
    dc = dc + dh * o * (1 - tanh_c * tanh_c)
    gates = (dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dh * tanh_c * o * (1 - o), dc * i * (1 - g * g))
    return dc * f, torch.cat(gates, -1)


def step_in_onnx(
    graph: OnnxGraph, c_prev: str, gates: str, cont: str, size: int, outputs: Sequence[str] | None = None
) -> list[str]:
    """The nodes of `step`: c and h, under the names `outputs` if given."""
    c, h = outputs or graph.fresh(2)
    squashed, g, i, f, o = graph.fresh(5)
    graph.node("Split", [gates, graph.constant([3 * size, size])], [squashed, g], axis=-1)
    thirds = [graph.node("Sigmoid", [squashed]), graph.constant([size] * 3)]
    graph.node("Split", thirds, [i, f, o], axis=-1)
    kept = graph.node("Mul", [graph.node("Mul", [f, cont]), c_prev])
    graph.node("Add", [kept, graph.node("Mul", [i, graph.node("Tanh", [g])])], [c])
    graph.node("Mul", [o, graph.node("Tanh", [c])], [h])
    return [c, h]


class Unit(torch.autograd.Function):
    """(c_prev, gates, cont) -> (c, h)"""

    @staticmethod
    def forward(ctx, c_prev: Tensor, gates: Tensor, cont: Tensor) -> tuple[Tensor, Tensor]:
        c, h, saved = step(c_prev, gates, cont)
        ctx.save_for_backward(*saved)
        return c, h

    @staticmethod
    @once_differentiable
    def backward(ctx, dc: Tensor, dh: Tensor) -> tuple[Tensor, Tensor, None]:
        return *step_backward(dc, dh, *ctx.saved_tensors), None


@layer("LSTMUnit")
class LSTMUnit(Layer):
    """c = cont s(f') c_prev + s(i') tanh(g'), h = s(o') tanh(c); bottom 1 holds (i', f', o', g')

    Caffe: src/caffe/layers/lstm_unit_layer.cpp
    Bottoms: c_prev (1, N, D), gates (1, N, 4 D), cont (1, N). Tops: c and h, (1, N, D) each.
    """

    num_bottom = 3
    num_top = 2

    def allow_force_backward(self, index: int) -> bool:
        return index != 2

    def reshape(self, *bottom: Shape) -> list[Shape]:
        for i, (shape, axes) in enumerate(zip(bottom, (3, 3, 2), strict=True)):
            if len(shape) != axes:
                self.fail(f"bottom {i} of shape {shape} has {len(shape)} axes and must have {axes}")
            if shape[:2] != (1, bottom[0][1]):
                self.fail(
                    f"bottom {i} of shape {shape} must begin with 1 x {bottom[0][1]}: one step, as many streams"
                )
        size = bottom[0][2]
        if bottom[1][2] != 4 * size:
            self.fail(
                f"bottom 1 has {bottom[1][2]} gate values for a cell of {size}; give it 4 x {size} = {4 * size}"
            )
        return [bottom[0], bottom[0]]

    def forward(self, *bottom: Tensor) -> tuple[Tensor, Tensor]:
        c_prev, gates, cont = bottom
        if cont.requires_grad and torch.is_grad_enabled():
            self.fail(
                "cannot backpropagate to sequence indicators (bottom 2); set `propagate_down: false` for it"
            )
        return Unit.apply(c_prev, gates, cont.unsqueeze(-1))

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        c_prev, gates, cont = bottoms
        cont = graph.node("Unsqueeze", [cont, graph.constant([2])])
        step_in_onnx(graph, c_prev, gates, cont, graph.shape(c_prev)[2], tops)
