"""HoleConvolution: DeepLab's spelling of a dilated convolution."""

from __future__ import annotations

from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.convolution import Convolution


@layer("HoleConvolution")
class HoleConvolution(Convolution):
    """top = Convolution's, with convolution_param.hole as dilation, which must be set

    Fork: yangguorun/SegStereo, hszhao/PSPNet, src/caffe/layers/hole_conv_layer.cpp
    """

    def setup(self, *bottom: Shape) -> None:
        self.check_pictures(bottom[0])
        if not self.param.convolution_param.HasField("hole"):
            self.fail("convolution_param.hole must be set; without it use a Convolution")
        super().setup(*bottom)
