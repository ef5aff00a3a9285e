"""LSTM: long short-term memory over sequences."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from caffe_compat.layers.base import OnnxGraph, Shape, layer
from caffe_compat.layers.lstm_unit import step, step_backward, step_in_onnx
from caffe_compat.layers.recurrent import Recurrent

LSTM_ORDER = (0, 2, 1, 3)  # ONNX has the gates as i, o, f, g, Caffe as i, f, o, g


class Unroll(torch.autograd.Function):
    """All steps of an LSTM: (input's share of the gates, cont, weight of h, h, c) -> (all h, last c).

    Written out because autograd would make the weight's gradient step by step; here it is one product.
    """

    @staticmethod
    def forward(
        ctx, projected: Tensor, cont: Tensor, weight: Tensor, h: Tensor, c: Tensor
    ) -> tuple[Tensor, Tensor]:
        before: list[Tensor] = []
        saved: list[Tensor] = []
        outputs: list[Tensor] = []
        for x_t, cont_t in zip(projected.unbind(), cont.unbind(), strict=True):
            before.append(h * cont_t)
            c, h, kept = step(c, torch.addmm(x_t, before[-1], weight.t()), cont_t)
            outputs.append(h)
            saved += kept
        ctx.save_for_backward(cont, weight, torch.stack(before), *saved)
        ctx.mark_non_differentiable(c)
        return torch.stack(outputs), c

    @staticmethod
    @once_differentiable
    def backward(ctx, top: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        cont, weight, before, *saved = ctx.saved_tensors
        dh, dc = torch.zeros_like(top[0]), torch.zeros_like(top[0])
        steps: list[Tensor] = []
        each = len(saved) // len(top)
        for t in reversed(range(len(top))):
            dc, gates = step_backward(dc, dh + top[t], *saved[each * t : each * (t + 1)])
            dh = gates @ weight * cont[t]
            steps.append(gates)
        projected = torch.stack(steps[::-1])
        dweight = projected.flatten(0, 1).t() @ before.flatten(0, 1) if ctx.needs_input_grad[2] else None
        return projected, None, dweight, None, None


@layer("LSTM")
class LSTM(Recurrent):
    """(i, f, o, g) = W_xc x_t + b_c + W_hc (cont_t h) [+ W_xc_static x_static]; then a step of LSTMUnit

    Caffe: src/caffe/layers/lstm_layer.cpp
    Blobs: W_xc (4 num_output, data), b_c (4 num_output,), with a static input W_xc_static
    (4 num_output, static data), then W_hc (4 num_output, num_output). Hidden states: h, c.
    With one time step, top 0 and h are one memory: what is written into the top is the next step's h.
    """

    states = 2
    rows = 4
    operator = "LSTM"
    order = LSTM_ORDER

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        if self.steps == 1 and self.exposed:
            self.shared_tops = {1: 0}
        elif self.steps == 1:
            self.kept_tops = (0,)

    def unroll(self, projected: Tensor, cont: Tensor, *first: Tensor) -> tuple[Tensor, list[Tensor]]:
        top, c = Unroll.apply(projected, cont, self.blobs[len(self.blobs) - 1], *first)
        return top, [top[-1], c]

    def scan_in_onnx(
        self, graph: OnnxGraph, states: list[str], sequences: list[str], outputs: list[str]
    ) -> None:
        weight = graph.blob(self, len(self.blobs) - 1)

        def step(states: list[str], slices: list[str]) -> tuple[list[str], list[str]]:
            (h, c), (x_t, cont_t) = states, slices
            gates = graph.node("Gemm", [graph.node("Mul", [h, cont_t]), weight, x_t], transB=1)
            c, h = step_in_onnx(graph, c, gates, cont_t, self.param.recurrent_param.num_output)
            return [h, c], [h]

        graph.scan(step, states, sequences, outputs)
