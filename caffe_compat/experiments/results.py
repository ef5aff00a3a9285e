"""What a finished run's log says, kept as result.json beside it, and the report of all results.

A result belongs to a row of the catalogue, a label that says what was changed ('full': nothing), and a seed.
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
import shutil
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from caffe_compat.errors import CaffeError, DataError, UsageError
from caffe_compat.experiments.catalogue import ROWS, Row, run_of
from caffe_compat.experiments.prepare import Changes, batch_size, prepare
from caffe_compat.experiments.tables import clock
from caffe_compat.log.read import read_log
from caffe_compat.log.runs import RunLog, TestRow, TrainRow
from caffe_compat.log.write import cpp_float
from caffe_compat.proto import NetParameter, SolverParameter, text
from caffe_compat.proto.binary import write_atomic

FILE = "result.json"
LOG = "train.log"
ESTIMATE = "estimate.csv"
LOST = 87.33654  # the softmax loss of scores that are NaN


@dataclass
class Result:
    """One finished run. Accuracies are fractions of 1, None where the net has none or had diverged."""

    id: str
    label: str
    seed: int
    net: str
    data: str
    iterations: int
    replicas: int
    final_accuracy: float | None
    best_accuracy: float | None
    best_iteration: int | None
    final_test_loss: float | None
    final_train_loss: float | None
    seconds: float | None
    machine: str
    date: str
    log: str = LOG
    adopted_from: str = ""


def write(folder: Path, result: Result) -> None:
    """Write result.json, all or nothing. Raises SnapshotError."""
    write_atomic(folder / FILE, (json.dumps(asdict(result), indent=1) + "\n").encode())


def read(path: Path) -> Result:
    """Raises DataError for a file that is no result."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Result(**{f.name: content[f.name] for f in fields(Result)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is no result of an experiment ({error}); remove it and run it again"
        ) from None


def read_all(out: Path) -> list[tuple[Path, Result]]:
    """Every result below `out` with its folder, in the order of the catalogue, then by label and seed."""
    found = [(path.parent, read(path)) for path in sorted(out.glob(f"*/*/*/{FILE}"))]
    order = {id: at for at, id in enumerate(ROWS)}
    return sorted(found, key=lambda item: (order.get(item[1].id, len(order)), item[1].label, item[1].seed))


def machine(run: RunLog) -> str:
    """The GPU that a log names, else this machine's processor."""
    if run.gpus:
        return ", ".join(dict.fromkeys(run.gpus.values()))
    try:
        names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        names = []
    return f"{names[0].strip() if names else platform.machine()}, {os.cpu_count()} cores"


def loss(run: RunLog, row: TestRow) -> float | None:
    """The loss among a test's outputs, of several the weighted sum, or the one that test_compute_loss adds."""
    found = [(run.losses[name], value) for name, value in row.outputs.items() if name in run.losses]
    if len(found) > 1:
        return sum(weight * value for weight, value in found)
    return found[0][1] if found else row.loss


def accuracy(run: RunLog, row: TestRow) -> float | None:
    """The accuracy among a test's outputs, that of the best guess if there are several; None where scores were NaN,
    which Caffe counts as right.
    """
    losses = [value for name, value in row.outputs.items() if name in run.losses]
    if any(not math.isfinite(value) or abs(value - LOST) < 0.01 for value in losses):
        return None
    name = accuracy_name(row)
    return row.outputs[name] if name else None


def accuracy_name(row: TestRow) -> str:
    """The output of a test that `accuracy` reads, or ""."""
    named = [name for name in row.outputs if re.search(r"acc|top.?\d", name.lower())]
    return min(named, key=_guesses) if named else ""


def _guesses(name: str) -> int:
    """How many guesses an accuracy allows, by its name: accuracy 1, acc_top5 and accuracy@5 and loss/top-5 5."""
    found = re.search(r"top\D?(\d+)|(\d+)$", name.lower())
    return int(found[1] or found[2]) if found else 1


def from_log(run: RunLog, **known: Any) -> Result:
    """The result that a log tells, with what it cannot tell as `known`: id, label, seed, net, data, replicas ..."""
    tested = [
        (a, row.iteration) for row in run.test if (a := accuracy(run, row)) is not None and math.isfinite(a)
    ]
    best, at = max(tested, key=lambda item: (item[0], -item[1])) if tested else (None, None)
    rows: list[TrainRow | TestRow] = [*run.train, *run.test]
    given: dict[str, Any] = {
        "iterations": max((row.iteration for row in rows), default=0),
        "final_accuracy": accuracy(run, run.test[-1]) if run.test else None,
        "best_accuracy": best,
        "best_iteration": at,
        "final_test_loss": loss(run, run.test[-1]) if run.test else None,
        "final_train_loss": next((row.loss for row in reversed(run.train) if row.loss is not None), None),
        "seconds": max((row.seconds for row in rows if row.seconds is not None), default=None),
        "machine": machine(run),
        "date": time.strftime("%Y-%m-%d"),
    }
    return Result(**{**given, **known})


# -- adopting a log -------------------------------------------------------------------------------

# What does not change what is learned: cadences, places, and what the machine decides.
_FREE = (
    "net", "train_state", "test_state", "test_iter", "test_interval", "test_initialization", "display", "snapshot",
    "snapshot_prefix", "snapshot_after_train", "solver_mode", "device_id", "random_seed", "average_loss", "origin",
)  # fmt: skip


def adopt(
    row: Row, log: Path, out: Path, changes: Changes, note: str = "", seed: int = 0, host: str = ""
) -> Path:
    """Keep a finished log as the result of a row; returns the folder of the result.

    Raises DataError where the log is not finished or its solver or net is not the row's.
    """
    row = run_of(row)
    run = read_log(log)
    if not run.done:
        last = max((r.iteration for r in run.train), default=0)
        raise DataError(f"{log}: the run is not finished (last line of iteration {last}); let it end first")
    solver, net = prepare(row, changes, 1, "data")
    theirs = text.parse(run.solver, SolverParameter, str(log))
    _require_alike(row, log, run, solver, net, theirs)
    seed = seed or max(1, theirs.random_seed)
    folder = out / row.id / changes.label(row.replicas) / f"seed-{seed}"
    if (folder / FILE).exists():
        raise UsageError(f"{folder} holds a result of {row.id} already; give --seed, or remove it first")
    known: dict[str, str] = {"machine": host} if host else {}
    result = from_log(
        run,
        id=row.id,
        label=changes.label(row.replicas),
        seed=seed,
        net=row.net,
        data=data_text(row, note),
        replicas=changes.replicas or row.replicas,
        adopted_from=log.name,
        **known,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, folder / LOG)
    except OSError as error:
        raise CaffeError(f"{folder}: cannot copy {log} there: {error.strerror}") from None
    write(folder, result)
    return folder


def _require_alike(
    row: Row, log: Path, run: RunLog, solver: SolverParameter, net: NetParameter, theirs: SolverParameter
) -> None:
    def fields_of(message: Message) -> dict[str, str]:
        """Printed fields by name. Momentum 0 may be written or not, and so may SGD."""
        given = {f.name: _shown(value) for f, value in message.ListFields() if f.name not in _FREE}
        return {"type": "SGD", "momentum": "0", **given}

    mine, other = fields_of(solver), fields_of(theirs)
    for name in {**mine, **other}:
        a, b = mine.get(name, "unset"), other.get(name, "unset")
        if a != b:
            raise DataError(f"{log}: {name} is {b} there and {a} in {row.id}; it is a log of another run")
    echo = next((n.text for n in run.nets if n.role == "train"), "")
    wanted = {
        "name": f'"{net.name}"',
        "batch_size": str(batch_size(net)),
        "moving_average_fraction": f"{row.fraction:g}",
    }
    for name, value in wanted.items():
        found = re.search(rf"^\s*{name}: (.*)$", echo, re.MULTILINE)
        if found and found[1] != value:
            raise DataError(
                f"{log}: {name} is {found[1]} there and {value} in {row.id}; it is a log of another run"
            )


def _shown(value: str | float | Message | Iterable[str | float | Message]) -> str:
    """A solver field's value as Caffe prints it."""
    if isinstance(value, str | bool | int):
        return str(value)
    if isinstance(value, Message):
        return " ".join(text.to_text(value).split())
    return cpp_float(value) if isinstance(value, float) else ", ".join(map(_shown, value))


def data_text(row: Row, note: str = "") -> str:
    """The data of a row, for the report: `cifar10, first 40000 (JPEG copy)`."""
    part = f", first {row.train}" if row.train else ""
    return f"{row.data}{part}{f' ({note})' if note else ''}"


# -- the report -----------------------------------------------------------------------------------


@dataclass
class Line:
    """The results of one row with one label, over all seeds. Accuracies are in %."""

    id: str
    label: str
    net: str
    data: str
    machine: str
    replicas: int
    iterations: int
    seeds: int
    seconds: float | None
    final: float | None
    deviation: float | None
    best: float | None
    published: float | None

    @property
    def difference(self) -> float | None:
        """To the published figure, where the run is the published one and nothing was changed."""
        if self.final is None or self.published is None or self.label != "full":
            return None
        return self.final - self.published


def lines(results: Iterable[Result], ids: Sequence[str] = ()) -> list[Line]:
    """One line for each row, label, data and machine; `ids` are those to show, under their own names (all if none)."""
    found = list(results)
    wanted = ids or list(dict.fromkeys(result.id for result in found))
    made = []
    for id in wanted:
        row = ROWS.get(id)
        source = run_of(row).id if row else id
        for key in dict.fromkeys((r.label, r.data, r.machine) for r in found if r.id == source):
            same = [r for r in found if r.id == source and (r.label, r.data, r.machine) == key]
            made.append(_line(id, row, same))
    return made


def _line(id: str, row: Row | None, same: Sequence[Result]) -> Line:
    finals = [100 * r.final_accuracy for r in same if r.final_accuracy is not None]
    bests = [100 * r.best_accuracy for r in same if r.best_accuracy is not None]
    seconds = [r.seconds for r in same if r.seconds is not None]
    first = same[0]
    return Line(
        id=id,
        label=first.label,
        net=first.net,
        data=first.data,
        machine=first.machine,
        replicas=first.replicas,
        iterations=first.iterations,
        seeds=len(same),
        seconds=statistics.fmean(seconds) if seconds else None,
        final=statistics.fmean(finals) if finals else None,
        deviation=statistics.stdev(finals) if len(finals) > 1 else None,
        best=statistics.fmean(bests) if bests else None,
        published=row.target if row else None,
    )


COLUMNS = (
    "row", "settings", "machine", "wall time", "runs", "final test accuracy", "best", "published", "difference", "data",
)  # fmt: skip


def cells(line: Line) -> list[str]:
    """A line of the report as text, one cell a column."""

    def percent(value: float | None, form: str = ".2f") -> str:
        return "" if value is None else f"{value:{form}}"

    settings = f"{line.iterations:,} x {line.replicas} replica{'s' * (line.replicas > 1)}"
    if line.label != "full":
        settings += f", scaled: {line.label}"
    final = percent(line.final)
    if line.deviation is not None:
        final += f" ± {line.deviation:.2f}"
    return [
        line.id, settings, line.machine, clock(line.seconds), str(line.seeds), final, percent(line.best),
        percent(line.published), percent(line.difference, "+.2f"), line.data,
    ]  # fmt: skip
