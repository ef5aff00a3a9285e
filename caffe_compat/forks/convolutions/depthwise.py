"""Convolutions of each channel on its own, under the names that forks gave them."""

from __future__ import annotations

from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.convolution import Convolution, read_window


@layer("DepthwiseConvolution")
class DepthwiseConvolution(Convolution):
    """top = what Convolution computes; `group` is the number of channels in all nets that use it

    Fork: yonghenglh6/DepthwiseConvolution
    Blobs: 0 weight (num_output, channels / group, *kernel); 1 bias (num_output,).
    The fork is a faster Convolution, and so is torch's where group is the number of channels.
    """


@layer("ConvolutionDepthwise")
class ConvolutionDepthwise(Convolution):
    """top[n, c] = cross-correlation of bottom[n, c] with blobs[0][c], plus blobs[1][c]

    Fork: farmingyard/caffe-mobilenet
    Blobs: 0 weight (channels, 1, kernel_h, kernel_w); 1 bias (channels,).
    num_output, group and axis mean nothing: there are as many outputs and groups as channels on axis 1.
    """

    num_bottom = num_top = 1

    def setup(self, *bottom: Shape) -> None:
        p, (shape,) = self.param.convolution_param, bottom
        self.check_pictures(shape)
        self.start, self.spatial = 1, 2
        self.window = read_window(self, self.spatial)
        self.channels = self.outputs = self.group = shape[1]
        self.add_blob((self.channels, 1, *self.window.kernel), p.weight_filler)
        if p.bias_term:
            self.add_blob((self.channels,), p.bias_filler)
