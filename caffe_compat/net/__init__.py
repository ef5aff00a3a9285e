"""A net: resolved from its prototxt, built layer by layer, lowered to a graph that torch runs."""

from caffe_compat.net.net import Net

__all__ = ["Net"]
