"""HDF5Data: batches of rows from HDF5 files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data.feed import memory_budget, sent
from caffe_compat.data.hdf5 import read_names, read_rows
from caffe_compat.errors import DataError
from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.base_data import DataLayer
from caffe_compat.log.write import Log


@layer("HDF5Data")
class HDF5Data(DataLayer):
    """tops = the next batch_size rows of the datasets named like the tops, file after file

    Caffe: src/caffe/layers/hdf5_data_layer.cpp
    Tops: any number, (batch_size, ...) with the dataset's further axes. `source` lists the files.
    `shuffle` reorders the files whenever the list begins again and the rows of each file whenever it is
    read; rows of different files never mix. Files are kept while they fit a quarter of the free memory.
    """

    num_top = (1, None)
    _rows: Tensor  # of the file being read, those still to be served
    _blobs: list[Tensor]  # of that file

    def open(self) -> None:
        p = self.param.hdf5_data_param
        if self.param.HasField("transform_param"):
            self.fail(
                "HDF5Data does not transform data; remove transform_param and write the files as needed"
            )
        if p.batch_size == 0:
            self.fail("hdf5_data_param.batch_size must be set and above 0")
        self.batch_size = p.batch_size
        self.order = self.mine()
        try:
            self.files = [self.context.path(n) for n in read_names(self.context.path(p.source))]
        except DataError as error:
            self.bad_data(str(error))
        self._seed = int(torch.randint(0, 1 << 62, (1,), generator=self.generator))
        self._budget = memory_budget()
        self._read: dict[int, list[Tensor]] = {}
        self.row_shapes: list[Shape] = []
        first, _ = next(self._visits(0))
        self.row_shapes = [tuple(blob.shape[1:]) for blob in first]
        self._restart()

    def log_setup(self, log: Log) -> None:
        log.hdf5_list(self.param.hdf5_data_param.source, len(self.files))

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return [(self.batch_size, *shape) for shape in self.row_shapes]

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        parts: list[list[Tensor]] = []
        needed = self.batch_size * self.replicas
        self.position += needed
        while needed:
            if not len(self._rows):
                self._blobs, self._rows = next(self._to_come)
            rows, self._rows = self._rows[:needed], self._rows[needed:]
            parts.append([blob[rows] for blob in self._blobs])
            needed -= len(rows)
        return tuple(sent(torch.cat(blobs)[self.order], device) for blobs in zip(*parts, strict=True))

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "seed": self._seed}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self._seed = state["seed"]
        self._restart()

    def _restart(self) -> None:
        """Stand at `position`."""
        self._to_come = self._visits(self.position)
        self._rows, self._blobs = torch.empty(0, dtype=torch.int64), []

    def _visits(self, position: int) -> Iterator[tuple[list[Tensor], Tensor]]:
        """Endless: (blobs of a file, rows in serving order), from where `position` rows have been served."""
        turn = 0
        if position:
            turn, position = divmod(position, sum(len(self._file(i)[0]) for i in range(len(self.files))))
        while True:
            for visit, file in enumerate(self._shuffled(len(self.files), turn, 0).tolist(), 1):
                blobs = self._file(file)
                if position < len(blobs[0]):
                    yield blobs, self._shuffled(len(blobs[0]), turn, visit)[position:]
                position = max(0, position - len(blobs[0]))
            turn += 1

    def chances(self) -> list[str]:
        return ["shuffles"] * self.param.hdf5_data_param.shuffle

    def _shuffled(self, count: int, turn: int, visit: int) -> Tensor:
        """0 to count - 1, in the order of the `visit`-th thing shuffled in this pass over the list."""
        if not self.param.hdf5_data_param.shuffle:
            return torch.arange(count)
        number = turn * (len(self.files) + 1) + visit
        return torch.randperm(
            count, generator=torch.Generator().manual_seed((self._seed + number) % (1 << 62))
        )

    def _file(self, index: int) -> list[Tensor]:
        if index in self._read:
            return self._read[index]
        try:
            arrays = read_rows(self.files[index], list(self.param.top))
        except DataError as error:
            self.bad_data(str(error))
        for name, array, shape in zip(self.param.top, arrays, self.row_shapes, strict=False):
            if array.shape[1:] != shape:
                self.bad_data(
                    f"rows of '{name}' are {array.shape[1:]} in '{self.files[index]}' and {shape} in the first file; "
                    "make the files again with one shape"
                )
        blobs = [torch.from_numpy(np.asarray(array)).to(self.context.dtype) for array in arrays]
        size = sum(blob.nbytes for blob in blobs)
        if size <= self._budget:
            self._budget -= size
            self._read[index] = blobs
        return blobs
