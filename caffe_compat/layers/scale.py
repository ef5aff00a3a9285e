"""Scale: multiplication by a learned or given blob, broadcast from an axis on, and a learned bias if wanted."""

from math import prod

import torch

from caffe_compat.layers.base import Layer, layer, one_a_value
from caffe_compat.layers.bias import (
    broadcast_shape,
    check_broadcast,
    keeps_records_apart,
    spread,
    spread_in_onnx,
)
from caffe_compat.proto import FillerParameter


@layer("Scale")
class Scale(Layer):
    """top = bottom[0] * (blobs[0], or bottom[1] when given) + bias, broadcast from `axis` on

    Caffe: src/caffe/layers/scale_layer.cpp
    In a batch of one (nothing before `axis`) Caffe overwrites the diff of blob 0, to which it adds otherwise: of
    iter_size passes the last one counts. Only a scale of one value over several is added to even so.
    Blobs: 0 scale, shape bottom.shape[axis : axis + num_axes], born as 1 (none with two bottoms);
    with `bias_term` a bias of the scale's shape as the last blob.
    `per_channel` is True where the pair BatchNorm, Scale can run as one normalisation.
    """

    drawn_as = "follower"
    num_bottom = (1, 2)
    num_top = 1
    bias_blob = 1
    multiply_adds = one_a_value

    def setup(self, *bottom):
        p = self.param.scale_param
        if len(bottom) == 1:
            shape = broadcast_shape(self, bottom[0], p.axis, p.num_axes)
            self.add_blob(shape, p.filler if p.HasField("filler") else FillerParameter(value=1))
        self.bias_term = p.bias_term
        if p.bias_term:
            num_axes = p.num_axes if len(bottom) == 1 else len(bottom[1])
            self.add_blob(broadcast_shape(self, bottom[0], p.axis, num_axes), p.bias_filler)

    def log_setup(self, log):
        if self.bias_term:
            log.creating_layer(self.name)  # Caffe's has a Bias inside

    def reshape(self, *bottom):
        p = self.param.scale_param
        blob = bottom[1] if len(bottom) > 1 else tuple(self.blobs[0].shape)
        what = "bottom 1" if len(bottom) > 1 else "the scale"
        self.start = check_broadcast(self, bottom[0], p.axis, blob, what)
        learned_rows = p.bias_term and len(bottom) > 1 and self.start == 0  # a bias for each record
        self.apart = keeps_records_apart(self.start, blob, len(bottom) > 1) and not learned_rows
        if p.bias_term:
            check_broadcast(self, bottom[0], p.axis, tuple(self.blobs[-1].shape), "the bias")
        self.per_channel = len(bottom) == 1 and self.start == 1 and len(blob) == 1
        inner = prod(bottom[0][self.start + len(blob) :])
        self.overwrites = prod(bottom[0][: self.start]) == 1 and (inner == 1 or prod(blob) > 1)
        return [bottom[0]]

    def per_record(self) -> bool:
        return self.apart

    def overwritten_diffs(self):
        return (0,) if self.overwrites and len(self.param.bottom) == 1 else ()

    def forward(self, bottom, scale=None):
        scale = spread(self.blobs[0] if scale is None else scale, self.start, bottom.dim())
        if not self.bias_term:
            return bottom * scale
        bias = spread(self.blobs[len(self.blobs) - 1], self.start, bottom.dim())
        return torch.addcmul(bias, bottom, scale)

    def to_onnx(self, graph, bottoms, tops):
        scale = spread_in_onnx(self, graph, bottoms, 0, self.start)
        if not self.bias_term:
            graph.node("Mul", [bottoms[0], scale], tops)
            return
        bias = spread_in_onnx(self, graph, bottoms[:1], len(self.blobs) - 1, self.start)
        graph.node("Add", [graph.node("Mul", [bottoms[0], scale]), bias], tops)
