"""ImageData: batches from a list of picture files."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data import images
from caffe_compat.data.feed import Ahead, memory_budget
from caffe_compat.data.image_list import read_list
from caffe_compat.errors import DataError
from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.base_data import SeededPictureLayer

_AHEAD = 4  # batches


@layer("ImageData")
class ImageData(SeededPictureLayer):
    """tops = (transformed pictures, labels) of the next batch_size lines of a list of `path label`

    Caffe: src/caffe/layers/image_data_layer.cpp
    Tops: 0 pictures (batch_size, C, H, W), C = 3 or, without is_color, 1; 1 labels (batch_size,).
    `shuffle` reorders the list at the start and whenever it begins again; `rand_skip` starts at a random line
    below it. Every replica reads the whole list, in its own order if shuffled. Decoded pictures are kept if
    all fit a quarter of the free memory.
    """

    num_top = 2

    def open(self) -> None:
        super().open()
        p = self.param.image_data_param
        if p.batch_size == 0:
            self.fail("image_data_param.batch_size must be above 0")
        if bool(p.new_height) != bool(p.new_width):
            self.fail(
                f"new_height is {p.new_height} and new_width {p.new_width}; set both to resize, or none"
            )
        self.batch_size = p.batch_size
        self.order = self.mine()
        try:
            self.lines = read_list(os.path.join(self.context.root, p.source))
        except DataError as error:
            self.bad_data(str(error))
        self.draw_seed()
        self._read: dict[int, np.ndarray] = {}
        self._keep = False
        line = int(next(self._indices(0))[0])
        first = self._picture(line)
        self._keep = len(self.lines) * first.nbytes <= memory_budget()
        self.top_shape = self.transform.top_shape(first.shape, lambda: f"'{self.lines[line][0]}'")

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return [(self.batch_size, *self.top_shape), (self.batch_size,)]

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        if self._ahead is None:
            self._ahead = Ahead(self._indices(self.position), self._batch, _AHEAD)
        pictures, index = self._ahead.next()
        draws = self.transform.draw(self.batch_size * self.replicas)[self.order]
        same = all(picture.shape == pictures[0].shape for picture in pictures)
        batch = torch.from_numpy(np.stack(pictures)) if same else pictures
        data = self.transformed(batch, draws, device, lambda i: f"'{self.lines[index[i]][0]}'")
        labels = torch.tensor([self.lines[i][1] for i in index], dtype=self.context.dtype)
        self.position += self.batch_size * self.replicas
        return data, labels.to(device)

    def _indices(self, position: int) -> Iterator[np.ndarray]:
        """Endless: the lines of each batch served here, from where all replicas have served `position` of them."""
        orders: dict[tuple[int, int], np.ndarray] = {}  # of a replica's pass over the list
        starts = [self._skip(replica) for replica in range(self.replicas)]
        done = position // self.replicas
        while True:
            batch = []
            for at in self.order:
                offset, replica = divmod(int(at), self.replicas)
                turn, place = divmod(starts[replica] + done + offset, len(self.lines))
                if (replica, turn) not in orders:
                    orders = {key: order for key, order in orders.items() if key[1] >= turn - 1}
                    orders[replica, turn] = self._line_order(replica, turn)
                batch.append(orders[replica, turn][place])
            yield np.array(batch)
            done += self.batch_size

    def _line_order(self, replica: int, turn: int) -> np.ndarray:
        """The order in which a replica reads the list the `turn`-th time."""
        if not self.param.image_data_param.shuffle:
            return np.arange(len(self.lines))
        return torch.randperm(len(self.lines), generator=self._random(turn * self.replicas + replica)).numpy()

    def _skip(self, replica: int) -> int:
        """How many lines a replica leaves out at the start."""
        most = self.param.image_data_param.rand_skip
        if most == 0:
            return 0
        skip = int(torch.randint(0, most, (1,), generator=self._random(-1 - replica)))
        if skip >= len(self.lines):
            self.fail(f"rand_skip {most} skips {skip} lines and the list has {len(self.lines)}; lower it")
        return skip

    def _random(self, number: int) -> torch.Generator:
        return torch.Generator().manual_seed((self._seed + number) % (1 << 62))

    def _batch(self, index: np.ndarray) -> tuple[list[np.ndarray], list[int]]:
        return [self._picture(i) for i in index.tolist()], index.tolist()

    def _picture(self, line: int) -> np.ndarray:
        """The decoded picture of a line, (C, H, W) uint8."""
        if line in self._read:
            return self._read[line]
        p = self.param.image_data_param
        path = os.path.join(self.context.root, p.root_folder + self.lines[line][0])
        picture = images.read(path, p.new_height, p.new_width, p.is_color)
        if picture is None:
            self.bad_data(
                f"line {line + 1} of '{p.source}': cannot open or decode '{path}'; correct the list or root_folder"
            )
        planes = images.planes(picture)
        if self._keep:
            self._read[line] = planes
        return planes
