"""Softmax: probabilities along one axis."""

import torch

from caffe_compat.layers.activations import Elementwise
from caffe_compat.layers.base import layer


@layer("Softmax")
class Softmax(Elementwise):
    """top = exp(bottom) / sum of exp(bottom) along `axis` (1 unless set)

    Caffe: src/caffe/layers/softmax_layer.cpp
    """

    def reshape(self, bottom):
        self.start = self.axis(self.param.softmax_param.axis, bottom)
        return [bottom]

    def per_record(self) -> bool:
        return self.start > 0

    def forward(self, bottom):
        return torch.softmax(bottom, self.start)

    def to_onnx(self, graph, bottoms, tops):
        graph.node("Softmax", bottoms, tops, axis=self.start)
