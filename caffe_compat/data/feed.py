"""Decoded batches of a source: kept in memory when the whole set fits, read ahead by threads when not."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data.base import Source
from caffe_compat.data.records import Images, is_encoded

# (records, the position of each) -> pictures and labels
Parse = Callable[[Sequence[Any], Sequence[int]], tuple[Images, np.ndarray]]
T = TypeVar("T")
_CHUNK = 512  # records a thread decodes at a time


class Kept:
    """A whole source, decoded once."""

    def __init__(self, source: Source, parse: Parse):
        values = list(source.walk())
        if is_encoded(values[0]):
            starts = range(0, len(values), _CHUNK)
            with ThreadPoolExecutor() as pool:
                parts = list(
                    pool.map(lambda at: parse(values[at : at + _CHUNK], range(at, at + _CHUNK)), starts)
                )
            self.images = _join([images for images, _ in parts])
            self.labels = np.concatenate([labels for _, labels in parts])
        else:
            self.images, self.labels = parse(values, range(len(values)))
        self._tensor: Tensor | None = None

    def take(self, positions: np.ndarray, device: torch.device) -> tuple[Tensor | list[np.ndarray], Tensor]:
        """The pictures, on the device if they are kept there, and the labels; positions wrap at the end."""
        index = positions % len(self.labels)
        labels = torch.from_numpy(self.labels[index])
        if isinstance(self.images, list):
            return [self.images[i] for i in index], labels
        if self._tensor is None:
            self._tensor = torch.from_numpy(self.images)
            if device.type == "cuda" and self.images.nbytes <= torch.cuda.mem_get_info(device)[0] // 4:
                self._tensor = self._tensor.to(device)
        first, last = int(index[0]), int(index[-1])
        if np.array_equal(index, np.arange(first, last + 1)):  # no copy is needed
            return self._tensor[first : last + 1], labels
        return self._tensor[torch.from_numpy(index).to(self._tensor.device)], labels


class Ahead(Generic[T]):
    """The results of `work` on the items of an endless iterator, in order, made `depth` ahead of their use.

    OpenCV and large copies release the interpreter lock, so threads are enough and nothing is pickled.
    """

    def __init__(self, items: Iterator[Any], work: Callable[[Any], T], depth: int):
        self._items, self._work, self._depth = items, work, max(1, depth)
        self._pool = ThreadPoolExecutor(min(self._depth, os.cpu_count() or 1), thread_name_prefix="ahead")
        self._queue: deque[Future[T]] = deque()

    def next(self) -> T:
        """The next result; what its work raised is raised here."""
        while len(self._queue) < self._depth:
            self._queue.append(self._pool.submit(self._work, next(self._items)))
        return self._queue.popleft().result()

    def close(self) -> None:
        """Stop the threads and forget what was made ahead."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._queue.clear()


def blocks(source: Source, position: int, size: int) -> Iterator[tuple[int, list[Any]]]:
    """Endless (position of the first record, `size` records), in order from `position`, wrapping at the end."""
    walk = source.walk(position % len(source) if position else 0)
    while True:
        block: list[Any] = []
        while len(block) < size:
            value = next(walk, None)
            if value is None:
                walk = source.walk()
            else:
                block.append(value)
        yield position, block
        position += size


def memory_budget() -> int:
    """How many bytes a data set may take to be kept in memory: a quarter of what is free now."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            available = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))
        return available * 1024 // 4
    except (OSError, StopIteration):  # not Linux
        return 2 << 30


def _join(parts: list[Images]) -> Images:
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    if len(arrays) == len(parts) and all(part.shape[1:] == arrays[0].shape[1:] for part in arrays):
        return np.concatenate(arrays)
    return [image for part in parts for image in part]
