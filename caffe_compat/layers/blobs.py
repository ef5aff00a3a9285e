"""The learned tensors of a layer, its own or another layer's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class Blobs(nn.ParameterList):
    """A ParameterList that is quick to index: nn's own costs microseconds a blob."""

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        return self._parameters[str(range(len(self))[index])]

    def owned(self) -> list[Any]:
        """The tensors themselves, in order."""
        # Every pass asks for them, and named_parameters() takes ten times as long.
        return [blob for blob in self._parameters.values() if blob is not None]


class ViewedBlobs(Blobs):
    """Blobs of which some are another layer's, in another shape (share_mode PERMISSIVE) or without a gradient from here."""

    def __init__(self, blobs: Iterable[nn.Parameter], shapes: dict[int, torch.Size], still: frozenset[int]):
        super().__init__(blobs)
        self.shapes = shapes
        self.still = still

    def __getitem__(self, index: int | slice) -> Any:
        blob = super().__getitem__(index)
        if isinstance(index, slice):
            return blob
        return self.seen(range(len(self))[index], blob)

    def seen(self, number: int, blob: Tensor) -> Tensor:
        """Blob `number` as this layer sees it."""
        shape = self.shapes.get(number)
        blob = blob.detach() if number in self.still else blob
        return blob if shape is None else blob.view(shape)
