"""Im2col: every position of a convolution's window as a column."""

from math import prod

import numpy as np
import torch.nn.functional as F

from caffe_compat.layers.base import Layer, layer
from caffe_compat.layers.convolution import filled, read_window, through_window


@layer("Im2col")
class Im2col(Layer):
    """top[n, (c, *k), *o] = bottom[n, c, *(stride o + dilation k - pad)], 0 outside

    Caffe: src/caffe/layers/im2col_layer.cpp
    The parameters are Convolution's. The channel axis grows by the kernel's size. bottom_is_im2col of segaware's fork
    means nothing here.
    """

    num_bottom = num_top = 1
    fork_fields = ("convolution_param.bottom_is_im2col",)
    inside = False  # whether a window must not be longer than the padded bottom

    def setup(self, bottom):
        self.start = self.axis(self.param.convolution_param.axis, bottom)
        self.spatial = len(bottom) - self.start - 1
        if self.spatial < 1:
            self.fail(
                f"axis {self.start} leaves {self.spatial} spatial axes of bottom {tuple(bottom)}, 1 is needed"
            )
        self.window = read_window(self, self.spatial)

    def reshape(self, bottom):
        if len(bottom) != self.start + 1 + self.spatial:
            self.fail(
                f"bottom shape {tuple(bottom)} has {len(bottom)} axes, but the layer was set up for "
                f"{self.start + 1 + self.spatial}; the number of axes cannot change"
            )
        w = self.window
        sizes, self.missing = (count(bottom[self.start + 1 :]) for count in (w.positions, w.missing))
        if any(size < 1 for size in sizes) or (self.inside and any(self.missing)):
            self.fail(
                f"bottom shape {tuple(bottom)} gives a top of spatial size {sizes} with kernel {w.kernel}, "
                f"pad {w.pad} and dilation {w.dilation}; enlarge the input or the pad"
            )
        return [(*bottom[: self.start], bottom[self.start] * prod(w.kernel), *sizes)]

    def per_record(self) -> bool:
        return self.start > 0

    def forward(self, bottom):
        w, first = self.window, self.start + 1
        x = F.pad(filled(bottom, self.missing), [edge for p in reversed(w.pad) for edge in (p, p)])
        for i in range(self.spatial):
            x = x.unfold(first + i, w.extent[i], w.stride[i])[..., :: w.dilation[i]]
        # now (..., channels, *positions, *kernel)
        kernel, positions = range(first + self.spatial, x.dim()), range(first, first + self.spatial)
        return x.permute(*range(first), *kernel, *positions).flatten(self.start, self.start + self.spatial)

    def to_onnx(self, graph, bottoms, tops):
        # A convolution of each channel with kernels that have a single 1.
        channels = graph.shape(bottoms[0])[self.start]
        count = prod(self.window.kernel)
        picks = np.tile(np.eye(count, dtype=np.float32), (channels, 1))
        weight = graph.constant(picks.reshape(-1, 1, *self.window.kernel), name="window")
        through_window(
            graph, "Conv", [*bottoms, weight], tops[0], self.start, self.window, channels, self.missing
        )
