"""ImageData: batches from a list of picture files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data import images
from caffe_compat.data.feed import Ahead, memory_budget, sent
from caffe_compat.data.image_list import read_list, why_no_picture
from caffe_compat.errors import DataError
from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.base_data import CROPS, PREPARATIONS, SeededPictureLayer
from caffe_compat.log.write import Log

_AHEAD = 4  # batches


class ListedLayer(SeededPictureLayer):
    """A picture layer whose records are the lines of a list.

    `shuffle` reorders the list at the start and whenever it begins again; `rand_skip` starts at a random line
    below it. Every replica reads the whole list, in its own order if shuffled.

    message  the field of LayerParameter that says source, batch_size, shuffle, rand_skip, new_height, new_width
    p        its value
    lines    what `read_lines` made of the list
    """

    message: str
    lines: Sequence[Any]

    def open(self) -> None:
        super().open()
        self.open_list()

    def open_list(self) -> None:
        """Check the parameters that all lists have, and read the list."""
        p = self.p = getattr(self.param, self.message)
        if p.batch_size == 0:
            self.fail(f"{self.message}.batch_size must be above 0")
        self.check_size()
        self.batch_size = p.batch_size
        self.order = self.mine()
        try:
            self.lines = self.read_lines(self.context.path(p.source))
        except DataError as error:
            self.bad_data(str(error))
        self.draw_seed()

    def chances(self) -> list[str]:
        given = {field.name: value for field, value in self.p.ListFields()}
        words = [(given.get("shuffle"), "shuffles"), (given.get("rand_skip"), "skips lines")]
        return [word for value, word in words if value] + super().chances()

    def check_size(self) -> None:
        """Fail for parameters that do not say the size of the pictures."""
        if bool(self.p.new_height) != bool(self.p.new_width):
            self.fail(
                f"new_height is {self.p.new_height} and new_width {self.p.new_width}; set both to resize, or none"
            )

    def read_lines(self, path: str) -> Sequence[Any]:
        """One record a line; raises DataError for a list that is missing or empty."""
        return read_list(path)

    def batches(self, position: int) -> Iterator[np.ndarray]:
        """Endless: the lines of each batch served here, from where all replicas have served `position` of them."""
        orders: dict[tuple[int, int], np.ndarray] = {}  # of a replica's pass over the list
        starts = [self.first_line(replica) for replica in range(self.replicas)]
        done = position // self.replicas
        while True:
            batch = []
            for at in self.order:
                offset, replica = divmod(int(at), self.replicas)
                turn, place = divmod(starts[replica] + done + offset, len(self.lines))
                if (replica, turn) not in orders:
                    orders = {key: order for key, order in orders.items() if key[1] >= turn - 1}
                    orders[replica, turn] = self.line_order(replica, turn)
                batch.append(orders[replica, turn][place])
            yield np.array(batch)
            done += self.batch_size

    def line_order(self, replica: int, turn: int) -> np.ndarray:
        """The order in which a replica reads the list the `turn`-th time."""
        if not self.p.shuffle:
            return np.arange(len(self.lines))
        return torch.randperm(len(self.lines), generator=self.random(turn * self.replicas + replica)).numpy()

    def first_line(self, replica: int) -> int:
        """At which line a replica starts."""
        most = self.p.rand_skip
        if most == 0:
            return 0
        skip = int(torch.randint(0, most, (1,), generator=self.random(-1 - replica)))
        if skip >= len(self.lines):
            self.fail(f"rand_skip {most} skips {skip} lines and the list has {len(self.lines)}; lower it")
        return skip

    def random(self, number: int) -> torch.Generator:
        """Random numbers that follow from the layer's seed and a number."""
        return torch.Generator().manual_seed((self._seed + number) % (1 << 62))

    def read_picture(self, line: int, name: str, colour: bool) -> np.ndarray:
        """The picture `name` of a line as OpenCV has it, resized to new_height x new_width if they are set."""
        path = self.context.path(self.p.root_folder + name)
        picture = images.read(path, self.p.new_height, self.p.new_width, colour)
        if picture is None:
            self.bad_data(
                f"line {line + 1} of '{self.p.source}': cannot open or decode '{path}'{why_no_picture(name)}; correct "
                "the list or root_folder"
            )
        return picture


@layer("ImageData")
class ImageData(ListedLayer):
    """tops = (transformed pictures, labels) of the next batch_size lines of a list of `path label`

    Caffe: src/caffe/layers/image_data_layer.cpp
    Tops: 0 pictures (batch_size, C, H, W), C = 3 or, without is_color, 1; 1 labels (batch_size,).
    The list's order is ListedLayer's. Decoded pictures are kept if all fit a quarter of the free memory.
    """

    num_top = 2
    message = "image_data_param"
    fork_fields = (*PREPARATIONS, *CROPS)

    def open(self) -> None:
        super().open()
        self.prepare_pictures()
        self._read: dict[int, np.ndarray] = {}
        self._keep = False
        line = int(next(self.batches(0))[0])
        first = self._picture(line)
        self._keep = len(self.lines) * first.nbytes <= memory_budget()
        self.top_shape = self.top_of(first, lambda: f"'{self.lines[line][0]}'")

    def log_setup(self, log: Log) -> None:
        super().log_setup(log)
        skipped = self.first_line(self.held[0]) if self.p.rand_skip else None
        log.image_list(self.p.source, len(self.lines), self.p.shuffle, skipped)
        log.output_size("image_data", (self.batch_size, *self.top_shape))

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return [(self.batch_size, *self.top_shape), (self.batch_size,)]

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        if self._ahead is None:
            self._ahead = Ahead(self.batches(self.position), self._batch, _AHEAD)
        pictures, index = self._ahead.next()
        draws = self.draw(self.batch_size * self.replicas)[self.order]
        same = all(picture.shape == pictures[0].shape for picture in pictures)
        batch = torch.from_numpy(np.stack(pictures)) if same else pictures
        data = self.transformed(batch, draws, device, lambda i: f"'{self.lines[index[i]][0]}'")
        labels = torch.tensor([self.lines[i][1] for i in index], dtype=self.context.dtype)
        self.position += self.batch_size * self.replicas
        return data, sent(labels, device)

    def _batch(self, index: np.ndarray) -> tuple[list[np.ndarray], list[int]]:
        return [self._picture(i) for i in index.tolist()], index.tolist()

    def _picture(self, line: int) -> np.ndarray:
        """The decoded picture of a line, (C, H, W) uint8."""
        if line in self._read:
            return self._read[line]
        picture = self.read_picture(line, self.lines[line][0], self.p.is_color)
        planes = images.planes(picture)
        if self._keep:
            self._read[line] = planes
        return planes
