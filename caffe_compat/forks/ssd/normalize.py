"""Normalize: vectors of length 1, in SSD's form with a learned scale, in NormFace's with the lengths as a top."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer, one_a_value
from caffe_compat.layers.common.legacy_shape import legacy_shape
from caffe_compat.proto import FillerParameter


@layer("Normalize")
class Normalize(Layer):
    """top0 = scale * bottom / sqrt(sum of bottom^2 + eps), summed over an item, or over a position's channels

    Fork: weiliu89/caffe (SSD), src/caffe/layers/normalize_layer.cpp; happynear/caffe-windows (NormFace), the same file
    Blobs: 0 scale, () with channel_shared, else (C,); 1 unless scale_filler says otherwise.
    The sum is over the item with `across_spatial` (true unless set). Where scale is 0 the fork's gradient of it is NaN;
    here it is the right one.
    NormFace's form (normalize_param, softmax_param.normalize_type or a second top) has no blobs. With normalize_type
    L2 top0 is bottom / top1, top1 = sqrt(sum of bottom^2 + 1e-6); with L1 top1 = sum of |bottom| + 1e-6. The sum is
    over a position's channels, the tops have four axes, and top1 (N, 1, H, W) gives a gradient only with bp_norm.
    """

    num_bottom = 1
    num_top = (1, 2)
    fork_fields = (
        "norm_param",
        "softmax_param.normalize_type",
        *(f"normalize_param{name}" for name in ("", ".normalize_type", ".bp_norm")),
    )
    multiply_adds = one_a_value

    def setup(self, *bottom: Shape) -> None:
        p, kind = self.param.norm_param, self.param.softmax_param
        self.tops = len(self.param.top)
        self.bare = self.param.HasField("normalize_param") or kind.HasField("normalize_type") or self.tops > 1
        if self.bare:
            if self.param.HasField("norm_param"):
                self.fail(
                    "has norm_param of SSD's Normalize and what NormFace's has; keep the fields of one form"
                )
            p = self.param.normalize_param
            self.kind = (
                p if p.HasField("normalize_type") or not kind.HasField("normalize_type") else kind
            ).normalize_type
            if self.kind not in ("L1", "L2"):
                self.fail(f"normalize_type is '{self.kind}'; use L1 or L2")
            self.learns_norm = p.bp_norm
            return
        if len(bottom[0]) < 2:
            self.fail(
                f"bottom of shape {bottom[0]} has {len(bottom[0])} axes and needs at least 2; reshape it to N x C"
            )
        self.across, self.shared, self.eps = p.across_spatial, p.channel_shared, p.eps
        filler = p.scale_filler if p.HasField("scale_filler") else FillerParameter(type="constant", value=1)
        self.add_blob(() if self.shared else (bottom[0][1],), filler)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        (shape,) = bottom
        if self.bare:
            number, channels, *size = self.folded = legacy_shape(self, shape)
            return [self.folded, (number, 1, *size)][: self.tops]
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

    def forward(self, bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        if self.bare:
            x = bottom.reshape(-1, *self.folded[1:])
            norm = x.abs() if self.kind == "L1" else x.square()
            norm = norm.sum(1, keepdim=True) + 1e-6
            norm = norm if self.kind == "L1" else norm.sqrt()
            return x / norm if self.tops == 1 else (x / norm, norm if self.learns_norm else norm.detach())
        norm = torch.sqrt(bottom.square().sum(self.axes, keepdim=True) + self.eps)
        return bottom / norm * self.blobs[0].view(self.scale_shape)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if self.bare:
            x = graph.reshape(bottoms[0], graph.shape(tops[0]))
            total = graph.reduce(
                "ReduceL1" if self.kind == "L1" else "ReduceSumSquare", x, [1], keepdims=True
            )
            norm = graph.node(
                "Add", [total, graph.constant(1e-6)], None if self.kind == "L2" else tops[1:] or None
            )
            if self.kind == "L2":
                norm = graph.node("Sqrt", [norm], tops[1:] or None)
            graph.node("Div", [x, norm], tops[:1])
            return
        squares = graph.reduce("ReduceSumSquare", bottoms[0], self.axes, keepdims=True)
        norm = graph.node("Sqrt", [graph.node("Add", [squares, graph.constant(self.eps)])])
        unit = graph.node("Div", [bottoms[0], norm])
        graph.node("Mul", [unit, graph.blob(self, 0, self.scale_shape)], tops)


@layer("NormalizationL2", "Normalization", "L2Normalize", "NormL2")
class NormalizationL2(Layer):
    """top = each item of bottom divided by its Euclidean length

    Fork: liu-xb/RAM, caffe/src/caffe/layers/normalization_l2_layer.cpp; Normalization: ZhouYzzz/project;
    L2Normalize: gy20073/compact_bilinear_pooling; NormL2: huangyangyu/SeqFace
    An item of zeros gives NaN, as there; in L2Normalize and NormL2 the square of the length has 1e-7 added.
    """

    num_bottom = num_top = 1

    def reshape(self, bottom: Shape) -> list[Shape]:
        if len(bottom) < 2:
            self.fail(f"bottom shape {bottom} has {len(bottom)} axes, at least 2 are needed: items of values")
        return [bottom]

    def setup(self, bottom: Shape) -> None:
        self.added = 1e-7 if self.type in ("L2Normalize", "NormL2") else 0.0

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        square = bottom.square().sum(tuple(range(1, bottom.dim())), keepdim=True)
        return bottom / (square + self.added).sqrt()

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        axes = list(range(1, len(graph.shape(bottoms[0]))))
        square = graph.reduce("ReduceSumSquare", bottoms[0], axes, keepdims=True)
        length = graph.node("Sqrt", [graph.node("Add", [square, graph.constant(self.added)])])
        graph.node("Div", [bottoms[0], length], tops)
