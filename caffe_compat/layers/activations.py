"""Layers of one formula an element: Sigmoid, TanH, AbsVal, BNLL, ELU, Exp, Log, Power, Swish, Clip, Threshold."""

import math

import torch
import torch.nn.functional as F

from caffe_compat.layers.base import Layer, layer


class Elementwise(Layer):
    """A layer whose top has the shape of its one bottom."""

    num_bottom = num_top = 1

    def reshape(self, bottom):
        return [bottom]

    def per_record(self) -> bool:
        return True


@layer("Sigmoid")
class Sigmoid(Elementwise):
    """top = 1 / (1 + exp(-bottom))

    Caffe: src/caffe/layers/sigmoid_layer.cpp
    """

    def forward(self, bottom):
        return torch.sigmoid(bottom)


@layer("TanH")
class TanH(Elementwise):
    """top = tanh(bottom)

    Caffe: src/caffe/layers/tanh_layer.cpp
    """

    def forward(self, bottom):
        return torch.tanh(bottom)


@layer("AbsVal")
class AbsVal(Elementwise):
    """top = |bottom|; the gradient at 0 is 0

    Caffe: src/caffe/layers/absval_layer.cpp
    """

    in_place = False

    def forward(self, bottom):
        return bottom.abs()


@layer("BNLL")
class BNLL(Elementwise):
    """top = log(1 + exp(bottom))

    Caffe: src/caffe/layers/bnll_layer.cpp
    In place, Caffe's gradient is taken at the top instead of the bottom; here it is the right one.
    """

    def forward(self, bottom):
        return F.softplus(bottom, threshold=50)  # from 50 on exp(-x) is below rounding, in float64 too


@layer("ELU")
class ELU(Elementwise):
    """top = bottom where it is above 0, else alpha (exp(bottom) - 1); the gradient at 0 is alpha

    Caffe: src/caffe/layers/elu_layer.cpp
    """

    def setup(self, bottom):
        self.alpha = self.param.elu_param.alpha

    def forward(self, bottom):
        return F.elu(bottom, self.alpha)


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


@layer("Log")
class Log(Elementwise):
    """top = log(shift + scale bottom) / log(base)

    Caffe: src/caffe/layers/log_layer.cpp
    In place, Caffe's gradient is taken at the top instead of the bottom; here it is the right one.
    """

    def setup(self, bottom):
        p = self.param.log_param
        self.log_base, self.scale, self.shift = _log_base(self, p.base), p.scale, p.shift
        if self.log_base == 0:
            self.fail("base is 1, and log(1) = 0 divides the result; use another base")

    def forward(self, bottom):
        return torch.log(bottom * self.scale + self.shift) / self.log_base


@layer("Power")
class Power(Elementwise):
    """top = (shift + scale bottom) ^ power; a constant without gradient where scale or power is 0

    Caffe: src/caffe/layers/power_layer.cpp
    Caffe takes the gradient as power top / bottom, which is NaN at 0; here it is the derivative's limit.
    """

    def setup(self, bottom):
        p = self.param.power_param
        self.power, self.scale, self.shift = p.power, p.scale, p.shift
        if self.scale == 0 and self.power < 0 and self.shift == 0:
            self.fail(f"power {self.power:g} of scale 0 and shift 0 is infinite; set scale or shift")

    def forward(self, bottom):
        if self.power == 0:
            return torch.ones_like(bottom)
        if self.scale == 0:
            return torch.full_like(bottom, self.shift).pow(self.power)
        top = bottom if self.scale == 1 else bottom * self.scale
        top = top if self.shift == 0 else top + self.shift
        return top if self.power == 1 else top.pow(self.power)


@layer("Swish")
class Swish(Elementwise):
    """top = bottom sigmoid(beta bottom)

    Caffe: src/caffe/layers/swish_layer.cpp
    """

    def setup(self, bottom):
        self.beta = self.param.swish_param.beta

    def forward(self, bottom):
        return bottom * torch.sigmoid(bottom * self.beta)


@layer("Clip")
class Clip(Elementwise):
    """top = max(min, min(bottom, max)); the gradient is 1 from min to max, both included

    Caffe: src/caffe/layers/clip_layer.cpp
    In place, Caffe's gradient is 1 everywhere; here it is the right one.
    """

    def setup(self, bottom):
        if not self.param.HasField("clip_param"):
            self.fail("clip_param is not set; give its min and max")
        self.low, self.high = self.param.clip_param.min, self.param.clip_param.max

    def forward(self, bottom):
        # Two steps, because min above max must give min.
        return bottom.clamp(max=self.high).clamp(min=self.low)


@layer("Threshold")
class Threshold(Elementwise):
    """top = 1 where bottom is above the threshold, else 0; no gradient

    Caffe: src/caffe/layers/threshold_layer.cpp
    """

    def setup(self, bottom):
        self.threshold = self.param.threshold_param.threshold

    def forward(self, bottom):
        return (bottom > self.threshold).to(bottom.dtype)
