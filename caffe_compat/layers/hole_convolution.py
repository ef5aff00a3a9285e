"""HoleConvolution: DeepLab's spelling of a dilated convolution."""

from __future__ import annotations

from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.convolution import Convolution


@layer("HoleConvolution")
class HoleConvolution(Convolution):
    """top = Convolution's, with convolution_param.hole as dilation, which must be set

    Fork: yangguorun/SegStereo, hszhao/PSPNet, src/caffe/layers/hole_conv_layer.cpp
    """

    fork_fields = ("convolution_param.hole",)

    def setup(self, *bottom: Shape) -> None:
        self.check_pictures(bottom[0])
        p = self.param.convolution_param
        if not p.hole or not p.HasField("hole") or p.dilation:
            self.fail(
                f"convolution_param has hole {p.hole} and dilation {list(p.dilation)}; set hole, above 0, and it alone"
            )
        given = self.param
        self.param = type(given).FromString(given.SerializeToString())
        self.param.origin = given.origin
        self.param.convolution_param.ClearField("hole")
        self.param.convolution_param.dilation.append(p.hole)
        super().setup(*bottom)
