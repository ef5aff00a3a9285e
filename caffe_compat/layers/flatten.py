"""Flatten: several axes become one."""

from math import prod

from caffe_compat.layers.base import Layer, layer


@layer("Flatten")
class Flatten(Layer):
    """top = bottom with the axes `axis` to `end_axis`, both included, as one

    Caffe: src/caffe/layers/flatten_layer.cpp
    As in Caffe, an `end_axis` one below `axis` inserts an axis of size 1.
    """

    num_bottom = num_top = 1
    in_place = False

    def reshape(self, bottom):
        p = self.param.flatten_param
        start, end = self.axis(p.axis, bottom), self.axis(p.end_axis, bottom, "end_axis") + 1
        if start > end:
            self.fail(f"axis {start} comes after end_axis {end - 1} of bottom shape {tuple(bottom)}; swap them")
        return [(*bottom[:start], prod(bottom[start:end]), *bottom[end:])]

    def forward(self, bottom):
        return bottom.reshape(self.reshape(tuple(bottom.shape))[0])
