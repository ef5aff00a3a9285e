"""Layers of one formula an element, of forks: Mish, NegReLU, BReLU, Cos, SignedSqrt."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.activations import Elementwise
from caffe_compat.layers.base import OnnxGraph, Shape, layer
from caffe_compat.layers.common.losses import KnownGradient


@layer("Mish")
class Mish(Elementwise):
    """top = bottom tanh(log(1 + exp(bottom)))

    Fork: Adrian-Yan16/darknet2caffe_yolov3 and other converters of darknet's YOLO v4
    """

    def forward(self, bottom: Tensor) -> Tensor:
        return F.mish(bottom)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Mul", [bottoms[0], graph.node("Tanh", [graph.node("Softplus", bottoms)])], tops)


@layer("NegReLU")
class NegReLU(Elementwise):
    """top = bottom where it is below 0, else negative_slope bottom

    Fork: lmb-freiburg/flownet2, src/caffe/layers/neg_relu_layer.cpp
    """

    def setup(self, *bottom: Shape) -> None:
        self.slope = self.param.relu_param.negative_slope

    def forward(self, bottom: Tensor) -> Tensor:
        return -F.leaky_relu(-bottom, self.slope)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        negative = graph.node("LeakyRelu", [graph.node("Neg", bottoms)], alpha=self.slope)
        graph.node("Neg", [negative], tops)


@layer("BReLU")
class BReLU(Elementwise):
    """top = bottom, but at least minval and at most maxval; the gradient outside is 0

    Fork: chaimi2013/FPCNet, whose code is not public, by DehazeNet's paper (arXiv 1601.07661)
    """

    fork_fields = ("brelu_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.brelu_param
        if not p.HasField("minval") or not p.HasField("maxval") or p.minval > p.maxval:
            self.fail(
                f"brelu_param has minval {p.minval:g} and maxval {p.maxval:g}; set both, the lesser first"
            )
        self.bounds = p.minval, p.maxval

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.clamp(*self.bounds)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Clip", [bottoms[0], *(graph.constant(bound) for bound in self.bounds)], tops)


@layer("Cos")
class Cos(Elementwise):
    """top = the cosine of bottom

    Fork: aleksispi/pose-drl, src/caffe/layers/cos_layer.cpp
    """

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.cos()

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Cos", bottoms, tops)


@layer("SignedSqrt")
class SignedSqrt(Elementwise):
    """top = sign(bottom) sqrt(|bottom|); its derivative is 0.5 / (|top| + epsilon)

    Fork: gy20073/compact_bilinear_pooling, src/caffe/layers/signed_sqrt_layer.cpp; epsilon is 0.03
    """

    in_place = False

    def forward(self, bottom: Tensor) -> Tensor:
        root = bottom.detach().abs().sqrt()
        top = bottom.detach().sign() * root
        return KnownGradient.apply(bottom, top, 0.5 / (root + 0.03))

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        root = graph.node("Sqrt", [graph.node("Abs", bottoms)])
        graph.node("Mul", [graph.node("Sign", bottoms), root], tops)
