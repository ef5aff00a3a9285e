"""Ristretto's ConvolutionRistretto and FcRistretto: weights, bottom and top of few bits."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.forks.compression.quantized import Coarse, CoarseConvolution, CoarseProduct, instead
from caffe_compat.layers.base import TEST, Shape, layer
from caffe_compat.proto import QuantizationParameter


class _Ristretto(Coarse):
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
            return instead(weight, torch.where(weight >= 0, 1, -1) * power.exp2()), bias
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
        return instead(x, coarse)

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
class ConvolutionRistretto(_Ristretto, CoarseConvolution):
    """Convolution with numbers of few bits: weights and bias, in TEST the bottom and the top, too

    Fork: pmgysel/caffe (Ristretto), src/caffe/ristretto/layers/conv_ristretto_layer.cpp
    Blobs: as Convolution's.
    Fixed point of bw_* bits, fl_* of them after the point; MINIFLOAT of mant_bits and exp_bits; or weights that are powers
    of 2 from exp_min to exp_max. Rounded to the nearest, in TRAIN at random. The fork writes what it makes of the bottom
    back, where layers that run later read it; here they read what was there.
    """


@layer("FcRistretto")
class FcRistretto(_Ristretto, CoarseProduct):
    """InnerProduct with numbers of few bits, as ConvolutionRistretto

    Fork: pmgysel/caffe (Ristretto), src/caffe/ristretto/layers/fc_ristretto_layer.cpp
    Blobs: as InnerProduct's.
    """
