"""Data parallelism over processes: the ranks of a run, on torch.distributed.

Every rank runs the same solver on the records of its own replicas. They share the first weights (rank 0's),
the gradients, what signals ask for, and a restored solverstate; only rank 0 logs, tests and writes.

Rank 0 may test for hours while the others wait for it, so no time limit of a collective can tell that a rank
was lost. Instead a thread of each rank signs in torch's store every second and looks after its neighbour.

Caffe: src/caffe/parallel.cpp
"""

from __future__ import annotations

import _thread
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import wait
from typing import Any, NoReturn, Protocol

import torch
import torch.distributed as dist
from torch import Tensor

from caffe_compat.errors import CaffeError, ParallelError
from caffe_compat.log.names import printable

BUCKET_BYTES = 4 << 20  # of gradients that travel together: few messages, and the first leave early

_JOIN = 300.0  # seconds for all ranks to start
_FOREVER = timedelta(days=20)  # the time limit of a collective
_BEAT = 1.0  # seconds from one sign of life to the next
_SILENCE = 15.0  # seconds without one after which a rank is lost; torchrun takes 30 more to end one suspended
_GRACE = 5.0  # seconds for a process to end by itself once a rank is lost
_STORE_GONE = "the process that keeps the ranks together is gone: rank 0's, or its launcher"
_LOST = "lost"  # the store's key for the rank that was lost first, and why


def world_size() -> int:
    """How many processes the launcher (torchrun, or `launch`) started; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def local_rank() -> int:
    """Which of the processes on this host this one is."""
    return int(os.environ.get("LOCAL_RANK", "0")) if world_size() > 1 else 0


class Group:
    """The ranks of a run; `join` gives one.

    The launcher (torchrun, or `launch`) says in the environment which rank this is and where to meet.

    Raises:
        ParallelError: the ranks cannot meet; from any method: another rank was lost.

    Attributes:
        rank, size: which process this is, of how many.
        backend: "nccl" or "gloo", once connected; "" before.
    """

    def __init__(self) -> None:
        self.backend = ""
        self._question: tuple[Any, Tensor] | None = None
        try:
            self._store, self.rank, self.size = next(
                dist.rendezvous("env://", timeout=timedelta(seconds=_JOIN))
            )
            self.watch = Watch(self.rank, self.size)
        except (RuntimeError, ValueError) as error:
            address = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
            raise ParallelError(
                f"the ranks cannot meet at {address}: {error}; start all of them with torchrun, or none"
            ) from error

    def connect(self, device: Any) -> None:
        """Connect the ranks once all are there, to exchange tensors of `device`: NCCL for CUDA, else gloo."""
        device = torch.device(device)
        self.backend = "nccl" if device.type == "cuda" else "gloo"
        if device.type == "cuda":
            torch.cuda.set_device(device)
        self.watch.meet()
        with self._talking():
            dist.init_process_group(
                "gloo" if self.backend == "gloo" else "cpu:gloo,cuda:nccl",
                store=dist.PrefixStore(f"{_prefix()}/collectives", self._store),
                rank=self.rank,
                world_size=self.size,
                timeout=_FOREVER,
                device_id=None if self.backend == "gloo" else device,
            )

    def remember_snapshot(self, path: str) -> None:
        """Name this solverstate in the message that ends the run, if a rank is lost."""
        self.watch.hint = f"; go on with --snapshot {path}"

    def terminate(self, *_: object) -> NoReturn:
        """The handler for SIGTERM, which torchrun sends when it has lost another rank."""
        raise ParallelError(self.watch.explain("ended by SIGTERM"))

    def fail(self, error: BaseException) -> bool:
        """Tell the others that this rank ends with `error`; returns whether another rank prints it anyway."""
        if self.backend == "nccl":  # an unfinished collective may keep the process from ending
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(int(_GRACE))
        text = str(error) if isinstance(error, CaffeError) else f"{type(error).__name__}: {error}"
        text = text.removesuffix(self.watch.hint)
        culprit, why = self.watch.lost or self.watch.report(
            self.rank, f"rank {self.rank} of {self.size} failed: {text}"
        )
        self.watch.close()
        if culprit == self.rank or not isinstance(error, CaffeError):
            return False
        return not self.watch.speaks if isinstance(error, ParallelError) else why.endswith(f"failed: {text}")

    def close(self) -> None:
        """Wait for the others, of which rank 0 may still be testing, and part."""
        self.gather(None)
        self.watch.close()
        dist.destroy_process_group()

    # -- talking ------------------------------------------------------------------------------

    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        """Give rank 0's values to the tensors of all ranks."""
        with self._talking():
            for work in [dist.broadcast(tensor.detach(), 0, async_op=True) for tensor in tensors]:
                work.wait()

    def same(self, value: Any) -> Any:
        """Rank 0's `value`, on every rank."""
        box = [value]
        with self._talking():
            dist.broadcast_object_list(box, 0, device=torch.device("cpu"))
        return box[0]

    def gather(self, value: Any) -> list[Any]:
        """The `value` of every rank, on every rank."""
        values: list[Any] = [None] * self.size
        with self._talking():
            dist.all_gather_object(values, value)
        return values

    def ask(self, number: int) -> None:
        """Begin to find the greatest `number` of all ranks; `answer` returns it."""
        box = torch.tensor(number)
        with self._talking():
            self._question = dist.all_reduce(box, dist.ReduceOp.MAX, async_op=True), box

    def answer(self) -> int:
        """What came of `ask`."""
        assert self._question is not None
        work, box = self._question
        with self._talking():
            work.wait()
        return int(box)

    def reduce(self, values: Tensor) -> Any:
        """Begin to sum `values` over the ranks, in place; `wait` finishes it."""
        with self._talking():
            return dist.all_reduce(values, async_op=True)

    def wait(self, work: Any) -> None:
        """Wait for what `reduce` began (on CUDA the device waits, not this thread)."""
        with self._talking():
            work.wait()

    @contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            # gloo begins with a place in its source and ends with advice
            why = re.sub(r"^\[\S+\] |\. .*", "", str(error).strip(), flags=re.DOTALL)
            raise ParallelError(self.watch.explain(why)) from error


@contextmanager
def join() -> Iterator[Group]:
    """The group of this process; leaving the block waits for the other ranks, or tells them why this one failed.

    An error that another rank prints anyway becomes a SystemExit.
    """
    group = Group()
    before = signal.signal(signal.SIGTERM, group.terminate)
    group.watch.interrupts = True
    try:
        yield group
        group.close()
    except BaseException as error:
        if group.fail(error):
            raise SystemExit(CaffeError.exit_code) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


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

    Once an iteration: `begin` before its first backward, `finish` after its last.
    """

    def __init__(self, group: Summing, blobs: Sequence[Tensor], backwards: int):
        self._group = group
        self._backwards = backwards
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
        for blob in bucket.blobs:
            blob.register_post_accumulate_grad_hook(lambda _, bucket=bucket: self._arrived(bucket))

    def begin(self) -> None:
        """The gradients of a new iteration are about to be computed."""
        self._launched, self._active = 0, True
        for bucket in self._buckets:
            bucket.missing = len(bucket.blobs) * self._backwards

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
        limit = timedelta(seconds=_SILENCE)
        # A connection of its own: a call that waits would keep other threads from a shared one.
        client = dist.TCPStore(*address, is_master=False, wait_for_workers=False, timeout=limit)
        self._store = dist.PrefixStore(_prefix(), client)
        self._closed = threading.Event()
        self._store.set(str(rank), "0")
        threading.Thread(target=self._run, daemon=True, name="watch").start()

    def meet(self) -> None:
        """Wait until every rank has signed on."""
        deadline = time.monotonic() + _JOIN
        while absent := [rank for rank in range(self._size) if not self._store.check([str(rank)])]:
            if self.lost:
                raise ParallelError(self.lost[1])
            if time.monotonic() > deadline:
                raise ParallelError(
                    f"{len(absent)} of {self._size} ranks did not come within {_JOIN:g} s: {absent}; see their output"
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
            answer = self._store.compare_set(_LOST, "", f"{rank} {why}").decode()
        except RuntimeError:  # the store is gone
            answer = f"{rank} {why}"
        first, _, why = answer.partition(" ")
        self.lost = int(first), why
        return self.lost

    def explain(self, why: str) -> str:
        """The message for a run that ends because of `why`: which rank was lost, if that can be found out."""
        before = self._beats()
        deadline = time.monotonic() + 3 * _BEAT
        while not self.lost and time.monotonic() < deadline:
            time.sleep(_BEAT / 10)
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
        while not self._closed.wait(_BEAT):
            count += 1
            try:
                self._store.set(str(self._rank), str(count))
                latest = self._store.get(str(neighbour)) if self._store.check([str(neighbour)]) else b""
                known = self._store.check([_LOST])
            except RuntimeError as error:
                self.lost = 0, f"{_STORE_GONE} ({error})"
                break
            now = time.monotonic()
            # Nothing is known about the time before the neighbour's first sign, or when this process was suspended.
            if latest != beat or not latest or now - awake > 5 * _BEAT:
                beat, heard = latest, now
            awake = now
            if known or now - heard > _SILENCE:
                self.report(
                    neighbour,
                    f"rank {neighbour} of {self._size} was lost: no sign of life for {now - heard:.0f} s",
                )
                break
        self._end()

    def _end(self) -> None:
        """See to it that this process ends; mostly it finds out by itself that it must."""
        if self._closed.wait(4 * _BEAT):
            return
        if self.interrupts:
            _thread.interrupt_main(signal.SIGTERM)
        if not self._closed.wait(_GRACE):  # it is stuck in a collective
            if self.speaks and self.lost:
                what = printable(f"{self.lost[1]}{self.hint}")
                print(f"caffe-compat: error: {what}", file=sys.stderr, flush=True)
            os._exit(CaffeError.exit_code)


def _prefix() -> str:
    """Where this run's keys are in the store, which torchrun keeps when it starts all ranks again."""
    return f"caffe_compat/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"


@contextmanager
def _own_modules_first() -> Iterator[None]:
    """Within it a new Python (3.11 and later) does not look for its own modules in the working folder."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def launch(function: Callable[[], int], count: int) -> int:
    """Run `function` in `count` new processes on this host, the ranks of one group; returns the exit code.

    SIGINT and SIGHUP are passed on to rank 0, which tells the others, SIGTERM to all. When one rank fails, the
    others are told, and ended if they do not end by themselves.
    """
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    context = multiprocessing.get_context("spawn")
    ranks = [
        context.Process(target=_rank_main, args=(function, rank, count, store.port), name=f"rank {rank}")
        for rank in range(count)
    ]
    with _own_modules_first():
        for process in ranks:
            process.start()

    def forward(number: int, _: object) -> None:
        for process in ranks if number == signal.SIGTERM else ranks[:1]:
            if process.is_alive() and process.pid:
                os.kill(process.pid, number)

    before = {n: signal.signal(n, forward) for n in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)}
    try:
        return _see_through(ranks, dist.PrefixStore(_prefix(), store))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _see_through(ranks: Sequence[Any], store: Any) -> int:
    alive = list(ranks)
    failed = None
    while alive:
        ended = wait([process.sentinel for process in alive], None if failed is None else 2 * _GRACE)
        if not ended:
            for process in alive:
                process.kill()
        for process in [p for p in alive if p.sentinel in ended]:
            process.join()
            alive.remove(process)
            if process.exitcode and failed is None:
                failed = process.exitcode
                if failed < 0:
                    rank, name = ranks.index(process), signal.Signals(-failed).name
                    why = f"rank {rank} of {len(ranks)} was killed by signal {-failed} ({name})"
                    store.compare_set(_LOST, "", f"{rank} {why}")
    if failed is None:
        return 0
    return failed if failed > 0 else CaffeError.exit_code


def _rank_main(function: Callable[[], int], rank: int, count: int, port: int) -> NoReturn:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # the parent keeps the store
    }
    torch.set_num_threads(max(1, torch.get_num_threads() // count))
    sys.exit(function())
