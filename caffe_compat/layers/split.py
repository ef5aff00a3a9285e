"""Split: one blob under several names, so that several layers can read it."""

from caffe_compat.layers.base import Layer, layer


@layer("Split")
class Split(Layer):
    """every top = bottom; the tops' gradients add up

    Caffe: src/caffe/layers/split_layer.cpp
    """

    num_bottom = 1
    num_top = (1, None)
    in_place = False

    def reshape(self, bottom):
        return [bottom] * len(self.param.top)

    def forward(self, bottom):
        return bottom if len(self.param.top) == 1 else (bottom,) * len(self.param.top)
