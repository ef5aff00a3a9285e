"""Convolutions and inner products whose weights have two or three values."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.forks.compression.quantized import Coarse, CoarseConvolution, CoarseProduct, instead
from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.inner_product import InnerProduct


class _FewValues(Coarse):
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
        return instead(weight, few.view_as(weight)), bias

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
class BinaryConvolution(_Binary, CoarseConvolution):
    """Convolution with the signs of blobs[0], each output's times the mean of its absolute weights; 0 counts as positive

    Fork: dongyp13/Stochastic-Quantization, loswensiana/BWN-XNOR-caffe, on their GPU paths
    Blobs: as Convolution's.
    sq: only ratio percent of the outputs, rounded up, are made coarse: the others are drawn at each pass, in TRAIN and
    TEST, by the share of their weights that the coarse ones are wrong by.
    """

    fork_fields = ("convolution_param.sq", "convolution_param.ratio")


@layer("TernaryConvolution")
class TernaryConvolution(_Ternary, CoarseConvolution):
    """Convolution with the signs of weights above delta, times each output's mean of these; 0 for the other weights

    Fork: dongyp13/Stochastic-Quantization, src/caffe/layers/conv_layer_ternary.cu
    Blobs: as Convolution's. delta is 0.7 of the mean distance of all weights from their mean; sq as in BinaryConvolution.
    """

    fork_fields = ("convolution_param.sq", "convolution_param.ratio")


@layer("BinaryInnerProduct")
class BinaryInnerProduct(_Binary, CoarseProduct):
    """InnerProduct with weights as BinaryConvolution's

    Fork: dongyp13/Stochastic-Quantization, src/caffe/layers/inner_product_layer_binary.cu
    Blobs: as InnerProduct's.
    """

    fork_fields = ("inner_product_param.sq", "inner_product_param.ratio")


@layer("TernaryInnerProduct")
class TernaryInnerProduct(_Ternary, CoarseProduct):
    """InnerProduct with weights as TernaryConvolution's

    Fork: dongyp13/Stochastic-Quantization, src/caffe/layers/inner_product_layer_ternary.cu
    Blobs: as InnerProduct's.
    """

    fork_fields = ("inner_product_param.sq", "inner_product_param.ratio")
