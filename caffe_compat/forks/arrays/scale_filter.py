"""ScaleFilter: each channel times a number that is drawn in training."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import TRAIN, Layer, OnnxGraph, Shape, layer


@layer("ScaleFilter")
class ScaleFilter(Layer):
    """top = bottom, in TRAIN with each channel of each item times a number drawn between min_scale and max_scale

    Fork: openvinotoolkit/training_toolbox_caffe, src/caffe/layers/scale_filter_layer.cpp
    """

    num_bottom = num_top = 1
    is_random = True
    fork_fields = ("scale_filter_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.scale_filter_param
        self.least, self.most = p.min_scale, p.max_scale
        if not 0 < p.min_scale < p.max_scale:
            self.fail(
                f"scale_filter_param has min_scale {p.min_scale:g} and max_scale {p.max_scale:g}; use 0 < min_scale < max_scale"
            )

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom[0])
        return [bottom[0]]

    def per_record(self) -> bool:
        return True

    def random_reason(self) -> str:
        return "draws a factor for each channel in TRAIN" if self.phase == TRAIN else ""

    def forward(self, bottom: Tensor) -> Tensor:
        if self.phase != TRAIN:
            return bottom.clone()
        factor = self.drawn(
            bottom[:, :, :1, :1].detach(), lambda like: torch.empty_like(like).uniform_(self.least, self.most)
        )
        return bottom * factor

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if self.phase == TRAIN:
            self.fail("cannot be exported: in TRAIN it draws scales at random; export the TEST net")
        graph.node("Identity", bottoms, tops)
