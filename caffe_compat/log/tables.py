"""The tables that Caffe's tools/extra/parse_log.py makes of a training log, row for row.

A row is of one iteration's outputs. Its rate is the one displayed before it, as there; the first row's, which has none
before it, is that of the second. Of an output of several elements the last one counts. Other than there, a log with
a single row has that row, and NaN is a value.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable

from caffe_compat.errors import DataError
from caffe_compat.log.clock import Clock
from caffe_compat.log.read import whole_lines

Table = tuple[list[str], list[list[float]]]  # header and rows

_FIXED = ["NumIters", "Seconds", "LearningRate"]
_ITERATION = re.compile(r"Iteration (\d+)")
_RATE = re.compile(r"lr = ([-+]?[0-9]*\.?[0-9]+(?:[eE]?[-+]?[0-9]+)?)")
_NUMBER = r"([-+]?(?:[.\d][.\deE+-]*|nan|inf))"
_OUTPUT = {
    phase.lower(): re.compile(rf"{phase} net output #\d+: (\S+) = {_NUMBER}") for phase in ("Train", "Test")
}


def read_tables(path: str | os.PathLike[str]) -> dict[str, Table]:
    """The tables `train` and `test` of a log. Raises DataError for one that cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return tables(file)
    except OSError as error:
        raise DataError(
            f"{os.fspath(path)}: cannot read the log: {error.strerror}; give the log of a training run"
        ) from None


def tables(lines: Iterable[str]) -> dict[str, Table]:
    """The tables `train` and `test` of a log's lines; what the log does not say is nan."""
    kept = whole_lines(lines)
    clock, rate, iteration = Clock(), math.nan, -1
    growing = {phase: _Rows() for phase in _OUTPUT}
    begin = next((i for i, line in enumerate(kept) if "Solving" in line), 0)
    start = clock.microseconds(kept[begin]) if kept else None
    for line in kept[begin:]:
        if found := _ITERATION.search(line):
            iteration = int(found[1])
        if iteration < 0:
            continue
        if found := _RATE.search(line):
            rate = float(found[1])
        for phase, form in _OUTPUT.items():
            if found := form.search(line):
                now = clock.microseconds(line)
                seconds = math.nan if now is None or start is None else (now - start) / 1e6
                growing[phase].add([iteration, seconds, rate], found[1], float(found[2]))
    return {phase: rows.table() for phase, rows in growing.items()}


class _Rows:
    """The rows of one phase, each complete when it has as many columns as the first one."""

    def __init__(self) -> None:
        self._rows: list[dict[str, float]] = []
        self._row: dict[str, float] = {}

    def add(self, fixed: list[float], name: str, value: float) -> None:
        if self._row.get("NumIters") != fixed[0]:
            self._push()
            self._row = dict(zip(_FIXED, fixed, strict=True))
        self._row[name] = value
        if self._rows and len(self._row) == len(self._rows[0]):
            self._push()

    def _push(self) -> None:
        if self._row:
            self._rows.append(self._row)
        self._row = {}

    def table(self) -> Table:
        if not self._rows:
            self._push()
        rows = self._rows
        if len(rows) > 1:
            rows[0]["LearningRate"] = rows[1]["LearningRate"]
        header = list(dict.fromkeys([*_FIXED, *(name for row in rows for name in row)]))
        return header, [[row.get(name, math.nan) for name in header] for row in rows]
