"""What one forward pass through a layer costs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from math import prod
from typing import Any

from caffe_compat.layers.axpy import Axpy
from caffe_compat.layers.base import Layer, Shape
from caffe_compat.layers.batch_norm import BatchNorm
from caffe_compat.layers.bn import BN
from caffe_compat.layers.convolution import Convolution, Deconvolution
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.prelu import PReLU
from caffe_compat.layers.recurrent import Recurrent
from caffe_compat.layers.scale import Scale

VALUE_BYTES = 4  # of a float32


@singledispatch
def multiply_adds(layer: Layer, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
    """Multiplications by learned or normalising factors, with the additions that take their results; whole batch.

    Convolution    values of the top x (kernel x channels of the bottom / group)
    Deconvolution  values of the bottom x (kernel x channels of the top / group)
    InnerProduct   values of the top x values of the bottom that each sums over
    LSTM, RNN      time steps x streams x values of the weights
    BatchNorm, BN, Scale, Axpy, PReLU   values of the top
    Comparisons, sums, pooling windows, exponentials and look-ups count nothing, nor do biases. A layer type of
    one's own may count: `@multiply_adds.register`.
    """
    return 0


@multiply_adds.register
def _(layer: Convolution, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
    return sum(map(prod, top)) * prod(layer.blobs[0].shape[1:])


@multiply_adds.register
def _(layer: Deconvolution, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
    return sum(map(prod, bottom)) * prod(layer.blobs[0].shape[1:])


@multiply_adds.register
def _(layer: InnerProduct, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
    return prod(top[0]) * layer.blobs[0].numel() // layer.param.inner_product_param.num_output


@multiply_adds.register
def _(layer: Recurrent, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
    steps, streams = bottom[0][:2]
    return steps * streams * sum(blob.numel() for blob in layer.blobs if blob.dim() > 1)


@multiply_adds.register(BatchNorm)
@multiply_adds.register(BN)
@multiply_adds.register(Scale)
@multiply_adds.register(Axpy)
@multiply_adds.register(PReLU)
def _(layer: Layer, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
    return prod(top[0])


def of_net(net: Any) -> int:
    """Multiply-adds of one forward pass of a built net; of one replica."""
    return sum(
        multiply_adds(layer, *([net.blob_shapes[name] for name in names] for names in names_of_layer))
        for layer, *names_of_layer in zip(net.layers, net.bottom_names, net.top_names, strict=True)
    )
