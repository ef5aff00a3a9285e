"""SkimCaffe's names of fused layers that compute what stock ones do: ReLUPooling, MKLConvolution, MKLLRN."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.layers.base import OnnxGraph, Shape, layer
from caffe_compat.layers.convolution import Convolution
from caffe_compat.layers.lrn import LRN
from caffe_compat.layers.pooling import Pooling
from caffe_compat.proto import PoolingParameter


@layer("ReLUPooling")
class ReLUPooling(Pooling):
    """top = max(0, the maximum of each window)

    Fork: IntelLabs/SkimCaffe, src/caffe/layers/relu_pooling_layer.cpp
    """

    num_top = 1

    def setup(self, bottom: Shape) -> None:
        super().setup(bottom)
        if self.method != PoolingParameter.MAX:
            self.fail("only MAX pooling is known here; write a ReLU and a Pooling layer")
        if self.param.relu_param.negative_slope:
            self.fail(
                f"relu_param.negative_slope is {self.param.relu_param.negative_slope:g}, and must be 0 here"
            )

    def forward(self, bottom: Tensor) -> Tensor:
        return super().forward(bottom).relu()

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        (pooled,) = graph.fresh(1)
        super().to_onnx(graph, bottoms, [pooled])
        graph.node("Relu", [pooled], tops)


@layer("MKLConvolution")
class MKLConvolution(Convolution):
    """Convolution under another name

    Fork: IntelLabs/SkimCaffe, src/caffe/layers/mkl_convolution_layer.cpp
    """


@layer("MKLLRN")
class MKLLRN(LRN):
    """LRN under another name

    Fork: IntelLabs/SkimCaffe, src/caffe/layers/mkl_lrn_layer.cpp
    """
