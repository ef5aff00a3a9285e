"""Normalize: vectors of length 1, then a learned scale."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.legacy import legacy_shape
from caffe_compat.proto import FillerParameter


@layer("Normalize")
class Normalize(Layer):
    """top = scale * bottom / sqrt(sum of bottom^2 + eps), summed over an item, or over a position's channels

    Fork: weiliu89/caffe (SSD), src/caffe/layers/normalize_layer.cpp
    Blobs: 0 scale, () with channel_shared, else (C,); 1 unless scale_filler says otherwise.
    The sum is over the item with `across_spatial` (true unless set). Where scale is 0 the fork's gradient of it is NaN;
    here it is the right one.
    """

    num_bottom = num_top = 1
    fork_fields = ("norm_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.norm_param
        if len(bottom[0]) < 2:
            self.fail(
                f"bottom of shape {bottom[0]} has {len(bottom[0])} axes and needs at least 2; reshape it to N x C"
            )
        self.across, self.shared, self.eps = p.across_spatial, p.channel_shared, p.eps
        filler = p.scale_filler if p.HasField("scale_filler") else FillerParameter(type="constant", value=1)
        self.add_blob(() if self.shared else (bottom[0][1],), filler)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        (shape,) = bottom
        channels = legacy_shape(self, shape)[1]
        if not self.shared and channels != len(self.blobs[0]):
            self.fail(
                f"bottom of shape {shape} has {channels} channels, but the scale was made for {len(self.blobs[0])}; "
                "rename the layer to learn it anew"
            )
        self.axes = list(range(1, len(shape))) if self.across else [1]
        self.scale_shape = () if self.shared else (channels, *(1,) * (len(shape) - 2))
        return [shape]

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        norm = torch.sqrt(bottom.square().sum(self.axes, keepdim=True) + self.eps)
        return bottom / norm * self.blobs[0].view(self.scale_shape)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        squares = graph.reduce("ReduceSumSquare", bottoms[0], self.axes, keepdims=True)
        norm = graph.node("Sqrt", [graph.node("Add", [squares, graph.constant(self.eps)])])
        unit = graph.node("Div", [bottoms[0], norm])
        graph.node("Mul", [unit, graph.blob(self, 0, self.scale_shape)], tops)
