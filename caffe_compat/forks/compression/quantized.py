"""Convolutions and inner products whose weights are made coarse as they run: binary, ternary, and Ristretto's.

The blobs keep the fine weights, which get the coarse ones' gradient.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import TEST, Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.convolution import Convolution, Convolving, convolve, filled
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.proto import QuantizationParameter


class _Coarse(Layer):
    """What such a layer makes of its numbers."""

    is_random = True

    def coarse(self, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The weight, one row an output, and the bias that it runs with."""
        self._undefined("coarse")

    def before(self, bottom: Tensor) -> Tensor:
        return bottom

    def after(self, top: Tensor) -> Tensor:
        return top

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        self.fail(
            "cannot be exported: its numbers are made coarse as it runs; export the net with the layer of full precision"
        )


class _CoarseConvolution(_Coarse, Convolving):
    """No Convolution: the fused graph runs those by their blobs."""

    def reshape(self, *bottom: Shape) -> list[Shape]:
        tops = super().reshape(*bottom)
        self.missing = self.window.missing(bottom[0][self.start + 1 :])
        return tops

    sizes = Convolution.sizes

    def compute(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Shape, pad: Shape, dilation: Shape
    ) -> Tensor:
        weight, bias = self.coarse(weight, bias)
        x = filled(self.before(x), self.missing)
        return self.after(convolve(x, weight, bias, stride, pad, dilation, self.group))


class _CoarseProduct(_Coarse, InnerProduct):
    def forward(self, bottom: Tensor) -> Tensor:
        weight = self.blobs[0].T if self.transpose else self.blobs[0]
        weight, bias = self.coarse(weight, self.blobs[1] if len(self.blobs) > 1 else None)
        return self.after(F.linear(self.before(bottom).flatten(self.start), weight, bias))


def _instead(fine: Tensor, coarse: Tensor) -> Tensor:
    """The coarse values, whose gradient is the fine ones'."""
    return fine + (coarse - fine).detach()


class _FewValues(_Coarse):
    """Rows of weights that become a sign, or a sign and 0, times one number."""

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.param.inner_product_param if isinstance(self, InnerProduct) else self.param.convolution_param
        if getattr(p, "transpose", False):
            self.fail("inner_product_param.transpose is true, which the fork mixes up; remove it")
        self.share = p.ratio / 100 if p.sq else 1.0
        self.left = int((1 - self.share) * p.num_output) if self.share < 1 else 0

    def random_reason(self) -> str:
        return (
            f"draws {self.left} outputs that keep their weights (sq, ratio {self.share:.0%})"
            if self.left
            else ""
        )

    def coarse(self, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
        rows = weight.detach().flatten(1)
        few = self.few(rows)
        if self.left:
            error = (rows - few).abs().sum(1) / rows.abs().sum(1).clamp(min=torch.finfo(rows.dtype).tiny)
            # The least of these are drawn one after the other, each by its share of the errors that are left.
            turn = torch.empty_like(error).exponential_() / error
            fine = turn <= turn.kthvalue(self.left).values
            few = rows.where((fine & (error > 0))[:, None], few)
        return _instead(weight, few.view_as(weight)), bias

    def few(self, rows: Tensor) -> Tensor:
        self._undefined("few")


class _Binary(_FewValues):
    def few(self, rows: Tensor) -> Tensor:
        return torch.where(rows >= 0, 1, -1) * rows.abs().mean(1, keepdim=True)


class _Ternary(_FewValues):
    def few(self, rows: Tensor) -> Tensor:
        delta = 0.7 * (rows - rows.mean()).abs().mean()
        kept = rows.abs() > delta
        mean = (rows.abs() * kept).sum(1, keepdim=True) / kept.sum(1, keepdim=True).clamp(min=1)
        return rows.sign() * kept * mean


@layer("BinaryConvolution")
class BinaryConvolution(_Binary, _CoarseConvolution):
    """Convolution with the signs of blobs[0], each output's times the mean of its absolute weights; 0 counts as positive

    Fork: dongyp13/Stochastic-Quantization, loswensiana/BWN-XNOR-caffe, on their GPU paths
    Blobs: as Convolution's.
    sq: only ratio percent of the outputs, rounded up, are made coarse: the others are drawn at each pass, in TRAIN and
    TEST, by the share of their weights that the coarse ones are wrong by.
    """

    fork_fields = ("convolution_param.sq", "convolution_param.ratio")


@layer("TernaryConvolution")
class TernaryConvolution(_Ternary, _CoarseConvolution):
    """Convolution with the signs of weights above delta, times each output's mean of these; 0 for the other weights

    Fork: dongyp13/Stochastic-Quantization, src/caffe/layers/conv_layer_ternary.cu
    Blobs: as Convolution's. delta is 0.7 of the mean distance of all weights from their mean; sq as in BinaryConvolution.
    """

    fork_fields = ("convolution_param.sq", "convolution_param.ratio")


@layer("BinaryInnerProduct")
class BinaryInnerProduct(_Binary, _CoarseProduct):
    """InnerProduct with weights as BinaryConvolution's

    Fork: dongyp13/Stochastic-Quantization, src/caffe/layers/inner_product_layer_binary.cu
    Blobs: as InnerProduct's.
    """

    fork_fields = ("inner_product_param.sq", "inner_product_param.ratio")


@layer("TernaryInnerProduct")
class TernaryInnerProduct(_Ternary, _CoarseProduct):
    """InnerProduct with weights as TernaryConvolution's

    Fork: dongyp13/Stochastic-Quantization, src/caffe/layers/inner_product_layer_ternary.cu
    Blobs: as InnerProduct's.
    """

    fork_fields = ("inner_product_param.sq", "inner_product_param.ratio")


class _Ristretto(_Coarse):
    fork_fields = (
        "quantization_param",
        *(f"quantization_param.{name}" for name in ("mant_bits", "exp_bits", "exp_min", "exp_max")),
        "quantization_param.precision: MINIFLOAT",
        "quantization_param.precision: INTEGER_POWER_OF_2_WEIGHTS",
        "quantization_param.rounding_scheme: STOCHASTIC",
    )

    def setup(self, *bottom: Shape) -> None:
        super().setup(*bottom)
        p = self.param.quantization_param
        for name in ("fl_layer_in", "fl_layer_out", "fl_params"):
            if len(getattr(p, name)) > 1:
                self.fail(
                    f"quantization_param.{name} is given {len(getattr(p, name))} times; Ristretto's has one"
                )
        other = [f.name for f, _ in p.ListFields() if f.name.startswith("scale_") or "input" in f.name]
        if other:
            self.fail(f"quantization_param.{other[0]} is intel/caffe's, not Ristretto's; remove it")
        self.precision = p.precision
        self.at_random = self.phase != TEST or p.rounding_scheme == QuantizationParameter.STOCHASTIC
        self.widths = {
            part: (getattr(p, f"bw_{part}"), sum(getattr(p, f"fl_{part}")))
            for part in ("layer_in", "layer_out", "params")
        }
        self.mantissa, self.exponent = p.mant_bits, p.exp_bits
        self.powers = p.exp_min, p.exp_max

    def random_reason(self) -> str:
        kinds = QuantizationParameter
        if not self.at_random or self.precision not in (
            kinds.DYNAMIC_FIXED_POINT,
            kinds.MINIFLOAT,
            kinds.INTEGER_POWER_OF_2_WEIGHTS,
        ):
            return ""
        return (
            f"rounds at random in {'TRAIN' if self.phase != TEST else 'TEST (rounding_scheme: STOCHASTIC)'}"
        )

    def coarse(self, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if self.precision == QuantizationParameter.INTEGER_POWER_OF_2_WEIGHTS:
            power = self._round(weight.detach().abs().log2()).clamp(*self.powers)
            return _instead(weight, torch.where(weight >= 0, 1, -1) * power.exp2()), bias
        return self._trim(weight, "params"), None if bias is None else self._trim(bias, "params")

    def before(self, bottom: Tensor) -> Tensor:
        return self._trim(bottom, "layer_in") if self.phase == TEST else bottom

    def after(self, top: Tensor) -> Tensor:
        return self._trim(top, "layer_out") if self.phase == TEST else top

    def _round(self, x: Tensor) -> Tensor:
        if self.at_random:
            return (x + torch.rand_like(x)).floor()
        return x.sign() * (x.abs() + 0.5).floor()

    def _trim(self, x: Tensor, part: str) -> Tensor:
        fine = x.detach()
        if self.precision == QuantizationParameter.DYNAMIC_FIXED_POINT:
            bits, fraction = self.widths[part]
            most = 2.0 ** (bits - 1)
            coarse = self._round((fine * 2.0**fraction).clamp(-most, most - 1)) * 2.0**-fraction
        elif self.precision == QuantizationParameter.MINIFLOAT:
            coarse = self._float(fine)
        else:
            return x
        return _instead(x, coarse)

    def _float(self, x: Tensor) -> Tensor:
        """`x` with a mantissa and an exponent of so many bits; what is too small is 0, what is too large the largest."""
        steps, bias = 2.0**self.mantissa, 2 ** (self.exponent - 1) - 1
        most = 2**self.exponent - 1 - bias
        half, exponent = x.abs().frexp()
        exponent = exponent - 1
        value = (1 + self._round((2 * half - 1) * steps) / steps) * exponent.to(x.dtype).exp2()
        value = value.where(exponent <= most, (2 - 1 / steps) * 2.0**most)
        return x.sign() * value.where(exponent >= -bias, 0)


@layer("ConvolutionRistretto")
class ConvolutionRistretto(_Ristretto, _CoarseConvolution):
    """Convolution with numbers of few bits: weights and bias, in TEST the bottom and the top, too

    Fork: pmgysel/caffe (Ristretto), src/caffe/ristretto/layers/conv_ristretto_layer.cpp
    Blobs: as Convolution's.
    Fixed point of bw_* bits, fl_* of them after the point; MINIFLOAT of mant_bits and exp_bits; or weights that are powers
    of 2 from exp_min to exp_max. Rounded to the nearest, in TRAIN at random. The fork writes what it makes of the bottom
    back, where layers that run later read it; here they read what was there.
    """


@layer("FcRistretto")
class FcRistretto(_Ristretto, _CoarseProduct):
    """InnerProduct with numbers of few bits, as ConvolutionRistretto

    Fork: pmgysel/caffe (Ristretto), src/caffe/ristretto/layers/fc_ristretto_layer.cpp
    Blobs: as InnerProduct's.
    """
