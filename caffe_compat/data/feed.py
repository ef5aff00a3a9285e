"""Decoded batches of a source: kept in memory when the whole set fits, read ahead by threads when not."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data.base import Source
from caffe_compat.data.records import Images

# (records, the position of each, (n, C, H, W) to write them to) -> pictures and labels
Parse = Callable[[Sequence[Any], Sequence[int], np.ndarray], tuple[Images, np.ndarray]]
Batch = tuple[Tensor | list[np.ndarray], Tensor]
T = TypeVar("T")
_TASK = 1 << 20  # bytes of pictures that a thread makes at a time
_QUICK = 1 << 14  # bytes of a picture that is copied sooner than a thread is told to
_KEPT_BLOCK = 4 << 20  # bytes of pictures that are added at a time to those kept


class Streamed:
    """Batches of a source's records, endless and in order, parsed by threads ahead of their use.

    Small pictures that need no decoding are parsed when they are used: threads would make that slower. OpenCV and
    large copies release the interpreter lock, so threads are enough and nothing is pickled. At most `depth` batches,
    or as many as keep every core busy, are in memory at a time.

    Args:
        first: a picture (C, H, W) whose shape and type all are expected to have.
        encoded: whether pictures need decoding.
        start: the position of the first record.
        step: records from one batch to the next.
        order: which of a step's records a batch has.
        pinned: whether batches are in page-locked memory, which a GPU copies while the host does other work.
    """

    def __init__(
        self,
        source: Source,
        parse: Parse,
        first: np.ndarray,
        encoded: bool,
        start: int,
        step: int,
        order: np.ndarray,
        depth: int,
        pinned: bool = False,
    ):
        self._parse, self._first, self._order, self._pinned = parse, first, order, pinned
        self._blocks = blocks(source, start, step)
        self._task = max(1, _TASK // first.nbytes)  # records
        tasks = -(-len(order) // self._task)  # of a batch
        self._depth = max(1, depth, -(-2 * cores() // tasks))
        self._pool: ThreadPoolExecutor | None = None
        if encoded or first.nbytes > _QUICK:
            self._pool = ThreadPoolExecutor(cores(), thread_name_prefix="records")
        else:
            self._depth = 0
        self._queue: deque[tuple[Tensor, list[Future[tuple[Images | None, np.ndarray]]]]] = deque()

    def next(self) -> Batch:
        """The pictures of the next batch (n, C, H, W), or n arrays (C, H, W) if sizes differ, and the labels (n,).

        What parsing them raised is raised here.
        """
        while len(self._queue) <= self._depth:
            self._queue.append(self._begin())
        batch, tasks = self._queue.popleft()
        parts = [task.result() for task in tasks]
        labels = torch.from_numpy(np.concatenate([labels for _, labels in parts]))
        if all(odd is None for odd, _ in parts):
            return batch, labels
        rows = np.split(batch.numpy(), range(self._task, len(batch), self._task))
        return [
            image
            for row, (odd, _) in zip(rows, parts, strict=True)
            for image in (row if odd is None else odd)
        ], labels

    def close(self) -> None:
        """Stop the threads and forget what was made ahead."""
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._queue.clear()

    def _begin(self) -> tuple[Tensor, list[Future[tuple[Images | None, np.ndarray]]]]:
        start, values = next(self._blocks)
        values, positions = [values[i] for i in self._order], (start + self._order).tolist()
        kind = torch.from_numpy(self._first[:0]).dtype
        batch = torch.empty((len(values), *self._first.shape), dtype=kind, pin_memory=self._pinned)
        rows = batch.numpy()
        parts = [slice(at, at + self._task) for at in range(0, len(values), self._task)]
        submit = self._pool.submit if self._pool else _done
        return batch, [submit(self._work, values[part], positions[part], rows[part]) for part in parts]

    def _work(
        self, values: Sequence[Any], positions: Sequence[int], rows: np.ndarray
    ) -> tuple[Images | None, np.ndarray]:
        """The pictures, or None where they are in `rows`, and the labels."""
        images, labels = self._parse(values, positions, rows)
        return None if images is rows else images, labels


class Kept:
    """A whole source in memory, each picture decoded once, when it or one a little before it is first used.

    Args: as for Streamed; device: where the pictures are kept if a quarter of its memory holds them.
    """

    def __init__(
        self,
        source: Source,
        parse: Parse,
        first: np.ndarray,
        encoded: bool,
        start: int,
        device: torch.device,
    ):
        self._count, self._source = len(source), source
        self._start = start % self._count
        self._have = 0  # records in memory, from there on and round the end
        self._block = min(self._count, max(1, _KEPT_BLOCK // first.nbytes))
        size = self._count * first.nbytes
        there = device.type == "cuda" and size <= torch.cuda.mem_get_info(device)[0] // 4
        place = device if there else torch.device("cpu")
        kind = torch.from_numpy(first[:0]).dtype
        self._images: Tensor | list[Any] = torch.empty((self._count, *first.shape), dtype=kind, device=place)
        self._labels = torch.empty(self._count, dtype=torch.int32, device=place)
        self._coming: Streamed | None = Streamed(
            source, parse, first, encoded, self._start, self._block, np.arange(self._block), 1, pinned=there
        )

    def take(self, positions: np.ndarray, device: torch.device) -> Batch:
        """The pictures, on the device if they are kept there, and the labels; positions wrap at the end."""
        index = positions % self._count
        while self._coming is not None and int(((index - self._start) % self._count).max()) >= self._have:
            self._add(*self._coming.next())
        images, labels = self._images, self._labels
        first, end = int(index[0]), int(index[0]) + len(index)
        if isinstance(images, Tensor) and np.array_equal(index, np.arange(first, end)):  # no copy is needed
            return images[first:end], labels[first:end]
        which = sent(torch.from_numpy(index), labels.device)
        chosen = images.index_select(0, which) if isinstance(images, Tensor) else [images[i] for i in index]
        return chosen, labels.index_select(0, which)

    def _add(self, images: Tensor | list[np.ndarray], labels: Tensor) -> None:
        """Put the next block in its place; the last may have records again that the first had."""
        first = (self._start + self._have) % self._count
        before_end = min(len(labels), self._count - first)
        if isinstance(self._images, Tensor) and isinstance(images, list):
            self._images = list(self._images.cpu().numpy())
        for place, part in (
            (slice(first, first + before_end), slice(before_end)),
            (slice(len(labels) - before_end), slice(before_end, None)),
        ):
            self._labels[place].copy_(labels[part], non_blocking=True)
            if isinstance(self._images, Tensor):
                assert isinstance(images, Tensor)
                self._images[place].copy_(images[part], non_blocking=True)
            else:
                self._images[place] = [np.asarray(image) for image in images[part]]
        self._have += len(labels)
        if self._have >= self._count:
            assert self._coming is not None
            self._coming.close()
            self._coming = None
            self._source.close()


class Ahead(Generic[T]):
    """The results of `work` on the items of an endless iterator, in order, made `depth` ahead of their use.

    The work is done by threads, so it should be such that releases the interpreter lock.
    """

    def __init__(self, items: Iterator[Any], work: Callable[[Any], T], depth: int):
        self._items, self._work, self._depth = items, work, max(1, depth)
        self._pool = ThreadPoolExecutor(min(self._depth, cores()), thread_name_prefix="ahead")
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
        block = list(islice(walk, size))
        while len(block) < size:
            walk = source.walk()
            block += islice(walk, size - len(block))
        yield position, block
        position += size


def sent(tensor: Tensor, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """`tensor` on the device; the host does not wait until a GPU has it. A pinned one must not be overwritten before."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()  # torch keeps this memory until it is copied
    return tensor.to(device, dtype, non_blocking=True)


def _done(work: Callable[..., T], *args: Any) -> Future[T]:
    """Work done now."""
    future: Future[T] = Future()
    future.set_result(work(*args))
    return future


def memory_budget() -> int:
    """How many bytes a data set may take to be kept in memory: a quarter of what is free now."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            available = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))
        return available * 1024 // 4
    except (OSError, StopIteration):  # not Linux
        return 2 << 30


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
