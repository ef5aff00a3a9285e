"""The blobs of a net that runs layer by layer: data and diffs by name, some of them one memory, as in Caffe."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from caffe_compat.layers.common.legacy_shape import reshaped
from caffe_compat.net.sharing import kept_blobs, owners
from caffe_compat.net.wiring import Wiring


class Blobs:
    """Values and gradients of every blob, which the user may read and write between passes."""

    def __init__(self, net: Wiring):
        self._net = net
        self._data: dict[str, Tensor] = {}
        self._diff: dict[str, Tensor] = {}
        self._pinned: set[str] = set()
        self._owner = owners(net)
        self._diff_owner = owners(net, diffs=True)
        self._kept = kept_blobs(net)
        self._weights = net.weights_by_blob()
        self._first_diffs = {
            self._diff_owner.get(name, name): weight for name, weight in self._weights.items()
        }

    def data(self, name: str) -> Tensor:
        """The blob's values; before the first forward zeros, as in Caffe, or what is in memory of the layer's own."""
        if name not in self._data:
            if name in self._owner or name in self._kept:
                shape = self._net.blob_shapes[name]
                memory = self.data(self._owner[name]) if name in self._owner else self._memory_of_layer(name)
                return memory.view(shape) if memory.numel() == prod(shape) else self._zeros(name)
            self._data[name] = self._zeros(name)
        elif not self._data[name].is_contiguous():  # the graph's, with the channels innermost
            self._data[name] = self._data[name].contiguous()
        return self._data[name]

    def diff(self, name: str) -> Tensor:
        """The blob's gradient; a loss top starts as its loss_weight, anything else as zeros."""
        data = self.data(name)
        owner = self._diff_owner.get(name, name)
        if owner != name and self.data(owner).numel() == data.numel():
            return self.diff(owner).view(data.shape)
        if name not in self._diff or self._diff[name].shape != data.shape:
            self._diff[name] = torch.full_like(data, self._first_diffs.get(name, 0.0))
        return self._diff[name]

    def _memory_of_layer(self, name: str) -> Tensor:
        layer, index = self._kept[name]
        return layer.top_memory(index, self._net.device)

    def pin(self, name: str) -> None:
        """From now on write this blob's values into the same memory: somebody holds a view of it."""
        self._pinned.add(name)
        if name in self._owner:
            self.pin(self._owner[name])

    def reshape_blob(self, name: str, shape: tuple[int, ...]) -> None:
        """Give a blob another shape; a loss's diff is its loss_weight again when it is read (Blob::Reshape)."""
        old = self.data(name)
        if old.shape == shape:
            return
        if name in self._kept and self._memory_of_layer(name).numel() == prod(shape):
            self._share(name, shape)
            return
        if self._owner.get(name, name) in self._kept or any(
            _memory_of(old) == _memory_of(data) for key, data in self._data.items() if key != name
        ):
            old = old.clone()  # what lies behind it is another blob's
        self._data[name] = reshaped(old, shape)
        if name in self._diff and name not in self._weights:
            self._diff[name] = reshaped(self._diff[name], shape)
        self._net.blob_shapes[name] = shape

    def store(self, values: dict[str, Tensor]) -> None:
        """Put values that were computed elsewhere into the blobs."""
        owners = {_memory_of(value): name for name, value in self._data.items() if name not in values}
        for name, value in values.items():
            if self._owner.get(name) in values or name in self._kept:
                self._share(name, value.shape)
            else:
                first = owners.setdefault(_memory_of(value), name) == name
                self._store(name, value if first else value.clone())

    def _share(self, name: str, shape: tuple[int, ...]) -> None:
        """The blob is the memory of another, or of its layer, which holds its values already."""
        self._data.pop(name, None)
        self._net.blob_shapes[name] = tuple(shape)

    def _zeros(self, name: str) -> Tensor:
        return torch.zeros(
            self._net.blob_shapes[name], dtype=self._net.context.dtype, device=self._net.device
        )

    def _store(self, name: str, value: Tensor) -> None:
        value = value.detach()
        old = self._data.get(name)
        if name in self._pinned and old is not None and old.shape == value.shape:
            if old.data_ptr() != value.data_ptr():
                old.copy_(value)
        else:
            self._data[name] = value
        self._net.blob_shapes[name] = tuple(value.shape)

    def _store_diff(self, name: str, value: Tensor) -> None:
        if name in self._diff_owner:
            self.diff(name).copy_(value)
        elif name in self._diff and self._diff[name].shape == value.shape:
            self._diff[name].copy_(value)
        else:
            self._diff[name] = value.detach().clone()

    def _put(self, i: int, name: str, top: Tensor) -> None:
        """Store layer i's top; a bottom that is only passed on is copied, as Caffe does where it does not share."""
        if name in self._net.bottom_names[i]:
            self._overwrite(name, top.detach())
            return
        if name in self._owner or name in self._kept:
            self._share(name, top.shape)
            return
        passed_on = {_memory_of(self.data(bottom)) for bottom in self._net.bottom_names[i] if bottom != name}
        self._store(name, top.detach().clone() if _memory_of(top) in passed_on else top)

    def _overwrite(self, name: str, value: Tensor) -> None:
        """Store a top in place: all blobs of that memory have the new values."""
        owner = self._owner.get(name, name)
        memory = self.data(owner)
        if memory.numel() != value.numel():
            self._store(name, value)
        elif owner in self._kept:
            self._share(name, value.shape)
            if memory.data_ptr() != value.data_ptr():
                memory.copy_(value.reshape(memory.shape))
        elif owner == name:
            self._store(name, value)
        else:
            self._share(name, value.shape)
            self._store(owner, value.reshape(memory.shape))


def _memory_of(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
