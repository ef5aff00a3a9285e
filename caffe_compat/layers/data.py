"""Data: batches from a database of Datum records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data.base import open_source
from caffe_compat.data.feed import Kept, Streamed, memory_budget
from caffe_compat.data.records import Images, parse
from caffe_compat.data.transform import Transformer
from caffe_compat.errors import DataError
from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.base_data import DataLayer
from caffe_compat.proto import DataParameter


@layer("Data")
class Data(DataLayer):
    """tops = (transformed pictures, labels) of the next batch_size records, in key order, wrapping at the end

    Caffe: src/caffe/layers/data_layer.cpp, src/caffe/layers/base_data_layer.cpp
    Tops: 0 pictures (batch_size, C, H, W), H = W = crop_size if given; 1 (optional) labels (batch_size,).
    A set that fits a quarter of the free memory is decoded at the first batch and kept, on the GPU if it fits
    a quarter of the GPU's; a larger one is read ahead. `rand_skip` is ignored, as in Caffe.
    """

    num_top = (1, 2)

    def open(self) -> None:
        p = self.param.data_param
        if p.batch_size == 0:
            self.fail("data_param.batch_size must be set and above 0")
        self.batch_size = p.batch_size
        self.order = self.served(self.batch_size)
        self.transform = Transformer(
            self.param.transform_param,
            self.phase,
            self.generator,
            self.fail,
            self.context.root,
            self.context.dtype,
        )
        try:
            self.source = open_source(DataParameter.DB.Name(p.backend), p.source, self.context.root)
        except DataError as error:
            self.bad_data(str(error))
        images, _ = self._parse([self.source.read(0)], [0])
        self.first_shape: Shape = images[0].shape
        self.first_bytes: int = images[0].nbytes
        self.top_shape = self.transform.top_shape(self.first_shape, f"the pictures of '{self.source.path}'")
        self._feed: Kept | Streamed | None = None

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return [(self.batch_size, *self.top_shape), (self.batch_size,)][: len(self.param.top)]

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        step = self.batch_size * self.replicas
        if self._feed is None:
            if self.source.estimate() * self.first_bytes <= memory_budget():
                self._feed = Kept(self.source, self._parse)
                self.source.close()
            else:
                depth = self.param.data_param.prefetch
                self._feed = Streamed(self.source, self._parse, self.position, self.order, step, depth)
        images, labels = self._feed.take(self.position, self.order, device)
        draws = self.transform.draw(step)[self.order].to(device, non_blocking=True)
        if isinstance(images, list):
            data = self._transform_each(images, draws, device)
        else:
            self.transform.top_shape(tuple(images.shape[1:]), self._name(self.position))
            data = self.transform(images.to(device), draws)
        self.position += step
        return (data, labels.to(device, self.context.dtype))[: len(self.param.top)]

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if isinstance(self._feed, Streamed):
            self._feed.close()
            self._feed = None

    def _transform_each(self, images: list[np.ndarray], draws: Tensor, device: torch.device) -> Tensor:
        """Transform pictures of several sizes, which fit in one batch only if they are cropped."""
        tops = []
        wanted = self.transform.top_shape(images[0].shape, self._name(self.position))
        for image, draw, offset in zip(images, draws, self.order.tolist(), strict=True):
            name = self._name(self.position + offset)
            if self.transform.top_shape(image.shape, name) != wanted:
                self.bad_data(
                    f"{name} has the shape {image.shape} and the first of its batch {images[0].shape}; "
                    "make the source again with one size (convert-imageset --resize_height --resize_width), "
                    "set crop_size, or use batch_size 1"
                )
            tops.append(self.transform(torch.from_numpy(image)[None].to(device), draw[None]))
        return torch.cat(tops)

    def _parse(self, values: Sequence[Any], positions: Sequence[int]) -> tuple[Images, np.ndarray]:
        try:
            return parse(values, self.transform.colour, lambda i: self._name(positions[i]))
        except DataError as error:
            self.bad_data(str(error))

    def _name(self, position: int) -> str:
        position %= len(self.source)
        return f"record {position} (key {self.source.keys[position].decode('utf-8', 'replace')!r}) of '{self.source.path}'"
