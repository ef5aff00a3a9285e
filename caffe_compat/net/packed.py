"""Convolutions of graphs without gradients: with what follows them in their weights, and with a ReLU and a sum."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caffe_compat.layers.base import Layer
from caffe_compat.layers.convolution import Convolution, filled
from caffe_compat.net.fused_layers import Normalisation
from caffe_compat.net.lower import Lowered


class PackedConvolution(nn.Module):
    """A Convolution over two spatial axes, and the normalisation by stored statistics that alone reads its top.

    One convolution, by weights that have the normalisation in them and lie in memory as it wants them. They are made
    again, in their place, when a blob has changed, and every time if one has been `shown` as an array, which may be
    written to unseen.

    Attributes:
        rectified: a plain ReLU follows, after the sum with a second bottom if there is one.
    """

    def __init__(self, layer: Convolution, normalisation: Normalisation | None):
        super().__init__()
        self.layer = layer
        self.normalisation = normalisation
        self.rectified = False
        parts = () if normalisation is None else (normalisation.batch_norm, normalisation.scale)
        self._layers: tuple[Layer, ...] = (layer, *(part for part in parts if part is not None))
        self._made_from: tuple[object, ...] = ()
        self._packed: tuple[Tensor, Tensor | None] | None = None

    def forward(self, bottom: Tensor, other: Tensor | None = None) -> Tensor:
        if self._packed is None:
            self.refresh(bottom.device.type == "cpu")
        assert self._packed is not None
        weight, bias = self._packed
        layer = self._layers[0]  # at hand: nn.Module looks its children up by name
        assert isinstance(layer, Convolution)
        _, stride, pad, dilation = layer.window
        bottom = filled(bottom, layer.missing)
        if self.rectified and _fits(bottom):
            return _rectified(bottom, weight, bias, other, (stride, pad, dilation), layer.group)
        top = F.conv2d(bottom, weight, bias, stride, pad, dilation, layer.group)
        if other is not None:
            top.add_(other)
        return top.relu_() if self.rectified else top

    def refresh(self, innermost: bool, anew: bool = False) -> None:
        """Make the weights for pictures whose channels lie innermost or not; if not `anew`, only if a blob has changed.

        What a program writes to a blob's `.data` changes no version, and is not seen.
        """
        found = (innermost, *self._stamp())
        if not anew and self._packed is not None and found == self._made_from and None not in found:
            return
        weight, bias = self._pack()
        layout = torch.channels_last if innermost else torch.contiguous_format
        old = self._packed
        self._made_from, self._packed = found, (weight.contiguous(memory_format=layout), bias)
        if old is not None and all(map(_alike, old, self._packed)):
            for mine, new in zip(old, self._packed, strict=True):
                if mine is not None and new is not None:
                    mine.copy_(new)  # a CUDA graph may have it
            self._packed = old

    def _stamp(self) -> tuple[object, ...]:
        return tuple(
            None if getattr(blob, "shown", False) else (blob.data_ptr(), blob._version)
            for layer in self._layers
            for blob in layer.owned_blobs()
        )

    def _pack(self) -> tuple[Tensor, Tensor | None]:
        """Weight and bias in memory of their own."""
        blobs = list(self.layer.blobs)
        weight, bias = blobs[0].detach(), blobs[1].detach() if len(blobs) > 1 else None
        if self.normalisation is None:
            return weight.clone(), bias if bias is None else bias.clone()
        mean, variance = self.normalisation.batch_norm.statistics()
        scale = [blob.detach() for blob in self.normalisation.scales()]
        factor = (variance + self.normalisation.batch_norm.eps).rsqrt()
        if scale:
            factor = scale[0] * factor
        bias = (-mean if bias is None else bias - mean) * factor
        if len(scale) > 1:
            bias = bias + scale[1]
        return weight * factor.view(-1, 1, 1, 1), bias


def _fits(bottom: Tensor) -> bool:
    """Whether cuDNN's convolution with bias, sum and ReLU in one does for this bottom."""
    return (
        bottom.device.type == "cuda"
        and bottom.dtype in (torch.float32, torch.float16)
        and torch.backends.cudnn.is_available()
        and torch.backends.cudnn.enabled
        and not torch.is_autocast_enabled("cuda")
        and rectifies(bottom.device, bottom.dtype)
    )


def _rectified(
    bottom: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    other: Tensor | None,
    window: tuple[tuple[int, ...], ...],
    group: int,
) -> Tensor:
    if other is None:
        return torch.ops.aten.cudnn_convolution_relu(bottom, weight, bias, *window, group)  # type: ignore[no-any-return]
    return torch.ops.aten.cudnn_convolution_add_relu(  # type: ignore[no-any-return]
        bottom, weight, other, 1.0, bias, *window, group
    )


@functools.cache
def rectifies(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether that operation gives on this device what convolution, sum and ReLU give, NaN where they give NaN.

    It is tried once: some versions of cuDNN have it for some types only, and a ReLU may take NaN for 0.
    """
    draw = torch.Generator().manual_seed(1)
    shapes = ((2, 8, 6, 6), (8, 8, 3, 3), (8,), (2, 8, 6, 6))
    values = (torch.randn(shape, generator=draw).to(device, dtype) for shape in shapes)
    bottom, weight, bias, other = values
    bottom[0, 0, 2, 3] = torch.nan
    window = ((1, 1), (1, 1), (1, 1))
    try:
        for added in (None, other):
            wanted = F.conv2d(bottom, weight, bias, *window)
            wanted = (wanted if added is None else wanted + added).relu()
            found = _rectified(bottom, weight, bias, added, window, 1)
            if not torch.allclose(found, wanted, rtol=2e-2, atol=2e-2, equal_nan=True):
                return False
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:
        return False
    return True


def _alike(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.shape, one.stride(), one.dtype, one.device) == (
        other.shape,
        other.stride(),
        other.dtype,
        other.device,
    )


class Packs:
    """The packed convolutions of a graph."""

    def __init__(self, graph: Lowered):
        self._all = [module for module in graph.modules() if isinstance(module, PackedConvolution)]

    def refresh(self, innermost: bool, anew: bool = False) -> None:
        """Before a pass: follow what has changed in the blobs, or make all weights anew."""
        for packed in self._all:
            packed.refresh(innermost, anew)
