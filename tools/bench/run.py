#!/usr/bin/env python3
"""Time and memory of this package beside a hand-written PyTorch loop of the same net.

    python tools/bench/run.py                       # every row
    python tools/bench/run.py step memory           # some rows
    python tools/bench/run.py step --against eager channels_last compile
    python tools/bench/run.py --json bench.json     # all samples as well

What is compared runs in turns in one process (A B, B A, ...), so that a change of the machine's speed meets
both; a ratio is the median over the pairs. Memory and start-up are measured in fresh processes, in turns too.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # this file is a script; tools is not installed

OURS = "caffe_compat"
MEMORY_STEPS = 3  # iterations until a training run has had all its buffers


@dataclass(frozen=True)
class Setup:
    """What to measure: the net, how often, and the folder the data set is made in."""

    depth: int = 56
    batch: int = 125
    build_depth: int = 110
    records: int = 10_000
    jpegs: int = 5_000
    repeat: int = 7
    iterations: int = 1
    threads: int = 0
    against: tuple[str, ...] = ("eager",)
    folder: str = ""


@dataclass
class Row:
    """The samples of one comparison.

    `limit` bounds the ratio to the series `base`, or our value itself where there is no base.
    """

    name: str
    what: str
    unit: str
    samples: dict[str, list[float]]
    base: str = ""
    limit: float | None = None
    more_is_better: bool = False
    notes: list[str] = field(default_factory=list)

    def ratio(self, to: str) -> list[float]:
        """Ours by the other, for each pair of samples taken side by side."""
        return [ours / other for ours, other in zip(self.samples[OURS], self.samples[to], strict=True)]

    def verdict(self) -> str:
        if self.limit is None:
            return ""
        value = median(self.ratio(self.base) if self.base else self.samples[OURS])
        within = value >= self.limit if self.more_is_better else value <= self.limit
        sign = ">=" if self.more_is_better else "<="
        return (
            f"{'ok' if within else 'MISSED'} ({sign} {self.limit:g}{'x' if self.base else ' ' + self.unit})"
        )


ROWS: dict[str, Callable[[Setup], Row]] = {}


def row(function: Callable[[Setup], Row]) -> Callable[[Setup], Row]:
    ROWS[function.__name__] = function
    return function


def in_turns(
    repeat: int, runs: dict[str, Callable[[], float]], warm_up: bool = True
) -> dict[str, list[float]]:
    """`repeat` samples of each run, taken in turns and in the other order every second time."""
    if warm_up:
        for run in runs.values():
            run()
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeat):
        for name in list(runs)[:: -1 if turn % 2 else 1]:
            samples[name].append(runs[name]())
    return samples


def seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


# -- what is measured -----------------------------------------------------------------------------


def make_data(setup: Setup) -> None:
    """Random pictures as an LMDB with its mean: speed does not depend on what they show."""
    import numpy as np

    from caffe_compat.data import lmdb, records
    from caffe_compat.proto import binary

    random = np.random.default_rng(0)
    images = random.integers(0, 256, (setup.records, 3, 32, 32), np.uint8)
    labels = random.integers(0, 10, setup.records)
    for part in ("train", "test"):
        values = (records.serialize(image, int(label)) for image, label in zip(images, labels, strict=True))
        lmdb.write(f"{setup.folder}/{part}_lmdb", ((b"%08d" % i, value) for i, value in enumerate(values)))
    binary.write_binaryproto(f"{setup.folder}/mean.binaryproto", images.mean(0, np.float32))
    np.savez(f"{setup.folder}/arrays.npz", images=images, labels=labels)


class Nowhere(io.StringIO):
    """A text stream that forgets what is written to it: lines are made as in a real run, and not kept."""

    def write(self, text: str) -> int:
        return len(text)


def our_solver(setup: Setup, depth: int, test: bool = False) -> Any:
    """A Solver of clr_solver.prototxt on a generated net; `test`: with its test net too."""
    from caffe_compat.log.write import Log
    from caffe_compat.proto import NetParameter, text
    from caffe_compat.solver.solver import Solver
    from tools import make_prototxt

    param = text.read_solver(str(ROOT / "prototxt" / "clr_solver.prototxt"))
    net = make_prototxt.resnet(depth, setup.batch, make_prototxt.cifar(setup.folder, prefix=""))
    param.ClearField("net")
    param.net_param.CopyFrom(text.parse(make_prototxt.document("benchmark", net), NetParameter))
    param.ClearField("snapshot")
    param.snapshot_after_train = False
    if not test:
        param.ClearField("test_iter")
        param.ClearField("test_interval")
    return Solver(param, log=Log(Nowhere(), progress=False))


def our_step(setup: Setup) -> Callable[[], Any]:
    solver = our_solver(setup, setup.depth)
    return lambda: solver.step(setup.iterations)


def hand_written(setup: Setup, variant: str) -> Any:
    import numpy as np
    import torch

    from caffe_compat.proto import binary
    from tools.bench.handwritten import Training

    arrays = np.load(f"{setup.folder}/arrays.npz")
    images, labels = (torch.from_numpy(arrays[name]) for name in ("images", "labels"))
    mean = torch.from_numpy(
        binary.read_binaryproto(Path(setup.folder, "mean.binaryproto")).reshape(3, 32, 32).copy()
    )
    return Training(images, labels, mean, setup.depth, setup.batch, variant)


def their_step(setup: Setup, variant: str) -> Callable[[], Any]:
    training = hand_written(setup, variant)

    def run() -> None:
        for _ in range(setup.iterations):
            training.step()

    return run


def step_of(setup: Setup, name: str) -> Callable[[], Any]:
    return our_step(setup) if name == OURS else their_step(setup, name)


@row
def step(setup: Setup) -> Row:
    def timed(name: str) -> Callable[[], float]:
        run = step_of(setup, name)
        return lambda: seconds(run) / setup.iterations

    return Row(
        "step",
        f"training iteration, ResNet-{setup.depth}, batch {setup.batch}",
        "s",
        in_turns(setup.repeat, {name: timed(name) for name in (OURS, *setup.against)}),
        base=setup.against[0],
        limit=1.05,
    )


@row
def memory(setup: Setup) -> Row:
    def peak(name: str) -> Callable[[], float]:
        options = [
            f"--{key}={value}" for key, value in asdict(setup).items() if isinstance(value, int) and value
        ]
        command = [sys.executable, __file__, "--child", name, "--folder", setup.folder, *options]
        return lambda: float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) / 2**20

    return Row(
        "memory",
        f"peak memory of a process that trains ResNet-{setup.depth}, batch {setup.batch}",
        "MiB",
        in_turns(min(setup.repeat, 5), {n: peak(n) for n in (OURS, *setup.against)}, warm_up=False),
        base=setup.against[0],
        limit=1.1,
    )


def peak_memory(setup: Setup, name: str) -> int:
    """Bytes that this process has had at most, after a few iterations."""
    run = step_of(setup, name)
    for _ in range(MEMORY_STEPS):
        run()
    return peak_of_this_process()


def peak_of_this_process() -> int:
    """Bytes that this process has had at most."""
    # Linux hands ru_maxrss of the starting process down to the started one; VmHWM is this process's own.
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("VmHWM:")).split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts bytes


@row
def build(setup: Setup) -> Row:
    return Row(
        "build",
        f"solver with training and test net of ResNet-{setup.build_depth}",
        "s",
        in_turns(
            setup.repeat,
            {OURS: lambda: seconds(lambda: our_solver(setup, setup.build_depth, test=True))},
            warm_up=False,
        ),
        limit=2,
        notes=["the first sample includes the imports"],
    )


@row
def help(setup: Setup) -> Row:
    def start(*words: str) -> Callable[[], float]:
        return lambda: seconds(
            lambda: subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
        )

    return Row(
        "help",
        "caffe-compat --help in a new process",
        "s",
        in_turns(
            setup.repeat, {OURS: start("-m", "caffe_compat", "--help"), "python -c pass": start("-c", "pass")}
        ),
        limit=0.5,
    )


@row
def data(setup: Setup) -> Row:
    import torch

    solver = our_solver(setup, 8)
    layer = solver.net.layers[0]
    training = hand_written(setup, "eager")
    batches = max(1, 2000 // setup.batch)

    def ours() -> float:
        return (
            batches * setup.batch / seconds(lambda: [layer.load(torch.device("cpu")) for _ in range(batches)])
        )

    def theirs() -> float:
        def run() -> None:
            for _ in range(batches):
                training.next_batch()
                training.iter += 1

        return batches * setup.batch / seconds(run)

    return Row(
        "data",
        "batches from an LMDB that fits in memory, mean and mirror applied",
        "images/s",
        in_turns(setup.repeat, {OURS: ours, "eager": theirs}),
        more_is_better=True,
    )


def forward(setup: Setup, name: str, batch: int) -> Row:
    """A deploy net's forward pass through pycaffe's interface, every blob in reach."""
    import numpy as np
    import torch

    import caffe_compat as caffe
    from tools.bench import pictures

    write, module = pictures.NETS[name]
    proto, weights = f"{setup.folder}/{name}_{batch}.prototxt", f"{setup.folder}/{name}.caffemodel"
    Path(proto).write_text(write(batch))
    net = caffe.Net(proto, caffe.TEST)
    torch.manual_seed(0)
    by_hand = module().eval()
    layers = [layer for layer in net.core.layers if layer.type in ("Convolution", "InnerProduct")]
    blobs = [blob for layer in layers for blob in layer.blobs]
    with torch.no_grad():
        for blob, value in zip(blobs, pictures.learned(by_hand), strict=True):
            blob.copy_(value)
        for layer in net.core.layers:
            if layer.type == "BatchNorm":  # mean 0 and variance 1, as nn.BatchNorm2d is born
                layer.blobs[1].fill_(1)
                layer.blobs[2].fill_(1)
    net.save(weights)
    x = np.random.default_rng(0).standard_normal((batch, *net.blobs["data"].shape[1:]), np.float32)
    net.blobs["data"].data[...] = x
    innermost = module().eval()
    innermost.load_state_dict(by_hand.state_dict())
    innermost = innermost.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    tensor = torch.from_numpy(x)
    picture = tensor.to(memory_format=torch.channels_last)

    def quietly(model: torch.nn.Module, value: torch.Tensor) -> float:
        with torch.inference_mode():
            return seconds(lambda: model(value))

    runs: dict[str, Callable[[], float]] = {
        OURS: lambda: seconds(net.forward),
        "torch.nn": lambda: quietly(by_hand, tensor),
        "torch.nn, channels_last": lambda: quietly(innermost, picture),
    }
    with contextlib.suppress(ImportError):
        import cv2

        if hasattr(cv2.dnn, "readNetFromCaffe"):  # until OpenCV 4
            other = cv2.dnn.readNetFromCaffe(proto, weights)

            def opencv() -> float:
                other.setInput(x)
                return seconds(other.forward)

            runs[f"OpenCV {cv2.__version__} dnn"] = opencv
    what = f"forward pass of {name}, batch {batch}"
    return Row(f"{name} {batch}", what, "s", in_turns(setup.repeat, runs), base="torch.nn", limit=1)


for _name in ("alexnet", "googlenet", "resnet50"):
    for _batch in (1, 16):
        ROWS[f"{_name}_{_batch}"] = partial(forward, name=_name, batch=_batch)


# -- the report -----------------------------------------------------------------------------------


def machine() -> dict[str, Any]:
    import numpy
    import torch

    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration), open("/proc/cpuinfo", encoding="utf-8") as file:
        processor = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


HEADINGS = ("row", "what", "n", "median", "min", "max", "unit", "ours / this", "")


def cells(result: Row) -> list[tuple[str, ...]]:
    """A row's lines: ours, then each other with the median, least and greatest of the pairs' ratios."""
    table = []
    for name, samples in result.samples.items():
        ratio = ""
        if name != OURS:
            ratios = result.ratio(name)
            ratio = f"{median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        numbers = [f"{value:.4g}" for value in (median(samples), min(samples), max(samples))]
        verdict = result.verdict() if name == (result.base or OURS) else ""
        table.append((result.name, name, str(len(samples)), *numbers, result.unit, ratio, verdict))
    return table


def report(results: Sequence[Row], facts: dict[str, Any]) -> str:
    table = [HEADINGS, *(line for result in results for line in cells(result))]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADINGS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]
    about = [f"{result.name}: {'; '.join([result.what, *result.notes])}" for result in results]
    return "\n".join([*lines, "", *about, ", ".join(f"{name} {value}" for name, value in facts.items())])


def main(argv: Sequence[str] | None = None) -> int:
    from tools.bench import build_times, data_rates  # noqa: F401  # they add their rows
    from tools.bench.handwritten import VARIANTS

    default = Setup()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "rows", nargs="*", metavar="ROW", help=f"which rows: {', '.join(ROWS)} (default: all)"
    )
    parser.add_argument(
        "--against", nargs="+", choices=VARIANTS, default=default.against, help="hand-written variants"
    )
    parser.add_argument("--json", metavar="FILE", help="write all samples and the machine's facts there")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    for name, what in {
        "depth": "of the net that is trained",
        "batch": "pictures an iteration",
        "build_depth": "of the net that is built",
        "records": "in the data set",
        "jpegs": "in the data set of pictures",
        "repeat": "samples of each",
        "iterations": "in one sample of the step",
        "threads": "torch's threads (default: torch's choice)",
    }.items():
        parser.add_argument(f"--{name}", type=int, default=getattr(default, name), metavar="N", help=what)
    args = vars(parser.parse_args(argv))
    names, json_path, child = (args.pop(key) for key in ("rows", "json", "child"))
    if unknown := [name for name in names if name not in ROWS]:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    setup = Setup(**{**args, "against": tuple(args["against"])})

    import torch

    if setup.threads:
        torch.set_num_threads(setup.threads)
    if child:
        print(peak_memory(setup, child))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(**{**asdict(setup), "folder": folder})
        make_data(setup)
        results = []
        for name in names or ROWS:
            print(f"measuring {name} ...", file=sys.stderr)
            results.append(ROWS[name](setup))
    facts = machine()
    print(report(results, facts))
    if json_path:
        rows = [{**asdict(result), "verdict": result.verdict()} for result in results]
        content = {"machine": facts, "setup": asdict(setup), "rows": rows}
        Path(json_path).write_text(json.dumps(content, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    from tools.bench import run  # the module that the other rows know

    sys.exit(run.main())
