"""Dropout: in training, values are set to 0 at random and the rest scaled up."""

import torch
import torch.nn.functional as F

from caffe_compat.layers.activations import Elementwise
from caffe_compat.layers.base import TRAIN, layer


@layer("Dropout")
class Dropout(Elementwise):
    """TRAIN: top = bottom * m / (1 - dropout_ratio), m = 0 with probability dropout_ratio, else 1; TEST: top = bottom

    Caffe: src/caffe/layers/dropout_layer.cpp
    The masks come from torch's own generator of the device the bottom is on, not from Caffe's stream.
    Fast R-CNN's fork: with `scale_train: false` the factor is none in TRAIN and 1 - dropout_ratio in TEST. SegNet's:
    with `sample_weights_test` TEST drops as TRAIN does.
    """

    drawn_as = "follower"
    is_random = True
    fork_fields = ("dropout_param.scale_train", "dropout_param.sample_weights_test")
    drops_values = True

    def setup(self, bottom):
        self.ratio = self.param.dropout_param.dropout_ratio
        self.drops = self.phase == TRAIN or self.param.dropout_param.sample_weights_test
        if self.drops and not 0 <= self.ratio < 1:
            self.fail(f"dropout_ratio is {self.ratio:g}, it must be at least 0 and below 1")
        self.factor = 1.0 if self.param.dropout_param.scale_train else 1 - self.ratio

    def random_reason(self) -> str:
        if not self.drops or not self.ratio:
            return ""
        return f"drops values at random in TRAIN{'' if self.phase == TRAIN else ' and TEST (sample_weights_test)'}"

    def forward(self, bottom):
        top = self._dropped(bottom) if self.drops else bottom
        return top if self.factor == 1 else top * self.factor

    def _dropped(self, bottom):
        if self.context.processes == 1:  # torch makes and applies the mask at once
            return F.dropout(bottom, self.ratio)
        return bottom * self.drawn(bottom, lambda like: F.dropout(torch.ones_like(like), self.ratio))

    def to_onnx(self, graph, bottoms, tops):
        if self.drops:
            net = "export the TEST net" if self.phase == TRAIN else "remove sample_weights_test"
            self.fail(f"cannot be exported: it sets values to 0 at random; {net}")
        if self.factor == 1:
            graph.node("Identity", bottoms, tops)
        else:
            graph.node("Mul", [*bottoms, graph.constant(self.factor)], tops)
