"""Dropout: in training, values are set to 0 at random and the rest scaled up."""

import torch.nn.functional as F

from caffe_compat.layers.activations import Elementwise
from caffe_compat.layers.base import TRAIN, layer


@layer("Dropout")
class Dropout(Elementwise):
    """TRAIN: top = bottom * m / (1 - dropout_ratio), m = 0 with probability dropout_ratio, else 1; TEST: top = bottom

    Caffe: src/caffe/layers/dropout_layer.cpp
    The masks come from torch's own generator of the device the bottom is on, not from Caffe's stream.
    """

    def setup(self, bottom):
        self.ratio = self.param.dropout_param.dropout_ratio
        if not 0 <= self.ratio < 1:
            self.fail(f"dropout_ratio is {self.ratio:g}, it must be at least 0 and below 1")

    def forward(self, bottom):
        return F.dropout(bottom, self.ratio) if self.phase == TRAIN else bottom

    def to_onnx(self, graph, bottoms, tops):
        if self.phase == TRAIN:
            self.fail("cannot be exported: in TRAIN it sets values to 0 at random; export the TEST net")
        graph.node("Identity", bottoms, tops)
