"""MemoryData: batches from arrays that the caller hands over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data.feed import sent
from caffe_compat.data.records import parse
from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.base_data import PictureLayer


@layer("MemoryData")
class MemoryData(PictureLayer):
    """tops = (data, labels) of the next batch_size items handed over by `reset` or `add_datums`, round and round

    Caffe: src/caffe/layers/memory_data_layer.cpp
    Tops: 0 data (batch_size, channels, height, width); 1 labels (batch_size,).
    transform_param is applied to what `add_datums` gets and not to what `reset` gets.
    naibaf7's fork: `dim`, once an axis, gives the shape of the data instead; the labels, whose axes after the first are
    then 1, may be left out.
    """

    num_top = (1, 2)
    filled_by_caller = True
    fork_fields = ("memory_data_param.dim",)

    def open(self) -> None:
        super().open()
        p = self.param.memory_data_param
        self.batch_size = p.batch_size
        self.item_shape: tuple[int, ...] = (p.channels, p.height, p.width)
        self.label_ones = (1,) * len(p.dim[1:])  # the labels' axes after the first
        if p.dim:
            self.batch_size, *rest = p.dim
            self.item_shape = tuple(rest)
        elif len(self.param.top) < 2:
            self.fail("makes 2 top blobs, data and labels, and has 1; add a `top:` line")
        if p.dim and min(p.dim) < 1:
            self.fail(f"memory_data_param.dim is {tuple(p.dim)}; every number of it must be above 0")
        if min(self.batch_size, *self.item_shape) < 1:
            self.fail(
                f"batch_size {p.batch_size}, channels {p.channels}, height {p.height} and width {p.width} must all be "
                "set in memory_data_param and above 0"
            )
        self._data = self._labels = torch.empty(0)
        self._next = 0
        self._unserved = False  # whether items of add_datums have not been served yet

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return [(self.batch_size, *self.item_shape), (self.batch_size, *self.label_ones)][
            : len(self.param.top)
        ]

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        if not len(self._data):
            self.fail("has no data; hand some over first, with net.set_input_arrays(data, labels)")
        part = slice(self._next, self._next + self.batch_size)
        self._next = part.stop % len(self._data)
        self._unserved &= self._next != 0
        self.position += self.batch_size
        labels = self._labels[part].reshape(-1, *self.label_ones)
        # Copies, for what becomes of them in the net must not become of the caller's arrays.
        return tuple(sent(top.clone(), device) for top in (self._data[part], labels))[: len(self.param.top)]

    def reset(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Serve these from now on: data (n, channels, height, width) and n labels, n a multiple of batch_size.

        Arrays of the net's precision are not copied: the caller may change them between batches.
        """
        count = len(data)
        if tuple(data.shape[1:]) != self.item_shape or count == 0 or count % self.batch_size:
            self.fail(
                f"data has the shape {tuple(data.shape)}; it must be n x {' x '.join(map(str, self.item_shape))} with n "
                f"a multiple of batch_size {self.batch_size}"
            )
        if np.size(labels) != count:
            self.fail(f"there are {np.size(labels)} labels for {count} items; give one an item")
        self._data = torch.as_tensor(data, dtype=self.context.dtype)
        self._labels = torch.as_tensor(labels, dtype=self.context.dtype).reshape(count)
        self._next = 0

    def add_datums(self, datums: Sequence[Any]) -> None:
        """Serve these Datum messages, transformed, once the ones added before have all been served."""
        if self._unserved:
            self.fail("data was added before the last was served; run the net through all of it first")
        if not datums or len(datums) % self.batch_size:
            self.fail(
                f"{len(datums)} items were added; their number must be a multiple of batch_size {self.batch_size}"
            )
        images, labels = parse([datum.SerializeToString() for datum in datums], self.transform.colour)
        batch = torch.from_numpy(images) if isinstance(images, np.ndarray) else images
        data = self.transformed(
            batch, self.transform.draw(len(datums)), torch.device("cpu"), lambda i: f"datum {i}"
        )
        self.reset(data.numpy(), labels)
        self._unserved = True

    def set_batch_size(self, size: int) -> None:
        """Change batch_size, between one set of added data and the next."""
        if self._unserved:
            self.fail(
                "batch_size cannot change before the added data is served; run the net through all of it first"
            )
        self.batch_size = size
