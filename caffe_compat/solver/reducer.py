"""The gradients of several processes averaged, while backward still computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

BUCKET_BYTES = 4 << 20  # of gradients that travel together: few messages, and the first leave early


class Summing(Protocol):
    """What a Reducer asks of the ranks: to sum tensors over them, in the background."""

    @property
    def size(self) -> int: ...

    def reduce(self, values: Tensor) -> Any: ...

    def wait(self, work: Any) -> None: ...


class Reducer:
    """Averages the gradients of blobs over the ranks, each bucket as soon as backward has filled it.

    Args:
        blobs: the learned blobs, the same on all ranks. Their gradients are expected last blob first.
        backwards: how many backward passes an iteration has; a gradient is complete after that many.
        without: those of the blobs that nobody waits for, because their gradient is 0 and need not come.

    Once an iteration: `begin` before its first backward, `finish` after its last.
    """

    def __init__(
        self, group: Summing, blobs: Sequence[Tensor], backwards: int, without: Sequence[Tensor] = ()
    ):
        self._group = group
        self._backwards = backwards
        self._without = {id(blob) for blob in without}
        self._buckets: list[_Bucket] = []
        self._launched = 0
        self._active = False
        waiting: list[Tensor] = []
        learned = [blob for blob in reversed(blobs) if blob.requires_grad]
        for blob, following in zip(learned, [*learned[1:], None], strict=True):
            waiting.append(blob)
            full = sum(b.nbytes for b in waiting) >= BUCKET_BYTES
            if following is None or full or following.dtype != blob.dtype:
                self._add(_Bucket(waiting))
                waiting = []

    def _add(self, bucket: _Bucket) -> None:
        self._buckets.append(bucket)
        bucket.awaited = [blob for blob in bucket.blobs if id(blob) not in self._without]
        for blob in bucket.awaited:
            blob.register_post_accumulate_grad_hook(lambda _, bucket=bucket: self._arrived(bucket))

    def begin(self) -> None:
        """The gradients of a new iteration are about to be computed."""
        self._launched, self._active = 0, True
        for bucket in self._buckets:
            bucket.missing = len(bucket.awaited) * self._backwards

    def _arrived(self, bucket: _Bucket) -> None:
        bucket.missing -= 1
        while self._active and self._launched < len(self._buckets):
            if self._buckets[self._launched].missing:
                break
            self._launch()

    def _launch(self) -> None:
        """Send the next bucket off: in this order on every rank, since that is what pairs their messages."""
        bucket = self._buckets[self._launched]
        bucket.collect()
        bucket.work = self._group.reduce(bucket.flat)
        self._launched += 1

    def finish(self) -> None:
        """Wait for the others; after this every blob's `.grad` is the mean over all ranks."""
        while self._launched < len(self._buckets):  # with blobs that got no gradient
            self._launch()
        self._active = False
        for bucket in self._buckets:
            self._group.wait(bucket.work)
            bucket.flat.div_(self._group.size)
            for blob, gradient in zip(bucket.blobs, bucket.gradients, strict=True):
                blob.grad = gradient


class _Bucket:
    """The gradients of some blobs, in one tensor."""

    def __init__(self, blobs: Sequence[Tensor]):
        self.blobs = list(blobs)
        self.awaited = self.blobs
        self.flat = torch.zeros(
            sum(blob.numel() for blob in blobs), dtype=blobs[0].dtype, device=blobs[0].device
        )
        parts = self.flat.split([blob.numel() for blob in blobs])
        self.gradients = [part.view(blob.shape) for part, blob in zip(parts, blobs, strict=True)]
        self.missing = 0  # gradients still to come
        self.work: Any = None

    def collect(self) -> None:
        """Copy the blobs' gradients here; those without one count as 0."""
        there: list[Tensor] = []
        arrived: list[Tensor] = []
        for blob, gradient in zip(self.blobs, self.gradients, strict=True):
            if blob.grad is None:
                gradient.zero_()
            else:
                there.append(gradient)
                arrived.append(blob.grad)
        if there:
            torch._foreach_copy_(there, arrived)
