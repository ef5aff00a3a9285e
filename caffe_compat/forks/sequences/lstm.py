"""LSTM layers of forks: Lstm over sequences in one batch axis, LSTMNode for one step, ContinuationIndicator."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat import fillers
from caffe_compat.layers.base import Dim, Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.lstm import LSTM_ORDER, Unroll
from caffe_compat.layers.lstm_unit import Unit, step_in_onnx
from caffe_compat.layers.recurrent import first_step, whole_bias
from caffe_compat.proto import LSTMParameter


class _Limit(torch.autograd.Function):
    """x, whose gradient is cut off at -limit and limit."""

    @staticmethod
    def forward(ctx, x: Tensor, limit: float) -> Tensor:
        ctx.limit = limit
        return x.view_as(x)

    @staticmethod
    def backward(ctx, diff: Tensor) -> tuple[Tensor, None]:
        return diff.clamp(-ctx.limit, ctx.limit), None


@layer("Lstm")
class Lstm(Layer):
    """(i, f, o, g) = W_x x_t + W_h h + b; c = s(f) c + s(i) tanh(g), h = s(o) tanh(c), the top

    Fork: junhyukoh/caffe-lstm
    Blobs: 0 W_x (4 num_output, data); 1 W_h (4 num_output, num_output); 2 b (4 num_output,).
    The bottom is (T N, ...) with N = batch_size, steps outermost; the top (T N, num_output). Every forward begins with
    zeros, unless bottom 1 says for each of the T N places whether it goes on (not 0) or begins anew (0): then step 0 can
    go on where the last forward ended, and no gradient flows there. clipping_threshold above 0 cuts off the gradients
    of the gates' inputs. W_h's gradient is the derivative; the fork's counts places that begin anew as if they went
    on, and of step 0 only the first sequence.
    """

    drawn_as = "product"
    num_bottom = (1, 2)
    num_top = 1
    in_place = False
    fork_fields = ("lstm_param",)
    carried: Tensor

    def allow_force_backward(self, index: int) -> bool:
        return index == 0

    def setup(self, *bottom: Shape) -> None:
        p = self.param.lstm_param
        for name in ("num_output", "batch_size"):
            if getattr(p, name) < 1:
                self.fail(f"lstm_param.{name} is {getattr(p, name)}, it must be set and above 0")
        if len(bottom[0]) < 2:
            self.fail(f"bottom 0 of shape {bottom[0]} needs at least 2 axes: steps x sequences, data")
        self.sequences, self.size, self.limit = p.batch_size, p.num_output, p.clipping_threshold
        self.add_blob((4 * self.size, prod(bottom[0][1:])), p.weight_filler)
        self.add_blob((4 * self.size, self.size), p.weight_filler)
        self.add_blob((4 * self.size,), p.bias_filler)
        states = torch.zeros(2, self.sequences, self.size, dtype=self.context.dtype)
        self.register_buffer("carried", states, persistent=False)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        x = bottom[0]
        if not x or x[0] % self.sequences:
            self.fail(f"axis 0 of bottom shape {x} must be a multiple of batch_size {self.sequences}")
        if prod(x[1:]) != self.blobs[0].shape[1]:
            self.fail(
                f"bottom shape {x} has {prod(x[1:])} values a place, but the weights were made for "
                f"{self.blobs[0].shape[1]}; resize the input or rename the layer to relearn it"
            )
        if len(bottom) > 1 and prod(bottom[1]) != x[0]:
            self.fail(
                f"bottom 1 of shape {bottom[1]} must have one value for each of the {x[0]} places of bottom 0"
            )
        return [(x[0], self.size)]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return bottom[0][0] * (self.blobs[0].numel() + self.blobs[1].numel())

    def forget(self) -> None:
        self.carried.zero_()

    def forward(self, x: Tensor, goes_on: Tensor | None = None) -> Tensor:
        projected = F.linear(x.flatten(1), self.blobs[0], self.blobs[2])
        projected = projected.unflatten(0, (-1, self.sequences))
        if goes_on is None:
            cont = projected.new_ones(*projected.shape[:2], 1)
            cont[0] = 0
        else:
            cont = (goes_on.detach() != 0).to(x.dtype).reshape(*projected.shape[:2], 1)
        h, c = self.carried.clone().unbind()
        if self.limit > 0:
            top, c = self._limited(projected, cont, h, c)
        else:
            top, c = Unroll.apply(projected, cont, self.blobs[1], h, c)
        if goes_on is not None:
            with torch.no_grad():
                self.carried.copy_(torch.stack([top[-1], c]))
        return top.flatten(0, 1)

    def _limited(self, projected: Tensor, cont: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """All steps, one autograd node each: the gradient is cut off before it goes to the step before."""
        outputs = []
        for x_t, cont_t in zip(projected.unbind(), cont.unbind(), strict=True):
            gates = _Limit.apply(torch.addmm(x_t, h * cont_t, self.blobs[1].t()), self.limit)
            c, h = Unit.apply(c, gates, cont_t)
            outputs.append(h)
        return torch.stack(outputs), c

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        places, *data = graph.shape(bottoms[0])
        steps = places // self.sequences if isinstance(places, int) else "steps"
        x = graph.reshape(bottoms[0], (steps, self.sequences, prod(data)))
        if self._is_whole(graph, bottoms):
            self._whole_to_onnx(graph, x, places, tops[0])
            return
        x = graph.node(
            "Add", [graph.node("MatMul", [x, graph.blob(self, 0, transposed=True)]), graph.blob(self, 2)]
        )
        cont = graph.node("Cast", [graph.node("Cast", [bottoms[1]], to=9)], to=1)
        cont = graph.reshape(cont, (steps, self.sequences, 1), source=graph.shape(bottoms[1]))
        weight = graph.blob(self, 1)

        def step(states: list[str], slices: list[str]) -> tuple[list[str], list[str]]:
            (h, c), (x_t, cont_t) = states, slices
            gates = graph.node("Gemm", [graph.node("Mul", [h, cont_t]), weight, x_t], transB=1)
            c, h = step_in_onnx(graph, c, gates, cont_t, self.size)
            return [h, c], [h]

        zeros = graph.constant([[0.0] * self.size] * self.sequences)
        *final, top = graph.fresh(3)
        graph.scan(step, [zeros, zeros], [x, cont], [*final, top])
        graph.reshape(top, (places, self.size), tops, source=(steps, self.sequences, self.size))

    def _is_whole(self, graph: OnnxGraph, bottoms: list[str]) -> bool:
        """Whether all sequences are known to go on at all steps but the first, which has zeros before it anyway."""
        if len(bottoms) < 2:
            return True
        known = graph.known(bottoms[1])
        if known is None:
            return False
        return first_step((known != 0).astype(float).reshape(-1, self.sequences)) is not None

    def _whole_to_onnx(self, graph: OnnxGraph, x: str, places: Dim, top: str) -> None:
        weights = [
            graph.ordered_blob(self, index, (1, *self.blobs[index].shape), LSTM_ORDER) for index in (0, 1)
        ]
        bias = whole_bias(graph, self, 2, LSTM_ORDER)
        hidden = graph.node("LSTM", [x, *weights, bias], hidden_size=self.size)
        graph.reshape(hidden, (places, self.size), [top], source=("steps", 1, self.sequences, self.size))


@layer("LSTMNode")
class LSTMNode(Layer):
    """(i, f, o, g) = blobs[0] bottom0 + blobs[1]; top1 c = cont s(f) c_prev + s(i) tanh(g), top0 = s(o) tanh(c)

    Fork: peteanderson80/caffe
    Blobs: 0 weight (4 num_cells, data); with bias_term 1 bias (4 num_cells,).
    Bottoms: the input and the h before it, as one (N, ...); c_prev (N, num_cells); cont (N,), 1 unless given. Tops:
    h and c, (N, num_cells).
    """

    num_bottom = (2, 3)
    num_top = 2
    in_place = False
    fork_fields = ("lstm_param",)

    def allow_force_backward(self, index: int) -> bool:
        return index != 2

    def setup(self, *bottom: Shape) -> None:
        p = self.param.lstm_param
        if p.num_cells < 1:
            self.fail(f"lstm_param.num_cells is {p.num_cells}, it must be set and above 0")
        self.size, columns = p.num_cells, prod(bottom[0][1:])
        self._add_filled((self.size, columns), p, "weight_filler")
        if p.bias_term:
            self._add_filled((self.size,), p, "bias_filler")

    def _add_filled(self, shape: Shape, p: LSTMParameter, filler: str) -> None:
        """A blob of the gates' parts, each filled on its own."""
        blob = self.add_blob((4 * shape[0], *shape[1:]))
        for gate, part in zip(
            ("input_gate", "forget_gate", "output_gate", "input"), blob.data.chunk(4), strict=True
        ):
            fillers.fill(part, getattr(p, f"{gate}_{filler}"), self.context.generator, self.fail)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        x, c_prev, *cont = bottom
        if not x or prod(x[1:]) != self.blobs[0].shape[1]:
            self.fail(
                f"bottom shape {x} has {prod(x[1:])} values an item, but the weights were made for "
                f"{self.blobs[0].shape[1]}; resize the input or rename the layer to relearn it"
            )
        if prod(c_prev) != x[0] * self.size:
            self.fail(f"bottom 1 of shape {c_prev}, the cells, must have {x[0]} x {self.size} values")
        if cont and prod(cont[0]) != x[0]:
            self.fail(f"bottom 2 of shape {cont[0]} must have one value for each of {x[0]} items")
        return [(x[0], self.size)] * 2

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return bottom[0][0] * self.blobs[0].numel()

    def per_record(self) -> bool:
        return True

    def forward(self, x: Tensor, c_prev: Tensor, cont: Tensor | None = None) -> tuple[Tensor, Tensor]:
        bias = self.blobs[1] if len(self.blobs) > 1 else None
        gates = F.linear(x.flatten(1), self.blobs[0], bias)
        cont = x.new_ones(x.shape[0], 1) if cont is None else cont.detach().reshape(-1, 1)
        c, h = Unit.apply(c_prev.reshape(x.shape[0], self.size), gates, cont)
        return h, c

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        count = graph.shape(bottoms[0])[0]
        x = graph.node("Flatten", [bottoms[0]], axis=1)
        bias = [graph.blob(self, 1)] if len(self.blobs) > 1 else []
        gates = graph.node("Gemm", [x, graph.blob(self, 0), *bias], transB=1)
        cells = graph.reshape(bottoms[1], (count, self.size))
        cont = graph.reshape(bottoms[2], (count, 1)) if len(bottoms) > 2 else graph.constant(1.0)
        step_in_onnx(graph, cells, gates, cont, self.size, tops[::-1])


@layer("ContinuationIndicator")
class ContinuationIndicator(Layer):
    """top (time_step, batch_size) = 0 in row 0, 1 elsewhere: every sequence begins with the batch

    Fork: xmfbit/warpctc-caffe, intel/caffe
    """

    num_bottom, num_top = 0, 1
    fork_fields = ("continuation_indicator_param",)
    rows: Tensor

    def setup(self) -> None:
        p = self.param.continuation_indicator_param
        for name in ("time_step", "batch_size"):
            if getattr(p, name) < 1:
                self.fail(f"{name} is {getattr(p, name)}, it must be set and above 0")
        self.size = (p.time_step, p.batch_size)
        rows = torch.ones(self.size, dtype=self.context.dtype)
        rows[0] = 0
        self.register_buffer("rows", rows, persistent=False)

    def reshape(self) -> list[Shape]:
        return [self.size]

    def forward(self) -> Tensor:
        return self.rows.clone()

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        steps, sequences = self.size
        rows = [[float(step > 0)] * sequences for step in range(steps)]
        graph.node("Identity", [graph.constant(rows)], tops)
