"""BilinearInterpolation: a map in the size of another, its corners where they were."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer


@layer("BilinearInterpolation")
class BilinearInterpolation(Layer):
    """top = bottom 0 in the height and width of bottom 1, its corners where they were

    Fork: ctensmeyer/binarization_2017, src/caffe/layers/bilinear_interpolation_layer.cpp
    """

    num_bottom, num_top = 2, 1
    in_place = False

    def allow_force_backward(self, index: int) -> bool:
        return index == 0

    def reshape(self, *bottom: Shape) -> list[Shape]:
        for shape in bottom:
            self.check_pictures(shape)
        self.size = bottom[1][2:]
        return [(*bottom[0][:2], *self.size)]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(bottom, self.size, mode="bilinear", align_corners=True)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        kept = [graph.size(bottoms[0], axis) for axis in (0, 1)]
        sizes = graph.node("Concat", [*kept, graph.constant(list(self.size))], axis=0)
        graph.node(
            "Resize",
            [bottoms[0], "", "", sizes],
            tops,
            mode="linear",
            coordinate_transformation_mode="align_corners",
        )
