"""What convolutions and inner products share whose numbers are made coarse as they run.

The blobs keep the fine weights, which get the coarse ones' gradient.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape
from caffe_compat.layers.convolution import Convolution, Convolving, convolve, filled
from caffe_compat.layers.inner_product import InnerProduct


class Coarse(Layer):
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


class CoarseConvolution(Coarse, Convolving):
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


class CoarseProduct(Coarse, InnerProduct):
    def forward(self, bottom: Tensor) -> Tensor:
        weight = self.blobs[0].T if self.transpose else self.blobs[0]
        weight, bias = self.coarse(weight, self.blobs[1] if len(self.blobs) > 1 else None)
        return self.after(F.linear(self.before(bottom).flatten(self.start), weight, bias))


def instead(fine: Tensor, coarse: Tensor) -> Tensor:
    """The coarse values, whose gradient is the fine ones'."""
    return fine + (coarse - fine).detach()
