"""Rows of the benchmark about training: iterations, memory, virtual replicas, and how cost grows with size.

Each program runs in a process of its own, as its users start it: ours keeps freed memory as `caffe-compat
train` does. The processes wait while it is not their turn.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from tools.bench import real_caffe
from tools.bench.run import OURS, ROOT, ROWS, Row, Setup, in_turns, peak_of_this_process, row, seconds

MEMORY_STEPS = 3  # iterations until a training run has had all its buffers
RUN = Path(__file__).with_name("run.py")


class Nowhere(io.StringIO):
    """A text stream that forgets what is written to it: lines are made as in a real run, and not kept."""

    def write(self, text: str) -> int:
        return len(text)


def _on_pictures(net: str) -> bool:
    """Whether `net` trains on pictures of ImageNet's size; the others train on CIFAR's, ResNet-56 among them."""
    from tools.bench import pictures

    return net in pictures.NETS and pictures.SIZES[net] > 32


def _is_ours(name: str) -> bool:
    return name == OURS or name.endswith(" replicas")


def net_text(setup: Setup) -> str:
    """The prototxt of the net that is trained, on the bench's data set."""
    from tools import make_prototxt
    from tools.bench import handwritten, pictures
    from tools.prototxt_text import document

    if _on_pictures(setup.net):
        return pictures.NETS[setup.net][0](setup.batch, setup.folder)
    family, numbers = handwritten.sizes(setup.net)
    paths = make_prototxt.cifar(setup.folder, prefix="")
    made = getattr(make_prototxt, family)(*numbers, setup.batch, paths)
    return document("benchmark", made)


def our_solver(setup: Setup, test: bool = False, replicas: int = 0, seed: int = -1) -> Any:
    """A Solver of clr_solver.prototxt on the net; `test`: with its test net too."""
    from caffe_compat.log.write import Log
    from caffe_compat.net.execution import Execution
    from caffe_compat.proto import NetParameter, text
    from caffe_compat.solver.solver import Solver

    param = text.read_solver(str(ROOT / "prototxt" / "clr_solver.prototxt"))
    param.ClearField("net")
    param.net_param.CopyFrom(text.parse(net_text(setup), NetParameter))
    param.ClearField("snapshot")
    param.snapshot_after_train, param.random_seed = False, seed
    if not test:
        param.ClearField("test_iter")
        param.ClearField("test_interval")
    execution = Execution(precision=setup.precision, compile=setup.compile)
    log = Log(Nowhere(), progress=False)
    return Solver(param, log=log, device=setup.device, replicas=replicas, execution=execution)


def hand_written(setup: Setup, variant: str) -> Any:
    import numpy as np
    import torch

    from caffe_compat.proto import binary
    from tools.bench import handwritten, pictures

    published = _on_pictures(setup.net)
    side = pictures.SIZES[setup.net] if published else 32
    tag = side if published else ""
    arrays = np.load(f"{setup.folder}/arrays{tag}.npz")
    images, labels = (torch.from_numpy(arrays[name]) for name in ("images", "labels"))
    average = binary.read_binaryproto(Path(setup.folder, f"mean{tag}.binaryproto"))
    model = pictures.NETS[setup.net][1]() if published else handwritten.module(setup.net)
    mean = torch.from_numpy(average.reshape(3, side, side).copy())
    return handwritten.Training(
        images, labels, mean, model, setup.batch, variant, setup.device, setup.precision
    )


def step_of(setup: Setup, name: str) -> Callable[[], Any]:
    """`setup.iterations` iterations of ours, of ours with virtual replicas ("8 replicas"), or of a hand-written variant."""
    if _is_ours(name):
        solver = our_solver(setup, replicas=0 if name == OURS else int(name.split()[0]))
        return lambda: solver.step(setup.iterations)
    training = hand_written(setup, name)

    def run() -> None:
        for _ in range(setup.iterations):
            training.step()

    return run


def serve(setup: Setup, name: str) -> None:
    """What a child process does: for each line of its input, iterations and a line with their seconds; at the end its
    peak memory in bytes."""
    import torch

    if _is_ours(name):
        from caffe_compat.net.memory import keep_freed_memory

        keep_freed_memory()
    run = step_of(setup, name)

    def finished() -> None:
        run()
        if setup.device != "cpu":
            torch.cuda.synchronize()

    for _ in sys.stdin:
        print(seconds(finished) / setup.iterations, flush=True)
    peak = peak_of_this_process() if setup.device == "cpu" else torch.cuda.max_memory_allocated()
    print(peak, flush=True)


@contextmanager
def children(setups: dict[str, tuple[Setup, str]]) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """One process for each (setup, program)."""
    made = {
        label: subprocess.Popen(
            [sys.executable, str(RUN), f"--child={name}", *setup.options()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for label, (setup, name) in setups.items()
    }
    try:
        yield made
    finally:
        for process in made.values():
            process.kill()
            process.communicate()


def one_step(process: subprocess.Popen[str]) -> float:
    """Seconds of the child's next iteration."""
    assert process.stdin and process.stdout
    print(file=process.stdin, flush=True)
    return answer(process)


def answer(process: subprocess.Popen[str]) -> float:
    assert process.stdout
    if not (line := process.stdout.readline()):
        raise RuntimeError(f"a process that trains ended with {process.wait()}")
    return float(line)


def programs(setup: Setup) -> dict[str, tuple[Setup, str]]:
    return {name: (setup, name) for name in (OURS, *setup.against)}


def net_file(setup: Setup) -> str:
    path = Path(setup.folder, f"{setup.net}_{setup.batch}.prototxt")
    path.write_text(net_text(setup))
    return str(path)


def trained(setup: Setup, name: str, repeat: int, with_caffe: bool = True) -> Row:
    with children(programs(setup)) as made:
        runs: dict[str, Callable[[], float]] = {
            label: partial(one_step, child) for label, child in made.items()
        }
        if with_caffe and setup.caffe and setup.device == "cpu":
            runs[real_caffe.NAME] = real_caffe.step(setup.caffe, net_file(setup))
        samples = in_turns(repeat, runs)
    what = f"training iteration of {setup.net}, batch {setup.batch}, on {setup.device}"
    fastest = min(setup.against, key=lambda variant: median(samples[variant]))
    return Row(name, what, "s", samples, base=fastest, limit=0.95 if setup.device == "cpu" else 1)


@row
def step(setup: Setup) -> Row:
    return trained(setup, "step", setup.repeat)


for _net, _batch in (
    ("resnet20", 125),
    ("resnet110", 125),
    ("wide_resnet32_4", 32),
    ("densenet40_12", 32),
    ("alexnet", 32),
    ("googlenet", 16),
):

    def step_of_net(setup: Setup, net: str = _net, batch: int = _batch) -> Row:
        if net in ("alexnet", "googlenet"):
            make_pictures(setup, net)
        return trained(replace(setup, net=net, batch=batch), f"step_{net}", min(setup.repeat, 5))

    ROWS[f"step_{_net}"] = step_of_net


def make_pictures(setup: Setup, net: str, count: int = 64) -> None:
    """A small data set of random pictures as large as the net takes, in both forms."""
    import numpy as np

    from caffe_compat.data import lmdb, records
    from caffe_compat.proto import binary
    from tools.bench.pictures import SIZES

    side = SIZES[net]
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 3, side, side), np.uint8)
    labels = random.integers(0, 1000, count)
    values = (records.serialize(image, int(label)) for image, label in zip(images, labels, strict=True))
    lmdb.write(f"{setup.folder}/train{side}_lmdb", ((b"%08d" % i, value) for i, value in enumerate(values)))
    binary.write_binaryproto(f"{setup.folder}/mean{side}.binaryproto", images.mean(0, np.float32))
    np.savez(f"{setup.folder}/arrays{side}.npz", images=images, labels=labels)


@row
def memory(setup: Setup) -> Row:
    def peak(name: str) -> Callable[[], float]:
        def sample() -> float:
            with children({name: (setup, name)}) as made:
                process = made[name]
                for _ in range(MEMORY_STEPS):
                    one_step(process)
                assert process.stdin
                process.stdin.close()
                process.stdin = None  # for communicate(), which would flush it
                return answer(process) / 2**20

        return sample

    runs = {name: peak(name) for name in (OURS, *setup.against)}
    if setup.caffe and setup.device == "cpu":
        runs[real_caffe.NAME] = real_caffe.peak_memory(setup.caffe, net_file(setup))
    return Row(
        "memory",
        f"peak memory of a process that trains {setup.net}, batch {setup.batch}",
        "MiB",
        in_turns(min(setup.repeat, 5), runs, warm_up=False),
        base=setup.against[0],
        limit=1.1,
    )


def replicas(setup: Setup, count: int, batch: int) -> Row:
    """`count` virtual replicas of `batch` records beside one batch of as many."""
    label, one = f"{count} replicas of {batch}", f"one batch of {count * batch}"
    programs = {
        label: (replace(setup, batch=batch), f"{count} replicas"),
        one: (replace(setup, batch=count * batch), OURS),
    }
    with children(programs) as made:
        samples = in_turns(setup.repeat, {label: partial(one_step, child) for label, child in made.items()})
    what = f"training iteration of {setup.net}, virtual replicas on one device"
    return Row(f"replicas_{batch}", what, "s", samples, base=one, limit=1.03, ours=label)


for _batch in (16, 125):
    ROWS[f"replicas_{_batch}"] = lambda setup, batch=_batch: replicas(
        replace(setup, net="resnet20"), 8, batch
    )


def growth(name: str, what: str, setups: dict[str, Setup], repeat: int) -> Row:
    """Picoseconds of an iteration for each multiply-add of a forward pass; the last setup is the largest."""
    work = {label: multiply_adds(setup) for label, setup in setups.items()}
    with children({label: (setup, OURS) for label, setup in setups.items()}) as made:
        seconds_of = in_turns(repeat, {label: partial(one_step, child) for label, child in made.items()})
    samples = {
        label: [1e12 * value / work[label] for value in values] for label, values in seconds_of.items()
    }
    *_, before, largest = setups
    return Row(name, what, "ps", samples, base=before, limit=1.1, ours=largest)


def multiply_adds(setup: Setup) -> int:
    """Of a forward pass of the training net."""
    from caffe_compat.inspect import costs

    return costs.of_net(our_solver(replace(setup, device="cpu")).net)


@row
def growth_depth(setup: Setup) -> Row:
    setups = {f"ResNet-{depth}": replace(setup, net=f"resnet{depth}") for depth in (20, 38, 56, 74, 92, 110)}
    what = f"time of an iteration for each multiply-add of a forward pass, batch {setup.batch}"
    return growth("growth_depth", what, setups, min(setup.repeat, 5))


@row
def growth_batch(setup: Setup) -> Row:
    setups = {
        f"batch {batch}": replace(setup, net="resnet20", batch=batch) for batch in (32, 64, 125, 250, 500)
    }
    what = "time of an iteration of ResNet-20 for each multiply-add of a forward pass"
    return growth("growth_batch", what, setups, min(setup.repeat, 5))
