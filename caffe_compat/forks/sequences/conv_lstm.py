"""ConvLSTM: an LSTM whose products are convolutions, over sequences of maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from caffe_compat.layers.base import Context, Layer, Shape, layer
from caffe_compat.layers.convolution import Window, convolve, read_window
from caffe_compat.proto import FillerParameter, LayerParameter, LSTMConvolutionParameter, LSTMDebugParameter


@layer("ConvLSTM")
class ConvLSTM(Layer):
    """h_t = o tanh(c_t), c_t = cont_t f c_(t-1) + i g; sigmoids of i, f, o and tanh of g, each a quarter of
    Wx * x_t + Wh * (cont_t h_(t-1)) + b + Ws * static + (wi c_(t-1), wf c_(t-1), wo c_(t-1), 0)

    Fork: agethen/ConvLSTM-for-Caffe, src/caffe/layers/conv_lstm_layer.cpp
    Bottoms: x (T, N, C, H, W); cont (T, N), 0 where a sequence begins; optionally a static input (N, C, H, W); with
    recurrent_param.expose_hidden h and c to begin with, (1, N, num_output, H, W) each. Tops: h (T, N, num_output, H, W);
    with expose_hidden the last h and c. Gradients flow through these, too. Else a forward begins with what the last one
    ended with.
    Blobs: Wx; Ws, if there is a static input; Wh; b, unless bias_term is false; wi, wf, wo of the sizes of num_axes_hadamard
    axes of c (1, N, num_output, H, W) from axis_hadamard on, 1 to begin with, unless disable_hadamard. Two lstm_conv_param
    are for x ("input") and h ("hidden"), one is for both. ignore_x: no Wx. `expose`, which shows inner blobs, is refused.
    """

    in_place = False
    fork_fields = ("lstm_conv_param", "lstm_debug_param")
    carried: Tensor

    def __init__(self, param: LayerParameter, phase: int, context: Context | None = None):
        super().__init__(param, phase, context)
        self.exposed = 2 if param.recurrent_param.expose_hidden else 0
        self.num_bottom = (2 + self.exposed, 3 + self.exposed)
        self.num_top = 1 + self.exposed

    def allow_force_backward(self, index: int) -> bool:
        return index != 1

    def setup(self, *bottom: Shape) -> None:
        given, debug = list(self.param.lstm_conv_param), self.param.lstm_debug_param
        if not 1 <= len(given) <= 2:
            self.fail(
                f'has {len(given)} lstm_conv_param; give one, or one of type "input" and one of type "hidden"'
            )
        if debug.expose:
            self.fail("lstm_debug_param.expose shows blobs that are not made here; remove it")
        of_x = given[-1] if given[0].type == "hidden" else given[0]
        of_h = given[-1] if given[0].type == "input" else given[0]
        if len(bottom[0]) != 5:
            self.fail(f"bottom 0 of shape {bottom[0]} must be T x N x C x H x W: time steps, streams, maps")
        self.size, self.maps = of_h.num_output, bottom[0][3:]
        if self.size < 1 or of_x.num_output != self.size:
            self.fail(
                f"lstm_conv_param.num_output is {of_x.num_output} and {self.size}; it must be the same and above 0"
            )
        self.static, self.uses_x = len(bottom) == 3 + self.exposed, not debug.ignore_x
        self.groups = of_x.group, of_h.group
        self.windows = self._window(of_x), self._window(of_h)
        self.names: list[str] = []
        if self.uses_x:
            self._add("x", self._kernel(bottom[0][2], 0), of_x.weight_filler)
            if self.static:
                self._add("static", self._kernel(bottom[2][1], 0), of_x.weight_filler)
        self._add("h", self._kernel(self.size, 1), of_h.weight_filler)
        if of_h.bias_term:
            self._add("bias", (4 * self.size,), of_h.bias_filler)
        if not debug.disable_hadamard:
            self._add_hadamard(debug)
        self.register_buffer(
            "carried", torch.zeros(2, 0, self.size, *self.maps, dtype=self.context.dtype), False
        )

    def _window(self, conv: LSTMConvolutionParameter) -> Window:
        seen: Any = SimpleNamespace(param=SimpleNamespace(convolution_param=conv), fail=self.fail)
        window = read_window(seen, 2)
        sizes = tuple(
            (n + 2 * p - e) // s + 1
            for n, p, e, s in zip(self.maps, window.pad, window.extent, window.stride, strict=True)
        )
        if sizes != self.maps:
            self.fail(
                f"lstm_conv_param makes maps of {sizes} from {self.maps}; choose pad so that they stay as large"
            )
        return window

    def _kernel(self, channels: int, which: int) -> Shape:
        group = self.groups[which]
        if group < 1 or channels % group or 4 * self.size % group:
            self.fail(
                f"lstm_conv_param.group {group} must divide {channels} channels and 4 x num_output {4 * self.size}"
            )
        return (4 * self.size, channels // group, *self.windows[which].kernel)

    def _add(self, name: str, shape: Shape, filler: FillerParameter) -> None:
        self.names.append(name)
        self.add_blob(shape, filler)

    def _add_hadamard(self, debug: LSTMDebugParameter) -> None:
        whole = (1, 1, self.size, *self.maps)
        axis, count = debug.axis_hadamard, debug.num_axes_hadamard
        if axis < 2 or axis + count > 5:
            self.fail(
                f"lstm_debug_param has axis_hadamard {axis} and num_axes_hadamard {count}; the axes must be among 2, 3 and 4"
            )
        # As it stands beside c (N, num_output, H, W).
        self.beside = (*(1,) * (axis - 1), *whole[axis : axis + count], *(1,) * (5 - axis - count))
        for name in ("input", "forget", "output"):
            self._add(name, whole[axis : axis + count], FillerParameter(type="constant", value=1))

    def reshape(self, *bottom: Shape) -> list[Shape]:
        x, cont, *rest = bottom
        channels = self.blobs[0].shape[1] * self.groups[0] if self.uses_x else None
        if len(x) != 5 or x[3:] != self.maps or (channels is not None and x[2] != channels):
            self.fail(
                f"bottom 0 of shape {x} must have maps of {channels or 'any'} x {self.maps[0]} x {self.maps[1]}, which the "
                "weights were made for; rename the layer to relearn them"
            )
        if cont != x[:2]:
            self.fail(f"bottom 1 (cont) of shape {cont} must be time steps x streams as in bottom 0: {x[:2]}")
        if self.static and (rest[0][0] != x[1] or rest[0][2:] != self.maps):
            self.fail(
                f"bottom 2, the static input, of shape {rest[0]} must be {x[1]} x C x {self.maps[0]} x {self.maps[1]}"
            )
        state = (1, x[1], self.size, *self.maps)
        for i, shape in enumerate(rest[self.static :], 2 + self.static):
            if shape != state:
                self.fail(f"bottom {i}, a hidden state, of shape {shape} must have shape {state}")
        if x[1] > self.carried.shape[1]:
            self.carried = self.carried.new_zeros(2, x[1], *state[2:])
        return [(*x[:2], *state[2:]), *[state] * self.exposed]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        steps, streams = bottom[0][:2]
        values, count = streams * self.size * math.prod(self.maps), 0
        for name, blob in zip(self.names, (self.blobs[i] for i in range(len(self.blobs))), strict=True):
            if name in ("x", "h"):
                count += steps * 4 * values * math.prod(blob.shape[1:])
            elif name == "static":
                count += 4 * values * math.prod(blob.shape[1:])
            elif name != "bias":
                count += steps * values  # one of the three that multiply c
        return count

    def forward(self, x: Tensor, cont: Tensor, *rest: Tensor) -> Tensor | tuple[Tensor, ...]:
        blob = dict(zip(self.names, (self.blobs[i] for i in range(len(self.blobs))), strict=True))
        streams = x.shape[1]
        begin = (
            [t[0] for t in rest[self.static :]] if self.exposed else list(self.carried[:, :streams].clone())
        )
        h, c = begin
        steps: list[Tensor | float] = [0.0] * len(x)
        if self.uses_x:
            projected = self._convolve(x.flatten(0, 1), blob["x"], None, 0).unflatten(0, x.shape[:2])
            if self.static:
                projected = projected + self._convolve(rest[0], blob["static"], None, 0)
            steps = list(projected.unbind())
        outputs = []
        for step, kept in zip(steps, cont.detach().unbind(), strict=True):
            kept = kept.view(-1, 1, 1, 1)
            gates = step + self._convolve(h * kept, blob["h"], blob.get("bias"), 1)
            i, f, o, g = gates.chunk(4, 1)
            if "input" in blob:
                i, f, o = (
                    gate + c * blob[name].view(self.beside)
                    for gate, name in zip((i, f, o), ("input", "forget", "output"), strict=True)
                )
            c = kept * f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            outputs.append(h)
        top = torch.stack(outputs)
        if self.exposed:
            return top, h[None], c[None]
        self.carried[:, :streams] = torch.stack((h, c)).detach()
        return top

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None, which: int) -> Tensor:
        w = self.windows[which]
        return convolve(x, weight, bias, w.stride, w.pad, w.dilation, self.groups[which])
