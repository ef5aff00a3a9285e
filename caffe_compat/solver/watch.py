"""A rank that is lost is noticed: each signs in torch's store every second and looks after its neighbour."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from datetime import timedelta

import torch.distributed as dist

from caffe_compat.errors import CaffeError, ParallelError
from caffe_compat.log.names import printable

JOIN = 300.0  # seconds for all ranks to start
BEAT = 1.0  # seconds from one sign of life to the next
SILENCE = 15.0  # seconds without one after which a rank is lost; torchrun takes 30 more to end one suspended
GRACE = 5.0  # seconds for a process to end by itself once a rank is lost
_STORE_GONE = "the process that keeps the ranks together is gone: rank 0's, or its launcher"
LOST = "lost"  # the store's key for the rank that was lost first, and why


class Watch:
    """Signs on for this rank in the store, and notices when another is gone.

    Attributes:
        lost: the rank that was lost first, and the sentence that says so; None while all are well.
        interrupts: whether the main thread has a handler for SIGTERM that ends it.
        hint: how messages end.

    A lost rank ends this process: by a failing collective, else by SIGTERM's handler, at last without asking.
    """

    def __init__(self, rank: int, size: int):
        self.lost: tuple[int, str] | None = None
        self.interrupts = False
        self.hint = ""
        self._rank, self._size = rank, size
        address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        limit = timedelta(seconds=SILENCE)
        # A connection of its own: a call that waits would keep other threads from a shared one.
        client = dist.TCPStore(*address, is_master=False, wait_for_workers=False, timeout=limit)
        self._store = dist.PrefixStore(prefix(), client)
        self._closed = threading.Event()
        self._store.set(str(rank), "0")
        threading.Thread(target=self._run, daemon=True, name="watch").start()

    def meet(self) -> None:
        """Wait until every rank has signed on."""
        deadline = time.monotonic() + JOIN
        while absent := [rank for rank in range(self._size) if not self._store.check([str(rank)])]:
            if self.lost:
                raise ParallelError(self.lost[1])
            if time.monotonic() > deadline:
                raise ParallelError(
                    f"{len(absent)} of {self._size} ranks did not come within {JOIN:g} s: {absent}; see their output"
                )
            time.sleep(0.1)

    @property
    def speaks(self) -> bool:
        """Whether this rank prints who was lost; all know it."""
        return self._rank == (0 if self.lost is None or self.lost[0] != 0 else 1)

    def close(self) -> None:
        """Stop watching: this process ends, one way or the other."""
        self._closed.set()

    def report(self, rank: int, why: str) -> tuple[int, str]:
        """Tell all that `rank` is gone, unless they know of one already; returns the one they know of."""
        try:
            answer = self._store.compare_set(LOST, "", f"{rank} {why}").decode()
        except RuntimeError:  # the store is gone
            answer = f"{rank} {why}"
        first, _, why = answer.partition(" ")
        self.lost = int(first), why
        return self.lost

    def explain(self, why: str) -> str:
        """The message for a run that ends because of `why`: which rank was lost, if that can be found out."""
        before = self._beats()
        deadline = time.monotonic() + 3 * BEAT
        while not self.lost and time.monotonic() < deadline:
            time.sleep(BEAT / 10)
        if not self.lost:
            silent = [r for r, beat in self._beats().items() if r != self._rank and beat == before.get(r)]
            if not before:
                self.lost = 0, f"{_STORE_GONE} ({why})"
            elif silent:
                self.report(silent[0], f"rank {silent[0]} of {self._size} was lost ({why})")
        return (self.lost[1] if self.lost else why) + self.hint

    def _beats(self) -> dict[int, bytes]:
        try:
            return dict(enumerate(self._store.multi_get([str(rank) for rank in range(self._size)])))
        except RuntimeError:  # the store is gone
            return {}

    def _run(self) -> None:
        neighbour = (self._rank + 1) % self._size
        beat, count = b"", 0
        heard = awake = time.monotonic()
        while not self._closed.wait(BEAT):
            count += 1
            try:
                self._store.set(str(self._rank), str(count))
                latest = self._store.get(str(neighbour)) if self._store.check([str(neighbour)]) else b""
                known = self._store.check([LOST])
            except RuntimeError as error:
                self.lost = 0, f"{_STORE_GONE} ({error})"
                break
            now = time.monotonic()
            # Nothing is known about the time before the neighbour's first sign, or when this process was suspended.
            if latest != beat or not latest or now - awake > 5 * BEAT:
                beat, heard = latest, now
            awake = now
            if known or now - heard > SILENCE:
                self.report(
                    neighbour,
                    f"rank {neighbour} of {self._size} was lost: no sign of life for {now - heard:.0f} s",
                )
                break
        self._end()

    def _end(self) -> None:
        """See to it that this process ends; mostly it finds out by itself that it must."""
        if self._closed.wait(4 * BEAT):
            return
        if self.interrupts:
            _thread.interrupt_main(signal.SIGTERM)
        if not self._closed.wait(GRACE):  # it is stuck in a collective
            if self.speaks and self.lost:
                what = printable(f"{self.lost[1]}{self.hint}")
                print(f"caffe-compat: error: {what}", file=sys.stderr, flush=True)
            os._exit(CaffeError.exit_code)


def prefix() -> str:
    """Where this run's keys are in the store, which torchrun keeps when it starts all ranks again."""
    return f"caffe_compat/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
