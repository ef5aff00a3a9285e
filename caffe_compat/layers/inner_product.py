"""InnerProduct: a learned linear map of everything from `axis` on (the "fully connected" layer)."""

from collections.abc import Sequence
from math import prod

import torch
import torch.nn.functional as F

from caffe_compat.layers.base import Layer, Shape, layer


@layer("InnerProduct")
class InnerProduct(Layer):
    """top = bottom.flatten(axis) @ blobs[0]^T + blobs[1]

    Caffe: src/caffe/layers/inner_product_layer.cpp
    Blobs: 0 weight (num_output, K), or (K, num_output) with `transpose`; 1 bias (num_output,).
    K is the product of the bottom's dimensions from `axis` on, fixed by the first bottom seen.
    happynear/caffe-windows (NormFace): with `normalize` every forward first divides each row of the weight itself by
    sqrt(sum of its squares + 1e-6), which has no gradient.
    """

    drawn_as = "product"
    num_bottom = num_top = 1
    bias_blob = 1
    fork_fields: tuple[str, ...] = ("inner_product_param.normalize",)

    @classmethod
    def weight_message(cls, param):
        return param.inner_product_param

    def setup(self, bottom):
        p = self.param.inner_product_param
        if p.num_output < 1:
            self.fail(f"inner_product_param.num_output is {p.num_output}, it must be set and above 0")
        self.k, self.n, self.transpose = prod(bottom[self.axis(p.axis, bottom) :]), p.num_output, p.transpose
        self.normalize = p.normalize
        if self.normalize and self.transpose:
            self.fail(
                "inner_product_param has normalize and transpose, which NormFace's fork mixes up; remove one"
            )
        self.add_blob((self.k, self.n) if self.transpose else (self.n, self.k), p.weight_filler)
        if p.bias_term:
            self.add_blob((self.n,), p.bias_filler)

    def reshape(self, bottom):
        self.start = self.axis(self.param.inner_product_param.axis, bottom)
        k = prod(bottom[self.start :])
        if k != self.k:
            self.fail(
                f"bottom shape {tuple(bottom)} gives K = {k} from axis {self.start} on, but the "
                f"weights were made for K = {self.k}; resize the input or rename the layer to relearn it"
            )
        return [(*bottom[: self.start], self.n)]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return prod(top[0]) * self.k

    def per_record(self) -> bool:
        return self.start > 0

    def forward(self, bottom):
        if self.normalize:
            with torch.no_grad():
                self.blobs[0].mul_((self.blobs[0].square().sum(1, keepdim=True) + 1e-6).rsqrt())
        weight = self.blobs[0].T if self.transpose else self.blobs[0]
        bias = self.blobs[1] if len(self.blobs) > 1 else None
        return F.linear(bottom.flatten(self.start), weight, bias)

    def to_onnx(self, graph, bottoms, tops):
        shape = graph.shape(bottoms[0])
        bias = [graph.blob(self, 1)] if len(self.blobs) > 1 else []
        if self.start < 2:
            x = graph.reshape(bottoms[0], (shape[0] if self.start else 1, self.k))
            inputs = [x, graph.blob(self, 0), *bias]
            top = graph.node("Gemm", inputs, tops if self.start else None, transB=int(not self.transpose))
            if not self.start:
                graph.reshape(top, (self.n,), tops, source=(1, self.n))
            return
        x = graph.reshape(bottoms[0], (*shape[: self.start], self.k))
        weight = graph.blob(self, 0, transposed=not self.transpose)
        top = graph.node("MatMul", [x, weight], None if bias else tops)
        if bias:
            graph.node("Add", [top, *bias], tops)
