"""What LSTM and RNN share.

Caffe builds an unrolled net of small layers for every time step. Here the input's share of all steps is
one matrix product before the loop and the output's one after it, so a step is one small product.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import Context, Layer, OnnxGraph, Shape
from caffe_compat.layers.facts import WeightMessage
from caffe_compat.proto import LayerParameter


def first_step(cont: np.ndarray | None) -> float | None:
    """What a known cont (T, N) is at the first step, if all streams go on at all others: then one operator does it."""
    if cont is None or cont.ndim != 2 or not cont.size or not (cont[1:] == 1).all():
        return None
    return float(cont[0, 0]) if (cont[0] == cont[0, 0]).all() else None


def ordered(blob: Tensor, order: Sequence[int]) -> Tensor:
    """A blob with the parts of its axis 0 in another order, as float32 on the CPU."""
    parts = blob.detach().float().cpu().chunk(len(order))
    return torch.cat([parts[place] for place in order])


def whole_bias(graph: OnnxGraph, layer: Layer, index: int, order: Sequence[int]) -> str:
    """The biases of ONNX's operator: those of the input, and zeros for those of the state."""
    bias = ordered(layer.blobs[index], order)
    return graph.constant(torch.cat([bias, torch.zeros_like(bias)]).unsqueeze(0).numpy(), name="bias")


class Recurrent(Layer):
    """A recurrent layer over T time steps of N independent streams.

    Caffe: src/caffe/layers/recurrent_layer.cpp
    Bottoms: x (T, N, ...); cont (T, N), which multiplies the state brought into a step, so 0 starts a new
    sequence; optionally a static input (N, ...), the same in every step; with expose_hidden the states
    (1, N, num_output) to begin with. Tops: the outputs (T, N, num_output); with expose_hidden the final
    states. No gradient flows through exposed states, in or out.
    Without expose_hidden the next forward begins with the states this one ended with; a net begins
    with zeros.
    """

    drawn_as = "product"
    carried: Tensor
    states: int  # how many hidden state blobs there are: h, or h and c
    operator: str  # ONNX's
    order: tuple[int, ...]  # of the rows of its weights, as parts of Caffe's
    rows: int  # rows of the input's weight matrix, in units of num_output

    def __init__(self, param: LayerParameter, phase: int, context: Context | None = None):
        super().__init__(param, phase, context)
        self.exposed = self.states if param.recurrent_param.expose_hidden else 0
        self.num_bottom = (2 + self.exposed, 3 + self.exposed)
        self.num_top = 1 + self.exposed

    @classmethod
    def weight_message(cls, param: LayerParameter) -> WeightMessage:
        return param.recurrent_param

    def allow_force_backward(self, index: int) -> bool:
        return index != 1

    def setup(self, *bottom: Shape) -> None:
        p = self.param.recurrent_param
        x, _, *static = bottom[: len(bottom) - self.exposed]
        if p.num_output < 1:
            self.fail(f"recurrent_param.num_output is {p.num_output} and must be at least 1")
        if len(x) < 3:
            self.fail(
                f"bottom 0 of shape {x} has {len(x)} axes and needs at least 3: time steps, streams, data"
            )
        self.steps = x[0]
        self.static = bool(static)
        rows = self.rows * p.num_output
        self.add_blob((rows, math.prod(x[2:])), p.weight_filler)
        self.add_blob((rows,), p.bias_filler)
        if static:
            if len(static[0]) < 2:
                self.fail(
                    f"bottom 2, the static input, of shape {static[0]} needs at least 2 axes: streams, data"
                )
            self.add_blob((rows, math.prod(static[0][1:])), p.weight_filler)
        self.add_blob((rows, p.num_output), p.weight_filler)
        # The carried states. It never shrinks: with fewer streams the first ones go on where they were.
        self.register_buffer(
            "carried", torch.zeros(self.states, 0, p.num_output, dtype=self.context.dtype), False
        )

    def reshape(self, *bottom: Shape) -> list[Shape]:
        x, cont, *rest = bottom
        if len(x) < 3 or math.prod(x[2:]) != self.blobs[0].shape[1]:
            self.fail(
                f"bottom 0 of shape {x} does not give {self.blobs[0].shape[1]} values a step and stream, which the "
                "weights were made for; resize the input or rename the layer to relearn it"
            )
        if x[0] != self.steps:
            self.fail(
                f"the number of time steps changed from {self.steps} to {x[0]}; build the net anew for it"
            )
        if tuple(cont) != x[:2]:
            self.fail(f"bottom 1 (cont) of shape {cont} must be time steps x streams as in bottom 0: {x[:2]}")
        streams, size = x[1], self.param.recurrent_param.num_output
        if self.static:
            static = rest.pop(0)
            columns = self.blobs[2].shape[1]
            if static[0] != streams or math.prod(static[1:]) != columns:
                self.fail(
                    f"bottom 2, the static input, of shape {static} must have {columns} values for each of "
                    f"{streams} streams; resize it"
                )
        for i, state in enumerate(rest, len(bottom) - len(rest)):
            if tuple(state) != (1, streams, size):
                self.fail(
                    f"bottom {i}, a hidden state, of shape {state} must have shape {(1, streams, size)}"
                )
        if streams > self.carried.shape[1]:
            self.carried = self.carried.new_zeros(self.states, streams, size)
        self.streams = streams
        return [(*x[:2], size), *[(1, streams, size)] * self.exposed]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        steps, streams = bottom[0][:2]
        each = [blob.numel() for blob in self.blobs if blob.dim() > 1]
        once = (
            self.blobs[2].numel() if self.static else 0
        )  # the static input's share is the same in every step
        return streams * (steps * sum(each) - (steps - 1) * once)

    def forget(self) -> None:
        self.carried.zero_()

    def top_memory(self, index: int, device: torch.device) -> Tensor:
        return self.carried[:1, : self.streams]

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        x, cont, *rest = bottom
        if cont.requires_grad and torch.is_grad_enabled():
            self.fail(
                "cannot backpropagate to sequence indicators (bottom 1); set `propagate_down: false` for it"
            )
        streams = x.shape[1]
        projected = F.linear(x.flatten(2), self.blobs[0], self.blobs[1])
        if self.static:
            projected = projected + F.linear(rest.pop(0).flatten(1), self.blobs[2])
        first = (
            [state[0].detach() for state in rest]
            if self.exposed
            else self.carried[:, :streams].clone().unbind()
        )
        top, last = self.unroll(projected, cont.unsqueeze(-1), *first)
        final = torch.stack(last).detach()
        if self.exposed:
            return (top, *final.unsqueeze(1).unbind())
        with torch.no_grad():
            self.carried[:, :streams].copy_(final)
        return top

    @abstractmethod
    def unroll(self, projected: Tensor, cont: Tensor, *first: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The outputs of all steps, and the states after the last one."""

    def example(self, index: int, shape: Shape, random: np.random.Generator) -> np.ndarray | None:
        return random.integers(0, 2, shape) if index == 1 else None

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        x, cont, *rest = bottoms
        first = first_step(graph.known(cont))
        if first is not None:
            self._whole_to_onnx(graph, x, rest, first, tops)
            return
        steps, streams, *_ = graph.shape(x)
        size = self.param.recurrent_param.num_output
        x = graph.reshape(x, (steps, streams, self.blobs[0].shape[1]))
        x = graph.node("MatMul", [x, graph.blob(self, 0, transposed=True)])
        x = graph.node("Add", [x, graph.blob(self, 1)])
        if self.static:
            still = graph.node("Flatten", [rest.pop(0)], axis=1)
            x = graph.node("Add", [x, graph.node("Gemm", [still, graph.blob(self, 2)], transB=1)])
        cont = graph.node("Unsqueeze", [cont, graph.constant([2])])
        if self.exposed:
            states = [graph.node("Squeeze", [state, graph.constant([0])]) for state in rest]
        else:  # a file keeps nothing from one run to the next: every run begins with zeros
            shape = graph.node("Concat", [graph.size(bottoms[0], 1), graph.constant([size])], axis=0)
            states = [graph.node("Expand", [graph.constant(0.0), shape])] * self.states
        final = graph.fresh(self.states)
        self.scan_in_onnx(graph, states, [x, cont], [*final, tops[0]])
        for state, top in zip(final, tops[1:], strict=False):
            graph.node("Unsqueeze", [state, graph.constant([0])], [top])

    def _whole_to_onnx(
        self, graph: OnnxGraph, x: str, rest: list[str], first: float, tops: list[str]
    ) -> None:
        """One operator for all steps, of which only the first may begin a sequence: its cont is `first`."""
        steps, streams, *_ = graph.shape(x)
        columns = self.blobs[0].shape[1]
        x = graph.reshape(x, (steps, streams, columns))
        weight = graph.ordered_blob(self, 0, (1, *self.blobs[0].shape), self.order)
        if self.static:  # as if it came with every step
            still = graph.node("Flatten", [rest.pop(0)], axis=1)
            still = graph.node("Unsqueeze", [still, graph.constant([0])])
            still = graph.node("Expand", [still, graph.constant([steps, 1, 1])])
            x = graph.node("Concat", [x, still], axis=2)
            both = torch.cat([ordered(self.blobs[index], self.order) for index in (0, 2)], 1)
            weight = graph.constant(both.unsqueeze(0).numpy(), name="weight")
        states = rest if self.exposed and first else []
        if first != 1:
            states = [graph.node("Mul", [state, graph.constant(first)]) for state in states]
        last = 2 + self.static
        recurrent = graph.ordered_blob(self, last, (1, *self.blobs[last].shape), self.order)
        operands = [x, weight, recurrent, whole_bias(graph, self, 1, self.order)]
        operands += ["", *states] if states else []
        outputs = [*graph.fresh(1), *(tops[1:] if self.exposed else [])]
        graph.node(self.operator, operands, outputs, hidden_size=self.param.recurrent_param.num_output)
        self.outputs_in_onnx(graph, graph.node("Squeeze", [outputs[0], graph.constant([1])]), tops[0])

    def outputs_in_onnx(self, graph: OnnxGraph, hidden: str, top: str) -> None:
        """The top, of the hidden states of all steps."""
        graph.node("Identity", [hidden], [top])

    @abstractmethod
    def scan_in_onnx(
        self, graph: OnnxGraph, states: list[str], sequences: list[str], outputs: list[str]
    ) -> None:
        """The loop over all steps; `outputs` are the states after the last one, then the outputs of all."""
