"""PReLU: the rectifier with a learned slope below 0."""

import torch.nn.functional as F

from caffe_compat.layers.activations import Elementwise
from caffe_compat.layers.base import layer, one_a_value
from caffe_compat.proto import FillerParameter


@layer("PReLU")
class PReLU(Elementwise):
    """top = bottom where it is above 0, else blobs[0] * bottom

    Caffe: src/caffe/layers/prelu_layer.cpp
    Caffe stops at bottoms of more than four axes.
    Blobs: 0 slope (channels,), one for each index of axis 1, or () with `channel_shared`; born as 0.25.
    """

    drawn_as = "follower"
    multiply_adds = one_a_value

    def setup(self, bottom):
        p = self.param.prelu_param
        self._check_axes(bottom)
        filler = p.filler if p.HasField("filler") else FillerParameter(value=0.25)
        self.add_blob(() if p.channel_shared else (bottom[1],), filler)

    def reshape(self, bottom):
        self._check_axes(bottom)
        slope = self.blobs[0]
        if slope.dim() and bottom[1] != len(slope):
            self.fail(
                f"bottom shape {tuple(bottom)} has {bottom[1]} channels, but the slopes were made for "
                f"{len(slope)}; resize the input or rename the layer to relearn it"
            )
        return [bottom]

    def forward(self, bottom):
        return F.prelu(bottom, self.blobs[0].reshape(-1))

    def to_onnx(self, graph, bottoms, tops):
        slopes = self.blobs[0].numel()
        spread = (slopes, *[1] * (len(graph.shape(bottoms[0])) - 2))
        graph.node("PRelu", [*bottoms, graph.blob(self, 0, spread)], tops)

    def _check_axes(self, bottom):
        if len(bottom) < 2:
            self.fail(f"bottom shape {tuple(bottom)} has {len(bottom)} axes, at least 2 are needed")
