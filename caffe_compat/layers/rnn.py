"""RNN: a recurrent layer of one state, with an output of its own."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import OnnxGraph, Shape, layer
from caffe_compat.layers.recurrent import Recurrent


@layer("RNN")
class RNN(Recurrent):
    """h_t = tanh(W_xh x_t + b_h + W_hh (cont_t h) [+ W_xh_static x_static]); o_t = tanh(W_ho h_t + b_o)

    Caffe: src/caffe/layers/rnn_layer.cpp
    Blobs: W_xh (num_output, data), b_h (num_output,), with a static input W_xh_static
    (num_output, static data), then W_hh and W_ho (num_output, num_output), b_o (num_output,).
    Hidden state: h.
    """

    states = 1
    rows = 1
    operator = "RNN"
    order = (0,)

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.param.recurrent_param
        self.add_blob((p.num_output, p.num_output), p.weight_filler)
        self.add_blob((p.num_output,), p.bias_filler)

    def unroll(self, projected: Tensor, cont: Tensor, *first: Tensor) -> tuple[Tensor, list[Tensor]]:
        count = len(self.blobs)
        weight = self.blobs[count - 3].t()
        (h,) = first
        hidden = []
        for x_t, cont_t in zip(projected.unbind(), cont.unbind(), strict=True):
            h = torch.addmm(x_t, h * cont_t, weight).tanh()
            hidden.append(h)
        return F.linear(torch.stack(hidden), self.blobs[count - 2], self.blobs[count - 1]).tanh(), [h]

    def scan_in_onnx(
        self, graph: OnnxGraph, states: list[str], sequences: list[str], outputs: list[str]
    ) -> None:
        count = len(self.blobs)
        weight = graph.blob(self, count - 3)

        def step(states: list[str], slices: list[str]) -> tuple[list[str], list[str]]:
            (h,), (x_t, cont_t) = states, slices
            gates = graph.node("Gemm", [graph.node("Mul", [h, cont_t]), weight, x_t], transB=1)
            h = graph.node("Tanh", [gates])
            return [h], [h]

        final, top = outputs
        (hidden,) = graph.fresh(1)
        graph.scan(step, states, sequences, [final, hidden])
        self.outputs_in_onnx(graph, hidden, top)

    def outputs_in_onnx(self, graph: OnnxGraph, hidden: str, top: str) -> None:
        count = len(self.blobs)
        top_gates = graph.node("MatMul", [hidden, graph.blob(self, count - 2, transposed=True)])
        graph.node("Tanh", [graph.node("Add", [top_gates, graph.blob(self, count - 1)])], [top])
