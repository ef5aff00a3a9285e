"""ReLU6: the rectifier that stops at 6."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.activations import Elementwise
from caffe_compat.layers.base import OnnxGraph, Shape, layer


@layer("ReLU6")
class ReLU6(Elementwise):
    """top = min(bottom, 6) where bottom is above 0, else negative_slope bottom; the gradient from 6 on is 0

    Fork: eric612/MobileNet-YOLO
    """

    drawn_as = "follower"
    fork_fields = ("relu6_param",)

    def setup(self, bottom: Shape) -> None:
        self.slope = self.param.relu6_param.negative_slope

    def forward(self, bottom: Tensor) -> Tensor:
        top = F.leaky_relu(bottom, self.slope) if self.slope else F.relu(bottom)
        return torch.where(top < 6, top, 6)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        value = bottoms[0]
        if self.slope:
            value = graph.node("LeakyRelu", [value], alpha=self.slope)
            graph.node("Min", [value, graph.constant(6.0)], tops)
        else:
            graph.node("Clip", [value, graph.constant(0.0), graph.constant(6.0)], tops)
