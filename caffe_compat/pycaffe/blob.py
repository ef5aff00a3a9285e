"""pycaffe's blobs: numpy views of a net's tensors that write through.

Source: python/caffe/_caffe.cpp.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.legacy_shape import reshape_learned
from caffe_compat.net.net import Net as CoreNet


class Blob(ABC):
    """An N-dimensional array of values (`data`) and gradients (`diff`), both numpy views that write through.

    On a GPU the views are copies on the host; what was written into them goes to the GPU before the next run
    of the net, and the run's results come back into them after it.
    """

    def __init__(self) -> None:
        self._copies: dict[str, _HostCopy] = {}

    @abstractmethod
    def _tensor(self, kind: str) -> Tensor:
        """The values ("data") or the gradient ("diff") where the net keeps them."""

    @property
    def data(self) -> np.ndarray:
        return self._view("data")

    @property
    def diff(self) -> np.ndarray:
        return self._view("diff")

    def _view(self, kind: str) -> np.ndarray:
        tensor = self._tensor(kind)
        if _on_host(tensor):
            return tensor.numpy()
        if kind not in self._copies or self._copies[kind].host.shape != tensor.shape:
            self._copies[kind] = _HostCopy(tensor)
        return self._copies[kind].host.numpy()

    @property
    def copied(self) -> bool:
        """Whether there are views of it that live in another memory."""
        return bool(self._copies)

    def push(self) -> None:
        """Send what was written into views of a GPU blob to the GPU."""
        for kind, copy in self._copies.items():
            copy.push(self._tensor(kind))

    def pull(self) -> None:
        """Bring a GPU blob's values into its views."""
        for kind, copy in list(self._copies.items()):
            tensor = self._tensor(kind)
            if tensor.shape == copy.host.shape:
                copy.pull(tensor)
            else:
                del self._copies[kind]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._tensor("data").shape)

    @property
    def count(self) -> int:
        return self._tensor("data").numel()

    num = property(lambda self: self._legacy(0))
    channels = property(lambda self: self._legacy(1))
    height = property(lambda self: self._legacy(2))
    width = property(lambda self: self._legacy(3))

    def _legacy(self, axis: int) -> int:
        shape = self.shape
        if len(shape) > 4:
            raise ValueError(
                f"a blob of {len(shape)} axes {shape} has no num, channels, height and width; use shape"
            )
        return shape[axis] if axis < len(shape) else 1

    @abstractmethod
    def reshape(self, *shape: int) -> None:
        """Give the blob another shape: the same memory, if that is large enough, else zeros."""


@contextmanager
def in_step(blobs: Iterable[object]) -> Iterator[None]:
    """Around everything that reads or changes blobs where they live: see Blob.push and Blob.pull."""
    ours = [blob for blob in blobs if isinstance(blob, Blob)]
    for blob in ours:
        if blob.copied:
            blob.push()
    try:
        yield
    finally:
        for blob in ours:
            if blob.copied:
                blob.pull()


class _HostCopy:
    """A tensor of the GPU on the host, and what it was when they were last equal."""

    def __init__(self, tensor: Tensor):
        self.host = tensor.detach().to("cpu", copy=True)
        self._known = self.host.clone()

    def push(self, tensor: Tensor) -> None:
        if not torch.equal(self.host, self._known):
            tensor.copy_(self.host)
            self._known.copy_(self.host)

    def pull(self, tensor: Tensor) -> None:
        self.host.copy_(tensor)
        self._known.copy_(self.host)


def _on_host(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu"


class NetBlob(Blob):
    """A blob that flows between layers."""

    def __init__(self, core: CoreNet, name: str):
        super().__init__()
        self._core, self._name = core, name

    def _tensor(self, kind: str) -> Tensor:
        runner = self._core.layerwise
        if kind == "diff":
            return runner.diff(self._name)
        runner.pin(self._name)
        return runner.data(self._name)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._core.layerwise.data(self._name).shape)

    def reshape(self, *shape: int) -> None:
        """Give the blob another shape; `Net.reshape` or the next forward carries it through the net."""
        self._core.layerwise.reshape_blob(self._name, tuple(shape))


class LearnedBlob(Blob):
    """A blob that a layer owns or shares."""

    def __init__(self, layer: Layer, index: int):
        super().__init__()
        self._layer, self._index = layer, index

    def _tensor(self, kind: str) -> Tensor:
        owner = self._layer.owned_blobs()[self._index]
        shape = self._layer.blobs[self._index].shape
        if kind == "data":
            owner.shown = True  # type: ignore[attr-defined]  # the view may be written to, which no counter tells; see net/fuse.py
            return owner.detach().view(shape)
        if owner.grad is None:
            owner.grad = torch.zeros_like(owner)
        return owner.grad.view(shape)

    def reshape(self, *shape: int) -> None:
        """Give the blob another shape (net surgery)."""
        reshape_learned(self._layer, self._index, shape)


class LayerView:
    """pycaffe's Layer: its type and blobs."""

    def __init__(self, layer: Layer):
        self._layer = layer
        self.type: str = layer.type
        self.blobs = [LearnedBlob(layer, index) for index in range(len(layer.blobs))]
