"""What the layers of pictures with a label for every pixel share."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data.feed import Ahead, sent
from caffe_compat.errors import DataError, from_where
from caffe_compat.layers.base import Shape
from caffe_compat.layers.image_data import ListedLayer

_AHEAD = 4  # batches

# A picture (C, H, W) and its labels (H, W), both uint8, or labels of 32 bits.
Pair = tuple[np.ndarray, np.ndarray]


class SegmentationData(ListedLayer):
    """A list of `picture labels` lines, both files, read ahead, and cut and mirrored alike."""

    draws: int  # random numbers a picture
    crop: tuple[int, int]  # height, width; 0 for none

    def open(self) -> None:
        super().open()
        self.prepare()
        line = int(next(self.batches(0))[0])
        self.first, _ = self.read_pair(line)
        self.channels, *size = self.first.shape
        self.size = tuple(size) if self.crop == (0, 0) else self.crop

    @abstractmethod
    def prepare(self) -> None:
        """Check the parameters, say `crop` and `draws`."""

    @abstractmethod
    def read_pair(self, line: int) -> Pair:
        """The decoded files of a line."""

    @abstractmethod
    def cut(self, pair: Pair, draws: list[int]) -> tuple[Tensor, Tensor]:
        """The picture and labels as they go into the tops, except for what the whole batch gets."""

    def read_lines(self, path: str) -> list[list[str]]:
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                lines = [line.split() for line in file]
        except OSError as error:
            raise DataError(
                f"the list '{path}' cannot be read: {error.strerror}; give a file of `picture labels` lines{from_where(path)}"
            ) from error
        lines = [words for words in lines if words]
        if not lines:
            raise DataError(f"the list '{path}' is empty; it needs one `picture labels` a line")
        return lines

    def second(self, line: int) -> str:
        """What stands behind the picture in a line."""
        if len(self.lines[line]) < 2:
            self.bad_data(f"line {line + 1} of '{self.p.source}' has no labels; write `picture labels`")
        return self.lines[line][1]

    def check_labels(self, line: int, picture: np.ndarray, labels: np.ndarray) -> None:
        if picture.shape[1:] != labels.shape:
            self.bad_data(
                f"line {line + 1} of '{self.p.source}': the picture is {picture.shape[1]} x {picture.shape[2]} and its "
                f"labels {labels.shape[0]} x {labels.shape[1]}; they must be of one size"
            )

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return [(self.batch_size, self.channels, *self.size), (self.batch_size, 1, *self.size)]

    def guess_others(self, pictures: Shape) -> list[Shape]:
        batch, _, *size = pictures
        return [(batch, 1, *size), (batch, 1, 1, 2)][: len(self.param.top) - 1]

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        pairs, draws = self.next_pairs()
        items = [self.cut(pair, draw) for pair, draw in zip(pairs, draws, strict=True)]
        for i, (picture, _) in enumerate(items):
            if picture.shape != items[0][0].shape:
                self.bad_data(
                    f"picture {i} of a batch has the shape {tuple(picture.shape)} and the first one "
                    f"{tuple(items[0][0].shape)}; make them of one size, crop them, or use batch_size 1"
                )
        data, labels = (sent(torch.stack(part), device) for part in zip(*items, strict=True))
        return self.finish(data), labels.to(self.context.dtype).unsqueeze(1)

    def finish(self, data: Tensor) -> Tensor:
        """What the whole batch gets on the device."""
        return data

    def next_pairs(self) -> tuple[list[Pair], list[list[int]]]:
        """The next batch, and the random numbers of each of its pictures."""
        if self._ahead is None:
            self._ahead = Ahead(self.batches(self.position), self._read_batch, _AHEAD)
        count = self.batch_size * self.replicas
        draws = torch.randint(0, 1 << 32, (count, self.draws), generator=self.generator)[self.order]
        self.position += count
        return self._ahead.next(), draws.tolist()

    def _read_batch(self, index: np.ndarray) -> list[Pair]:
        return [self.read_pair(line) for line in index.tolist()]


def tensors(pair: Pair, window: tuple[slice, slice], mirror: bool) -> tuple[Tensor, Tensor]:
    """A window of both, mirrored if said."""
    picture, labels = pair
    rows, columns = window
    parts = (torch.from_numpy(picture[:, rows, columns]), torch.from_numpy(labels[rows, columns]))
    return tuple(part.flip(-1) if mirror else part for part in parts)  # type: ignore[return-value]
