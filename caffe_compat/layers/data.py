"""Data: batches from a database of Datum records."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data.base import open_source
from caffe_compat.data.feed import Batch, Kept, Streamed, memory_budget, sent
from caffe_compat.data.records import Images, is_encoded, parse
from caffe_compat.errors import DataError
from caffe_compat.layers.base import TRAIN, Shape, layer
from caffe_compat.layers.common.base_data import CROPS, PREPARATIONS, PictureLayer
from caffe_compat.log.write import Log
from caffe_compat.proto import DataParameter


@layer("Data")
class Data(PictureLayer):
    """tops = (transformed pictures, labels) of the next batch_size records, in key order, wrapping at the end

    Caffe: src/caffe/layers/data_layer.cpp, src/caffe/layers/base_data_layer.cpp
    Tops: 0 pictures (batch_size, C, H, W), H = W = crop_size if given; 1 (optional) labels (batch_size,).
    A set that fits a quarter of the free memory is decoded once and kept, on the GPU if it fits a quarter of
    the GPU's; a larger one is read and decoded ahead, again and again. `rand_skip` is ignored, as in Caffe.
    SSD's fork: pictures are distorted, expanded and resized before they are cropped (data/augment.py).
    Cysu's and PSPNet's forks: a crop of crop_height x crop_width, which need not be a square.
    NVIDIA's fork: in TRAIN, `shuffle` with `cache` gives a set that is kept another order in each pass but the first.
    shuffle_pool_size (Cysu's fork: how many records are drawn from at a time) is all of them here.
    """

    num_top = (1, 2)
    fork_fields = (*PREPARATIONS, *CROPS, "data_param.shuffle", "data_param.shuffle_pool_size")

    def open(self) -> None:
        super().open()
        self.prepare_pictures()
        p = self.param.data_param
        if p.batch_size == 0:
            self.fail("data_param.batch_size must be set and above 0")
        self.batch_size = p.batch_size
        self.order = self.mine()
        try:
            self.source = open_source(DataParameter.DB.Name(p.backend), p.source, self.context.root)
            record = self.source.read(0)
            images, _ = self._parse([record], [0])
        except DataError as error:
            self.bad_data(str(error))
        self._first, self._encoded = images[0].copy(), is_encoded(record)
        self.top_shape = self.top_of(self._first, lambda: self._name(0))
        self._shuffles = p.shuffle and p.cache and self.phase == TRAIN
        self._seed = int(torch.randint(0, 1 << 62, (1,), generator=self.generator)) if self._shuffles else 0
        self._orders: dict[int, np.ndarray] = {}  # of the passes that the last batch was of
        self._kept: Kept | None = None
        self._streamed: Streamed | None = None

    def chances(self) -> list[str]:
        return ["shuffles"] * self._shuffles + super().chances()

    def crops_at_random(self) -> bool:
        # A picture no larger than the crop leaves no choice.
        return super().crops_at_random() and self._first.shape[1:] != self.transform.window

    def log_creation(self, log: Log) -> None:
        p = self.param.data_param
        if os.path.exists(self.context.path(p.source)):  # else `setup` says so
            log.opened(DataParameter.DB.Name(p.backend).lower(), p.source)

    def log_setup(self, log: Log) -> None:
        super().log_setup(log)
        log.output_size("data", (self.batch_size, *self.top_shape))

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return [(self.batch_size, *self.top_shape), (self.batch_size,)][: len(self.param.top)]

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        step, start = self.batch_size * self.replicas, self.position
        try:
            images, labels = self._fetch(start, step, device)
        except DataError as error:
            self.bad_data(str(error))
        draws = self.draw(step)[self.order]
        data = self.transformed(images, draws, device, lambda i: self._name(self._places(start)[i]))
        self.position += step
        return (data, sent(labels, device, self.context.dtype))[: len(self.param.top)]

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), **({"seed": self._seed} if self._shuffles else {})}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self._seed = state.get("seed", self._seed)
        self._orders = {}
        if self._streamed is not None:
            self._streamed.close()
            self._streamed = None

    def _fetch(self, start: int, step: int, device: torch.device) -> Batch:
        if self._kept is None and self._streamed is None:
            if self.source.estimate() * self._first.nbytes <= memory_budget():
                self._kept = Kept(self.source, self._parse, self._first, self._encoded, start, device)
            else:
                self._streamed = Streamed(
                    self.source,
                    self._parse,
                    self._first,
                    self._encoded,
                    start,
                    step,
                    self.order,
                    depth=self.param.data_param.prefetch,
                    pinned=device.type == "cuda",
                )
        if self._kept is not None:
            return self._kept.take(self._places(start), device)
        assert self._streamed is not None
        return self._streamed.next()

    def _places(self, start: int) -> np.ndarray:
        """Where the records that follow the first `start` served stand in the source."""
        positions = start + self.order
        if not self._shuffles or self._kept is None:
            return positions
        turns, places = np.divmod(positions, len(self.source))
        wanted = set(turns.tolist()) - {0}
        self._orders = {
            turn: self._orders[turn] if turn in self._orders else self._pass_order(turn) for turn in wanted
        }
        for turn, order in self._orders.items():
            places[turns == turn] = order[places[turns == turn]]
        return places

    def _pass_order(self, turn: int) -> np.ndarray:
        generator = torch.Generator().manual_seed((self._seed + turn) % (1 << 62))
        return torch.randperm(len(self.source), generator=generator).numpy()

    def _parse(
        self, values: Sequence[Any], positions: Sequence[int], into: np.ndarray | None = None
    ) -> tuple[Images, np.ndarray]:
        return parse(values, self.transform.colour, lambda i: self._name(positions[i]), into)

    def _name(self, position: int) -> str:
        position %= len(self.source)
        key = self.source.keys[position].decode("utf-8", "replace")
        return f"record {position} (key {key!r}) of '{self.source.path}'"
