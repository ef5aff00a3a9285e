"""Layers of one formula an element: Sigmoid, TanH, AbsVal, BNLL, ELU, Exp, Log, Power, Swish, Clip, Threshold."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from caffe_compat.layers.base import ONNX_FLOAT, Layer, OnnxGraph, layer


class Elementwise(Layer):
    """A layer whose top has the shape of its one bottom."""

    num_bottom = num_top = 1

    def reshape(self, bottom):
        return [bottom]

    def per_record(self) -> bool:
        return True


Step = tuple[Any, ...]  # an operator and the constants that follow its first input


def chain(graph: OnnxGraph, bottoms: Sequence[str], tops: Sequence[str], steps: Sequence[Step]) -> None:
    """One node after the other from the one bottom to the one top; without steps a copy."""
    (value,), last = bottoms, len(steps) - 1
    for i, (op_type, *constants) in enumerate(steps or [("Identity",)]):
        value = graph.node(op_type, [value, *map(graph.constant, constants)], tops if i >= last else None)


def scale_and_shift(scale: float, shift: float) -> list[Step]:
    """The steps of scale * x + shift, without those that change nothing."""
    return [step for step, neutral in ((("Mul", scale), 1), (("Add", shift), 0)) if step[1] != neutral]


@layer("Sigmoid")
class Sigmoid(Elementwise):
    """top = 1 / (1 + exp(-bottom))

    Caffe: src/caffe/layers/sigmoid_layer.cpp
    """

    drawn_as = "follower"

    def forward(self, bottom):
        return torch.sigmoid(bottom)

    def to_onnx(self, graph, bottoms, tops):
        graph.node("Sigmoid", bottoms, tops)


@layer("TanH")
class TanH(Elementwise):
    """top = tanh(bottom)

    Caffe: src/caffe/layers/tanh_layer.cpp
    """

    drawn_as = "follower"

    def forward(self, bottom):
        return torch.tanh(bottom)

    def to_onnx(self, graph, bottoms, tops):
        graph.node("Tanh", bottoms, tops)


@layer("AbsVal")
class AbsVal(Elementwise):
    """top = |bottom|; the gradient at 0 is 0

    Caffe: src/caffe/layers/absval_layer.cpp
    """

    drawn_as = "follower"
    in_place = False

    def forward(self, bottom):
        return bottom.abs()

    def to_onnx(self, graph, bottoms, tops):
        graph.node("Abs", bottoms, tops)


@layer("BNLL")
class BNLL(Elementwise):
    """top = log(1 + exp(bottom))

    Caffe: src/caffe/layers/bnll_layer.cpp
    In place, Caffe's gradient is taken at the top instead of the bottom; here it is the right one.
    """

    drawn_as = "follower"

    def forward(self, bottom):
        return F.softplus(bottom, threshold=50)  # from 50 on exp(-x) is below rounding, in float64 too

    def to_onnx(self, graph, bottoms, tops):
        graph.node("Softplus", bottoms, tops)


@layer("ELU")
class ELU(Elementwise):
    """top = bottom where it is above 0, else alpha (exp(bottom) - 1); the gradient at 0 is alpha

    Caffe: src/caffe/layers/elu_layer.cpp
    """

    drawn_as = "follower"

    def setup(self, bottom):
        self.alpha = self.param.elu_param.alpha

    def forward(self, bottom):
        return F.elu(bottom, self.alpha)

    def to_onnx(self, graph, bottoms, tops):
        graph.node("Elu", bottoms, tops, alpha=self.alpha)


def _log_base(layer: Layer, base: float) -> float:
    """log(base), where base -1 means e."""
    if base == -1:
        return 1.0
    if not 0 < base < math.inf:
        layer.fail(f"base is {base:g}, it must be above 0 and finite; use -1 (the default) for e")
    return math.log(base)


@layer("Exp")
class Exp(Elementwise):
    """top = base ^ (shift + scale bottom)

    Caffe: src/caffe/layers/exp_layer.cpp
    """

    def setup(self, bottom):
        p = self.param.exp_param
        log_base = _log_base(self, p.base)
        self.inner, self.outer = log_base * p.scale, math.exp(log_base * p.shift)

    def forward(self, bottom):
        return torch.exp(bottom * self.inner) * self.outer

    def to_onnx(self, graph, bottoms, tops):
        before = [("Mul", self.inner)] if self.inner != 1 else []
        after = [("Mul", self.outer)] if self.outer != 1 else []
        chain(graph, bottoms, tops, [*before, ("Exp",), *after])


@layer("Log")
class Log(Elementwise):
    """top = log(shift + scale bottom) / log(base)

    Caffe: src/caffe/layers/log_layer.cpp
    In place, Caffe's gradient is taken at the top instead of the bottom; here it is the right one.
    """

    drawn_as = "follower"

    def setup(self, bottom):
        p = self.param.log_param
        self.log_base, self.scale, self.shift = _log_base(self, p.base), p.scale, p.shift
        if self.log_base == 0:
            self.fail("base is 1, and log(1) = 0 divides the result; use another base")

    def forward(self, bottom):
        return torch.log(bottom * self.scale + self.shift) / self.log_base

    def to_onnx(self, graph, bottoms, tops):
        after = [("Div", self.log_base)] if self.log_base != 1 else []
        chain(graph, bottoms, tops, [*scale_and_shift(self.scale, self.shift), ("Log",), *after])


@layer("Power")
class Power(Elementwise):
    """top = (shift + scale bottom) ^ power; a constant without gradient where scale or power is 0

    Caffe: src/caffe/layers/power_layer.cpp
    Caffe takes the gradient as power top / bottom, which is NaN at 0; here it is the derivative's limit.
    A power below 0 of scale 0 and shift 0 is infinite.
    """

    drawn_as = "follower"

    def setup(self, bottom):
        p = self.param.power_param
        self.power, self.scale, self.shift = p.power, p.scale, p.shift

    def forward(self, bottom):
        if self.power == 0:
            return torch.ones_like(bottom)
        if self.scale == 0:
            return torch.full_like(bottom, self.shift).pow(self.power)
        top = bottom if self.scale == 1 else bottom * self.scale
        top = top if self.shift == 0 else top + self.shift
        return top if self.power == 1 else top.pow(self.power)

    def to_onnx(self, graph, bottoms, tops):
        if self.power == 0 or self.scale == 0:
            value = graph.constant(float(torch.tensor(self.shift).pow(self.power)))
            graph.node("Expand", [value, graph.node("Shape", bottoms)], tops)
            return
        after = [("Pow", self.power)] if self.power != 1 else []
        chain(graph, bottoms, tops, [*scale_and_shift(self.scale, self.shift), *after])


@layer("Swish")
class Swish(Elementwise):
    """top = bottom sigmoid(beta bottom)

    Caffe: src/caffe/layers/swish_layer.cpp
    """

    drawn_as = "follower"

    def setup(self, bottom):
        self.beta = self.param.swish_param.beta

    def forward(self, bottom):
        return bottom * torch.sigmoid(bottom * self.beta)

    def to_onnx(self, graph, bottoms, tops):
        x = graph.node("Mul", [*bottoms, graph.constant(self.beta)]) if self.beta != 1 else bottoms[0]
        graph.node("Mul", [*bottoms, graph.node("Sigmoid", [x])], tops)


@layer("Clip")
class Clip(Elementwise):
    """top = max(min, min(bottom, max)); the gradient is 1 from min to max, both included

    Caffe: src/caffe/layers/clip_layer.cpp
    In place, Caffe's gradient is 1 everywhere; here it is the right one.
    """

    drawn_as = "follower"

    def setup(self, bottom):
        if not self.param.HasField("clip_param"):
            self.fail("clip_param is not set; give its min and max")
        self.low, self.high = self.param.clip_param.min, self.param.clip_param.max

    def forward(self, bottom):
        # Two steps, because min above max must give min.
        return bottom.clamp(max=self.high).clamp(min=self.low)

    def to_onnx(self, graph, bottoms, tops):
        # ONNX's Clip gives the maximum where min is above max, so there it takes two steps, too.
        ordered, inverted = [("Clip", self.low, self.high)], [("Min", self.high), ("Max", self.low)]
        chain(graph, bottoms, tops, ordered if self.low <= self.high else inverted)


@layer("Threshold")
class Threshold(Elementwise):
    """top = 1 where bottom is above the threshold, else 0; no gradient

    Caffe: src/caffe/layers/threshold_layer.cpp
    """

    def setup(self, bottom):
        self.threshold = self.param.threshold_param.threshold

    def allow_force_backward(self, index):
        return False

    def forward(self, bottom):
        return self.without_gradient((bottom > self.threshold).to(bottom.dtype), bottom)

    def to_onnx(self, graph, bottoms, tops):
        above = graph.node("Greater", [*bottoms, graph.constant(self.threshold)])
        graph.node("Cast", [above], tops, to=ONNX_FLOAT)
