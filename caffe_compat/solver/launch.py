"""The ranks of a run started as processes of this host, where torchrun has not started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any, NoReturn

import torch
import torch.distributed as dist

from caffe_compat.errors import CaffeError
from caffe_compat.solver.watch import GRACE, LOST, prefix


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
        return _see_through(ranks, dist.PrefixStore(prefix(), store))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _see_through(ranks: Sequence[Any], store: Any) -> int:
    alive = list(ranks)
    failed = None
    while alive:
        ended = wait([process.sentinel for process in alive], None if failed is None else 2 * GRACE)
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
                    store.compare_set(LOST, "", f"{rank} {why}")
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
