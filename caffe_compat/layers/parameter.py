"""Parameter: a learned blob as a top."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer, nothing_multiplied


@layer("Parameter")
class Parameter(Layer):
    """top = blobs[0]; its gradient is the blob's

    Caffe: include/caffe/layers/parameter_layer.hpp
    The top is the blob's memory, so a layer in place on it changes the blob.
    The blob's diff is the top's, which backward overwrites: of iter_size passes the last one counts.
    Blobs: 0 of parameter_param.shape, born as zeros, or in happynear/caffe-windows filled by blob_filler, in
    openvinotoolkit/training_toolbox_caffe by filler.
    """

    num_bottom = 0
    num_top = 1
    kept_tops = (0,)
    fork_fields = ("parameter_param.blob_filler", "parameter_param.filler")
    multiply_adds = nothing_multiplied

    def setup(self, *bottom: Shape) -> None:
        p = self.param.parameter_param
        name = next((name for name in ("blob_filler", "filler") if p.HasField(name)), "")
        self.add_blob(p.shape.dim, getattr(p, name) if name else None)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return [tuple(self.param.parameter_param.shape.dim)]

    def forward(self, *bottom: Tensor) -> Tensor:
        return self.blobs[0]

    def top_memory(self, index: int, device: torch.device) -> Tensor:
        return self.blobs[0].detach()

    def overwritten_diffs(self) -> tuple[int, ...]:
        return (0,)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Identity", [graph.blob(self, 0)], tops)
