"""LRN: each value divided by a power of its neighbourhood's mean square."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.activations import Elementwise
from caffe_compat.layers.base import layer
from caffe_compat.proto import LRNParameter


@layer("LRN")
class LRN(Elementwise):
    """top = bottom * (k + alpha * mean of bottom^2 over local_size channels) ^ -beta

    Caffe: src/caffe/layers/lrn_layer.cpp
    WITHIN_CHANNEL takes the mean over a local_size x local_size window of the image instead, and there, as in
    Caffe, `k` is ignored: it is always 1. Outside the image and the channels there are zeros, which count.
    """

    drawn_as = "window"
    neighbours: Tensor  # (channels, channels)

    def setup(self, bottom):
        p = self.param.lrn_param
        self.size, self.alpha, self.beta, self.k = p.local_size, p.alpha, p.beta, p.k
        self.within = p.norm_region == LRNParameter.WITHIN_CHANNEL
        if self.size % 2 == 0:
            self.fail(f"local_size is {self.size}, it must be odd; use {self.size + 1}")
        self.register_buffer("neighbours", torch.empty(0, 0, dtype=self.context.dtype), persistent=False)

    def reshape(self, bottom):
        self.check_pictures(bottom)
        if not self.within and len(self.neighbours) != bottom[1]:
            channel = np.arange(bottom[1])
            near = np.abs(channel - channel[:, None]) <= self.size // 2
            self.neighbours = torch.from_numpy(near / self.size).to(self.neighbours)
        return [bottom]

    def forward(self, bottom):
        squares = bottom.square()
        if self.within:
            mean = F.avg_pool2d(squares, self.size, 1, self.size // 2)
            return bottom * (1 + self.alpha * mean).pow(-self.beta)
        # Summing neighbours as a product with a banded matrix is twice as fast as torch's own LRN on a CPU.
        mean = torch.matmul(self.neighbours, squares.flatten(2)).reshape(bottom.shape)
        return bottom * (self.k + self.alpha * mean).pow(-self.beta)

    def to_onnx(self, graph, bottoms, tops):
        if not self.within:
            graph.node("LRN", bottoms, tops, size=self.size, alpha=self.alpha, beta=self.beta, bias=self.k)
            return
        window = {"kernel_shape": [self.size] * 2, "pads": [self.size // 2] * 4, "count_include_pad": 1}
        mean = graph.node("AveragePool", [graph.node("Mul", bottoms * 2)], **window)
        mean = graph.node("Mul", [mean, graph.constant(self.alpha)])
        base = graph.node("Add", [mean, graph.constant(1.0)])
        graph.node("Div", [*bottoms, graph.node("Pow", [base, graph.constant(self.beta)])], tops)
