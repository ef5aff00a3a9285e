"""pycaffe's NCCL and Timer, with which a script spreads a solver over processes and times it.

Source: python/caffe/_caffe.cpp, python/train.py
"""

from __future__ import annotations

import socket
import time
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from caffe_compat.errors import ParallelError
from caffe_compat.pycaffe import state
from caffe_compat.pycaffe.solvers import Solver
from caffe_compat.solver.reducer import Reducer

_JOIN = timedelta(minutes=5)  # for all processes to come
_FOREVER = timedelta(days=20)  # of a collective: one process may test, or do what its script wants, for hours


class NCCL:
    """The link between the solvers of several processes: equal weights at the start, averaged diffs.

    Each process calls set_solver_count, set_solver_rank, makes its solver, and then `NCCL(solver, uid)` with the
    uid of `new_uid`, which waits for the others. `bcast()` gives all of them the first one's weights, and
    `solver.add_callback(nccl)` has every iteration average the diffs over the processes, each blob's as soon as
    backward has made it. On the GPU the processes talk through NCCL, on the CPU through gloo.

    Raises:
        ParallelError: a uid that is none, or the others did not come.
    """

    def __init__(self, solver: Solver, uid: bytes | str):
        self._core = solver.core
        self.size: int = state.solver_count()
        rank = state.solver_rank()
        text = uid.decode() if isinstance(uid, bytes) else uid
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdigit():
            raise ParallelError(f"NCCL: {uid!r} is no uid; take one from caffe.NCCL.new_uid()")
        try:
            store = dist.TCPStore(host, int(port), self.size, is_master=rank == 0, timeout=_JOIN)
            backend = "nccl" if self._core.device.type == "cuda" else "gloo"
            dist.init_process_group(backend, store=store, rank=rank, world_size=self.size, timeout=_FOREVER)
        except (RuntimeError, ValueError) as error:
            raise ParallelError(f"NCCL: {self.size} processes cannot meet at {text}: {error}") from error
        blobs = [blob.tensor for blob in self._core.net.learned]
        self._reducer = Reducer(self, blobs, self._core.param.iter_size)

    @staticmethod
    def new_uid() -> bytes:
        """A place on this host where the processes will meet, to be handed to each of them."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return b"127.0.0.1:%d" % free.getsockname()[1]

    def bcast(self) -> None:
        """Give the first process's weights to all."""
        for blob in self._core.net.learned:
            dist.broadcast(blob.tensor.detach(), 0)

    def on_start(self) -> None:
        self._reducer.begin()

    def on_gradients_ready(self) -> None:
        self._reducer.finish()

    def __call__(self, layer: int) -> None:
        """For `net.after_backward(nccl)`, as scripts write it for layer_wise_reduce: what `add_callback` set up
        already sends each blob's diff off when it is there."""

    # -- what Reducer asks of a group ----------------------------------------------------------

    def reduce(self, values: Tensor) -> dist.Work | None:
        """Begin to sum `values` over the processes, in place."""
        return dist.all_reduce(values, async_op=True)

    def wait(self, work: dist.Work) -> None:
        work.wait()


class Timer:
    """A stop watch; with a GPU in use it waits for the GPU's work."""

    def __init__(self) -> None:
        self._started = 0.0
        self._running = False
        self._seconds = 0.0

    def start(self) -> None:
        self._started, self._running = self._now(), True

    def stop(self) -> None:
        if self._running:
            self._seconds, self._running = self._now() - self._started, False

    @property
    def ms(self) -> float:
        """Milliseconds from `start` to `stop`, which this does if nobody did; 0 if it was never started."""
        self.stop()
        return self._seconds * 1000

    @staticmethod
    def _now() -> float:
        device = state.device()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()
