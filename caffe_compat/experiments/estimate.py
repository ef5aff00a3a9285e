"""The learning rate that three successive weight vectors imply: equation 8 of arXiv:1708.07120.

    estimate(i) = lr(i) * sum |w(i+k) - w(i)| / sum |2 w(i+k) - w(i) - w(i+2k)|

over all blobs of all layers together, BatchNorm's stored statistics among them, as in the authors' scripts;
smoothed as m = 0.9 m + 0.1 estimate from m = 0.1.
"""

from __future__ import annotations

import csv
import itertools
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from caffe_compat.errors import CaffeError, DataError, SolverError
from caffe_compat.proto import SolverParameter
from caffe_compat.proto.binary import read_caffemodel
from caffe_compat.solver.schedule import Schedule

if TYPE_CHECKING:
    from torch import Tensor

FIRST = 0.1  # where the smoothed estimate begins
NEW = 0.1  # the share of the newest estimate in it


class Row(NamedTuple):
    """The estimate at one iteration; `top` and `bottom` are the two sums."""

    iteration: int
    lr: float
    top: float
    bottom: float
    estimate: float
    smoothed: float


class Estimator:
    """Takes weights every k iterations and gives a row for each three of them.

    rows   estimates made before, which a resumed run goes on from
    """

    def __init__(self, every: int, rows: Sequence[Row] = ()):
        self.every = every
        self.smoothed = rows[-1].smoothed if rows else FIRST
        self._kept: list[tuple[int, float, Tensor | np.ndarray]] = []

    def add(self, iteration: int, lr: float, weights: Tensor | np.ndarray) -> Row | None:
        """Take the weights after `iteration` updates, whose next update is at rate `lr`.

        weights: all blobs in one float64 vector, numpy's or torch's. Returns the row of iteration - 2k, or None
        while there are not three vectors k apart.
        """
        if self._kept and self._kept[-1][0] != iteration - self.every:
            self._kept.clear()
        self._kept.append((iteration, lr, weights))
        if len(self._kept) < 3:
            return None
        (first, rate, a), (_, _, b), (_, _, c) = self._kept
        del self._kept[0]
        top, bottom = float(abs(b - a).sum()), float(abs(2 * b - a - c).sum())
        estimate = rate * top / bottom if bottom > 0 else math.nan
        if math.isfinite(estimate):  # weights on a straight line, or NaN, say nothing
            self.smoothed = (1 - NEW) * self.smoothed + NEW * estimate
        return Row(first, rate, top, bottom, estimate, self.smoothed)


def rates(solver: SolverParameter) -> Callable[[int], float]:
    """The learning rate at any iteration of a solver."""
    if solver.max_iter <= 0:
        raise SolverError(f"{solver.origin}: max_iter is {solver.max_iter}; set it above 0")
    lr = Schedule(solver).table(solver.max_iter + 1).lr
    return lambda iteration: float(lr[min(iteration, len(lr) - 1)])


def from_snapshots(prefix: str, solver: SolverParameter, every: int = 0) -> Iterator[Row]:
    """The estimates of caffemodels PREFIX_iter_N.caffemodel, `every` iterations apart (0: as near as they are).

    Raises DataError where there are not three such files.
    """
    files = snapshots(prefix)
    iterations = sorted(files)
    step = every or min((b - a for a, b in itertools.pairwise(iterations)), default=1)
    offset = 0 if every or not iterations else iterations[0] % step
    wanted = [i for i in iterations if i % step == offset]
    if not any(i + step in files and i + 2 * step in files for i in wanted):
        apart = f" {every} iterations apart" if every else " evenly apart"
        raise DataError(
            f"{prefix}_iter_*.caffemodel: {len(files)} files, and no three of them{apart}; train with "
            f"--set snapshot={every or 10}"
        )
    rate = rates(solver)
    estimator = Estimator(step)
    for iteration in wanted:
        row = estimator.add(iteration, rate(iteration), _weights(files[iteration]))
        if row:
            yield row


def snapshots(prefix: str) -> dict[int, Path]:
    """The caffemodels of a snapshot prefix by iteration."""
    folder, stem = os.path.split(prefix)
    form = re.compile(rf"{re.escape(stem)}_iter_(\d+)\.caffemodel")
    folder = folder or "."
    if not os.path.isdir(folder):
        raise DataError(f"{folder} is no folder; give the snapshot_prefix of the run")
    return {int(m[1]): Path(folder, name) for name in os.listdir(folder) if (m := form.fullmatch(name))}


def _weights(path: Path) -> np.ndarray:
    _, layers = read_caffemodel(path)
    return np.concatenate([np.ravel(blob).astype(np.float64) for _, _, blobs in layers for blob in blobs])


# -- the table ------------------------------------------------------------------------------------


class Table:
    """A csv file that grows row by row, so that a killed run keeps what it had."""

    def __init__(self, path: str | os.PathLike[str], kept: Iterable[Row] = ()):
        self.path = os.fspath(path)
        self._append([Row._fields, *kept], "w")

    def add(self, row: Row) -> None:
        """Raises CaffeError where it cannot be written."""
        self._append([row], "a")

    def _append(self, rows: Iterable[Sequence[object]], mode: str) -> None:
        try:
            with open(self.path, mode, newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)
        except OSError as error:
            raise CaffeError(
                f"{self.path}: cannot be written: {error.strerror}; make room or choose another file"
            ) from None


def read_table(path: str | os.PathLike[str]) -> list[Row]:
    """The rows of a table; a last line that was cut is left out. Raises DataError."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            head, *lines = csv.reader(file)
    except (OSError, ValueError) as error:
        raise DataError(f"{os.fspath(path)}: cannot be read as a table of estimates: {error}") from None
    if tuple(head) != Row._fields:
        raise DataError(
            f"{os.fspath(path)}: its columns are {', '.join(head)} and not {', '.join(Row._fields)}"
        )
    return [Row(int(line[0]), *map(float, line[1:])) for line in lines if len(line) == len(Row._fields)]
