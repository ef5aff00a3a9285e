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
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # this file is a script; tools is not installed

OURS = "caffe_compat"
MEMORY_STEPS = 3  # iterations until a training run has had all its buffers


@dataclass(frozen=True)
class Setup:
    """What to measure: the net, how often, against what, where, and the folder the data set is made in."""

    net: str = "resnet56"
    batch: int = 125
    build_depth: int = 110
    records: int = 10_000
    jpegs: int = 5_000
    repeat: int = 7
    iterations: int = 1
    threads: int = 0
    against: tuple[str, ...] = ("eager", "channels_last")
    device: str = "cpu"
    compile: str = "auto"
    precision: str = "fp32"
    caffe: str = ""
    folder: str = ""

    def options(self) -> list[str]:
        """The command line that makes this again in another process."""
        words = []
        for key, value in asdict(self).items():
            if key == "against":
                words += ["--against", *value]
            elif value != "":
                words.append(f"--{key}={value}")
        return words


@dataclass
class Row:
    """The samples of one comparison.

    `limit` bounds the ratio to the series `base`, or our value itself where there is no base. `ours` is the
    series that the others are compared with.
    """

    name: str
    what: str
    unit: str
    samples: dict[str, list[float]]
    base: str = ""
    limit: float | None = None
    more_is_better: bool = False
    notes: list[str] = field(default_factory=list)
    ours: str = OURS

    def ratio(self, to: str) -> list[float]:
        """Ours by the other, for each pair of samples taken side by side."""
        return [ours / other for ours, other in zip(self.samples[self.ours], self.samples[to], strict=True)]

    def verdict(self) -> str:
        if self.limit is None:
            return ""
        value = median(self.ratio(self.base) if self.base else self.samples[self.ours])
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


def peak_of_process(pid: int | str) -> int:
    """Bytes that a running process has had at most, as Linux tells.

    Raises:
        OSError: no such process, or not on Linux. StopIteration: it has just ended.
    """
    # ru_maxrss of the starting process is handed down to the started one; VmHWM is the process's own.
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("VmHWM:")).split()[1]) * 1024


def peak_of_this_process() -> int:
    """Bytes that this process has had at most."""
    with contextlib.suppress(OSError):
        return peak_of_process("self")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts bytes


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
        if name != result.ours:
            ratios = result.ratio(name)
            ratio = f"{median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        numbers = [f"{value:.4g}" for value in (median(samples), min(samples), max(samples))]
        verdict = result.verdict() if name == (result.base or result.ours) else ""
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
    from tools.bench import build_times, data_rates, forward_passes, training  # noqa: F401  # they add their rows
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
    parser.add_argument(
        "--net", default=default.net, metavar="NAME", help="that is trained: resnet56, densenet40_12 ..."
    )
    parser.add_argument("--device", default=default.device, help="where training runs: cpu or cuda")
    parser.add_argument("--compile", default=default.compile, help="how ours runs, as for caffe-compat train")
    parser.add_argument("--precision", default=default.precision, help="likewise")
    parser.add_argument(
        "--caffe",
        default=shutil.which("caffe") or "",
        metavar="FILE",
        help="a real Caffe's program (default: on PATH)",
    )
    parser.add_argument("--json", metavar="FILE", help="write all samples and the machine's facts there")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    for name, what in {
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
        training.serve(setup, child)
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
