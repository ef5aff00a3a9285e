"""Caffe's blobs: num, channels, height and width, and what reshaping does to the values."""

from math import prod

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, Shape


def legacy_shape(layer: Layer, shape: Shape) -> tuple[int, int, int, int]:
    """`shape` with ones appended up to four axes.

    Raises LayerError in `layer`'s name for more than four (Blob::LegacyShape).
    """
    if len(shape) > 4:
        layer.fail(
            f"takes bottoms of at most 4 axes and got shape {shape}, which has {len(shape)}; reshape it first"
        )
    num, channels, height, width = (*shape, *(1,) * (4 - len(shape)))
    return num, channels, height, width


def reshaped(tensor: Tensor, shape: Shape) -> Tensor:
    """A contiguous tensor in another shape: the same memory where that has room for it, else zeros (Blob::Reshape).

    What a smaller shape left out is there again in a larger one.
    """
    room = tensor.untyped_storage().nbytes() // tensor.element_size() - tensor.storage_offset()
    if prod(shape) > room:
        return tensor.new_zeros(shape)
    return tensor.as_strided(shape, torch.empty(shape, device="meta").stride())


def reshape_learned(layer: Layer, index: int, shape: Shape) -> None:
    """Give a layer's blob, and its gradient, another shape."""
    blob = layer.owned_blobs()[index]
    gradient, blob.grad = blob.grad, None
    blob.data = reshaped(blob.data, shape)
    if gradient is not None:
        blob.grad = reshaped(gradient, shape)
