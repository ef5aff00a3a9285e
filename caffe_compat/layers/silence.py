"""Silence: takes blobs nobody else reads, so that they are not net outputs."""

from caffe_compat.layers.base import Layer, layer


@layer("Silence")
class Silence(Layer):
    """no top; the bottoms get no gradient

    Caffe: src/caffe/layers/silence_layer.cpp
    """

    num_bottom = (1, None)
    num_top = 0

    def reshape(self, *bottom):
        return []

    def per_record(self) -> bool:
        return True

    def forward(self, *bottom):
        return ()
