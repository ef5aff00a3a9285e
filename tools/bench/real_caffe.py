"""A real Caffe beside ours, where there is one: its program `caffe`, on PATH or named by --caffe.

Each sample starts the program anew and takes the time that it prints itself, so starting does not count.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tools.bench.run import peak_of_process

NAME = "Caffe"
SOLVER = """net: "{net}" base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.0001
display: 1 max_iter: {iterations} snapshot_after_train: false solver_mode: CPU
"""


def log_of(program: str, *words: str) -> str:
    """What `caffe WORDS` logs.

    Raises:
        RuntimeError: it failed; the end of its log is in the message.
    """
    done = subprocess.run(
        [program, *words], check=False, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    if done.returncode:
        raise RuntimeError(
            f"{program} {' '.join(words)} ended with {done.returncode}:\n{done.stderr[-2000:]}"
        )
    return done.stderr


def forward(program: str, model: str, iterations: int = 3) -> Callable[[], float]:
    """Seconds of a forward pass in TEST."""

    def sample() -> float:
        log = log_of(program, "time", f"-model={model}", "-phase=TEST", f"-iterations={iterations}")
        return milliseconds(log, "Average Forward pass") / 1000

    return sample


def milliseconds(log: str, what: str) -> float:
    match = re.search(rf"{what}: (\S+) ms", log)
    if not match:
        raise RuntimeError(f"no line '{what}' in Caffe's log:\n{log[-2000:]}")
    return float(match[1])


def write_solver(net: str, iterations: int) -> str:
    """A solver file beside the net, which trains it a few iterations."""
    path = Path(net).with_suffix(".solver.prototxt")
    path.write_text(SOLVER.format(net=net, iterations=iterations))
    return str(path)


def step(program: str, net: str, iterations: int = 3) -> Callable[[], float]:
    """Seconds of a training iteration: the median of those after the first two lines."""
    solver = write_solver(net, iterations + 2)

    def sample() -> float:
        log = log_of(program, "train", f"-solver={solver}")
        return median([float(value) for value in re.findall(r"iter/s, (\S+)s/1 iters\)", log)[2:]])

    return sample


def peak_memory(program: str, net: str, iterations: int = 2) -> Callable[[], float]:
    """MiB that a training process has had at most."""
    solver = write_solver(net, iterations)

    def sample() -> float:
        peak = 0
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen([program, "train", f"-solver={solver}"], stderr=log, stdout=log)
            while process.poll() is None:  # rusage would count what the starting process had
                with contextlib.suppress(OSError, StopIteration):
                    peak = max(peak, peak_of_process(process.pid))
                time.sleep(0.01)
        if process.returncode:
            raise RuntimeError(f"{program} train -solver={solver} ended with {process.returncode}")
        return peak / 2**20

    return sample


def batches(program: str, net: str, batch: int, iterations: int) -> Callable[[], float]:
    """Images a second out of a net that is one Data layer; what it had ready at first counts little."""

    def sample() -> float:
        log = log_of(program, "time", f"-model={net}", f"-iterations={iterations}")
        return batch / (milliseconds(log, "Average Forward pass") / 1000)

    return sample
