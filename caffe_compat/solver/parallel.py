"""Data parallelism over processes: the ranks of a run, on torch.distributed.

Every rank runs the same solver on the records of its own replicas. They share the first weights (rank 0's),
the gradients, what signals ask for, and a restored solverstate; only rank 0 logs, tests and writes.

Rank 0 may test for hours while the others wait for it, so no time limit of a collective can tell that a rank
was lost. Instead a thread of each rank signs in torch's store every second and looks after its neighbour.

Caffe: src/caffe/parallel.cpp
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn

import torch
import torch.distributed as dist
from torch import Tensor

from caffe_compat.errors import CaffeError, ParallelError
from caffe_compat.solver.watch import GRACE, JOIN, Watch, prefix

_FOREVER = timedelta(days=20)  # the time limit of a collective


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
                dist.rendezvous("env://", timeout=timedelta(seconds=JOIN))
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
                store=dist.PrefixStore(f"{prefix()}/collectives", self._store),
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
            signal.alarm(int(GRACE))
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
