"""EltwiseAffine: a learned scale and shift of each channel."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.activations import Elementwise
from caffe_compat.layers.base import OnnxGraph, Shape, layer, one_a_value
from caffe_compat.proto import FillerParameter


@layer("EltwiseAffine")
class EltwiseAffine(Elementwise):
    """top = blobs[0] bottom + blobs[1], per channel (axis 1), or with channel_shared the same for all

    Fork: ducha-aiki/caffe
    Blobs: 0 slope, 1.0001 unless filled; 1 bias, 0.0001 unless filled; (C,) each, or () with channel_shared.
    """

    fork_fields = ("eltwise_affine_param",)
    multiply_adds = one_a_value

    def setup(self, bottom: Shape) -> None:
        p = self.param.eltwise_affine_param
        if len(bottom) < 2:
            self.fail(f"bottom shape {tuple(bottom)} has {len(bottom)} axes, at least 2 are needed")
        self.channels = bottom[1]
        shape = () if p.channel_shared else (self.channels,)
        for name, value in (("slope_filler", 1.0001), ("bias_filler", 0.0001)):
            self.add_blob(shape, getattr(p, name) if p.HasField(name) else FillerParameter(value=value))

    def reshape(self, bottom: Shape) -> list[Shape]:
        if bottom[1] != self.channels:
            self.fail(
                f"bottom shape {tuple(bottom)} has {bottom[1]} channels, but the blobs were made for {self.channels}; "
                "resize the input or rename the layer to relearn it"
            )
        return [bottom]

    def forward(self, bottom: Tensor) -> Tensor:
        slope, bias = (blob.view(-1, *[1] * (bottom.dim() - 2)) for blob in self.blobs)
        return torch.addcmul(bias, slope, bottom)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        ones = [1] * (len(graph.shape(bottoms[0])) - 2)
        slope, bias = (graph.blob(self, i, (self.blobs[i].numel(), *ones)) for i in (0, 1))
        graph.node("Add", [graph.node("Mul", [bottoms[0], slope]), bias], tops)
