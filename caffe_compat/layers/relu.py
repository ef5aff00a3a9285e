"""ReLU: the rectifier, leaky with `negative_slope`."""

import torch.nn.functional as F

from caffe_compat.layers.activations import Elementwise
from caffe_compat.layers.base import layer


@layer("ReLU")
class ReLU(Elementwise):
    """top = bottom where it is above 0, else negative_slope * bottom; the gradient at 0 is negative_slope

    Caffe: src/caffe/layers/relu_layer.cpp
    """

    drawn_as = "follower"

    def setup(self, bottom):
        self.slope = self.param.relu_param.negative_slope

    def forward(self, bottom):
        return F.leaky_relu(bottom, self.slope) if self.slope else F.relu(bottom)

    def to_onnx(self, graph, bottoms, tops):
        if self.slope:
            graph.node("LeakyRelu", bottoms, tops, alpha=self.slope)
        else:
            graph.node("Relu", bottoms, tops)
