"""Split: one blob under several names, so that several layers can read it."""

from caffe_compat.layers.base import Layer, layer


@layer("Split")
class Split(Layer):
    """every top = bottom; the tops' gradients add up

    Caffe: src/caffe/layers/split_layer.cpp
    """

    drawn_as = "arrangement"
    num_bottom = 1
    num_top = (1, None)
    in_place = False
    is_alias = True
    shares_memory = True

    def setup(self, bottom):
        self.count = len(self.param.top)

    def reshape(self, bottom):
        return [bottom] * self.count

    def forward(self, bottom):
        return bottom if self.count == 1 else (bottom,) * self.count
