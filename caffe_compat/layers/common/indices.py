"""Layers that read a bottom as positions in something else, and what happens to a position that is not there."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.layers.base import Context, Layer
from caffe_compat.proto import LayerParameter


def poisoned(top: Tensor, bad: Tensor) -> Tensor:
    """`top`, or NaN all over if the 0-dim `bad` says so."""
    return top + torch.where(bad, math.nan, 0.0).to(top)


class Indexed(Layer):
    """A layer with positions in a bottom. A type defines `refuse`, which fails, or warns where Caffe's nets rely on it.

    Caffe's release builds read past their arrays for a position that is not there. Here, on the CPU, it is an
    error at once. On another device looking would mean waiting for it, so the layer does without that position,
    and `verify` tells which it was.
    """

    bad_position: Tensor  # the last one that was not there; NaN if all were

    def __init__(self, param: LayerParameter, phase: int, context: Context | None = None):
        super().__init__(param, phase, context)
        self.register_buffer("bad_position", torch.tensor(math.nan), persistent=False)

    def any_bad(self, bad: Tensor, index: Tensor) -> Tensor | None:
        """Whether any is `bad` of the positions `index`, as a 0-dim tensor; None on the CPU, which looks, for "no"."""
        if index.device.type == "cpu" and not torch.compiler.is_compiling():
            if not bad.any():
                return None
            self.refuse(float(index[bad][0]))
            return bad.any()
        found = bad.any()
        if not index.numel():
            return found
        # Compiled by torch 2.13, the argmax of bytes that are all 0 is any number, of integers the first.
        first = index.flatten().gather(0, bad.flatten().int().argmax(0, keepdim=True)).squeeze(0)
        self.bad_position.copy_(torch.where(found, first, self.bad_position))
        return found

    def verify(self) -> None:
        """Raise LayerError if a position was not there where `forward` could not say so; waits for the device."""
        position = float(self.bad_position)
        if not math.isnan(position):
            self.refuse(position)

    def refuse(self, position: float) -> None:
        """Fail for this position, or warn of it."""
        self._undefined("refuse")
