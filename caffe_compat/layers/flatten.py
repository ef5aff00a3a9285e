"""Flatten: several axes become one."""

from math import prod

from caffe_compat.layers.base import Layer, layer


@layer("Flatten")
class Flatten(Layer):
    """top = bottom with the axes `axis` to `end_axis`, both included, as one

    Caffe: src/caffe/layers/flatten_layer.cpp
    As in Caffe, an `end_axis` one below `axis` inserts an axis of size 1.
    """

    drawn_as = "arrangement"
    num_bottom = num_top = 1
    in_place = False
    shares_memory = shares_diff = True

    def reshape(self, bottom):
        p = self.param.flatten_param
        self.start = self.axis(p.axis, bottom)
        self.end = self.axis(p.end_axis, bottom, "end_axis") + 1
        if self.start > self.end:
            self.fail(
                f"axis {self.start} comes after end_axis {self.end - 1} of bottom shape {tuple(bottom)}; swap them"
            )
        return [self._flat(bottom)]

    def _flat(self, shape):
        return (*shape[: self.start], prod(shape[self.start : self.end]), *shape[self.end :])

    def per_record(self) -> bool:
        return self.start > 0

    def forward(self, bottom):
        return bottom.reshape(self._flat(bottom.shape))

    def to_onnx(self, graph, bottoms, tops):
        graph.reshape(bottoms[0], graph.shape(tops[0]), tops)
