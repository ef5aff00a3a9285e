"""Two arrays compared, and what comes out of it: rows, and a verdict over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

AGREES, DIFFERS, PARTLY = "agrees", "differs", "partly compared"
EXIT_CODES = {AGREES: 0, DIFFERS: 1, PARTLY: 3}

_SHOWN = 5  # departures listed of each check
FLOOR = 1e-3  # arrays whose largest value is below this are compared as if it were this


Curves = dict[str, list[tuple[str, list[float], list[float]]]]  # name -> (label, x, y) of each curve


@dataclass
class Row:
    """One array of Caffe's against ours.

    layer, type     who made it
    what            "value", "gradient", "parameter gradient", "parameter", "update" ...
    name            the blob's, or `layer[index]` of a learned one
    shape           Caffe's
    max_abs         the largest absolute difference; nan where the shapes differ
    relative        max_abs over the largest absolute value of Caffe's
    cosine          of the angle between the two, 1 where they point the same way
    allowed         the largest max_abs that still agrees
    agrees          the verdict
    note            why it was not compared, or where the difference is
    compared        False for a row that only says why there is no number
    """

    layer: str
    type: str
    what: str
    name: str
    shape: tuple[int, ...] = ()
    max_abs: float = 0.0
    relative: float = 0.0
    cosine: float = 1.0
    allowed: float = 0.0
    agrees: bool = True
    note: str = ""
    compared: bool = True


@dataclass
class Check:
    """One thing that a log was checked for. `status` is AGREES, DIFFERS, PARTLY or "" (nothing to compare)."""

    name: str
    status: str
    text: str
    details: list[str] = field(default_factory=list)


def judged(name: str, details: Sequence[str], text: str) -> Check:
    """AGREES without departures, else DIFFERS with the first ones."""
    shown = list(details[:_SHOWN])
    if len(details) > _SHOWN:
        shown.append(f"... and {len(details) - _SHOWN} more")
    return Check(name, DIFFERS if details else AGREES, text, shown)


def with_gaps(check: Check, gaps: Sequence[str]) -> Check:
    """The same check, PARTLY done because of the gaps if it does not differ anyway."""
    if gaps and check.status == AGREES:
        check.status = PARTLY
    check.details += gaps
    return check


@dataclass
class Report:
    """What a validation found.

    source     the bundle or log
    kind       "net", "solver", "data" or "log"
    rows       the table, in the order in which things were computed
    guilty     the layers (or the steps) that depart when they are fed Caffe's own numbers, with the reason
    checks     of a log
    notes      what could not be compared, and why
    kinks      values next to a kink of the net rounded to its other side, which moves gradients
    curves     to draw
    """

    source: str
    kind: str
    tolerance: float
    rows: list[Row] = field(default_factory=list)
    guilty: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kinks: bool = False
    curves: Curves = field(default_factory=dict)

    @property
    def first(self) -> Row | None:
        """The first row that departs."""
        return next((row for row in self.rows if not row.agrees), None)

    @property
    def verdict(self) -> str:
        """DIFFERS if anything does, else PARTLY if something that should have been compared could not be."""
        statuses = {check.status for check in self.checks}
        if self.first or DIFFERS in statuses:
            return DIFFERS
        compared = any(row.compared for row in self.rows) or bool(statuses - {""})
        return PARTLY if self.missing or PARTLY in statuses or not compared else AGREES

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]

    def as_dict(self) -> dict[str, Any]:
        """Everything, JSON-able; numbers that JSON lacks (nan, inf) become None."""
        first = self.first
        return {
            "source": self.source,
            "kind": self.kind,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "tolerance": self.tolerance,
            "first_departure": _plain(asdict(first)) if first else None,
            "guilty": self.guilty,
            "missing": self.missing,
            "notes": self.notes,
            "checks": [asdict(check) for check in self.checks],
            "rows": [_plain(asdict(row)) for row in self.rows],
        }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def compare(
    row: Row,
    ours: Tensor | ArrayLike,
    theirs: Tensor | ArrayLike,
    tolerance: float,
    floor: float = FLOOR,
    noise: float = 0.0,
) -> Row:
    """Fill `row` with the differences of two arrays (numpy or tensors).

    They agree if their shapes do, not-a-numbers and infinities stand at the same places, and no difference is
    above tolerance * max(floor, largest absolute value of `theirs`) + noise.
    """
    a, b = _tensor(ours), _tensor(theirs)
    row.shape = tuple(b.shape)
    if a.shape != b.shape:
        row.max_abs = row.relative = row.cosine = math.nan
        row.agrees, row.note = False, f"our shape is {tuple(a.shape)}, Caffe's {tuple(b.shape)}"
        return row
    if not b.numel():
        return row
    scale, difference = _largest(b), _largest(a - b)
    if not math.isfinite(scale) or not math.isfinite(difference):
        finite = torch.isfinite(b)
        if not torch.equal(torch.isfinite(a), finite) or not _same(a[~finite], b[~finite]):
            row.max_abs = row.relative = row.cosine = math.nan
            row.agrees, row.note = False, "nan and inf stand at other places"
            return row
        a, b = a[finite], b[finite]
        scale, difference = _largest(b), _largest(a - b)
    row.max_abs = difference
    row.relative = difference / scale if scale else (0.0 if difference == 0 else math.inf)
    row.cosine = _cosine(a, b, scale + difference)
    row.allowed = tolerance * max(floor, scale) + noise
    row.agrees = difference <= row.allowed
    return row


def _tensor(array: Tensor | ArrayLike) -> Tensor:
    if isinstance(array, Tensor):
        return array.detach().to("cpu")
    array = np.asarray(array)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    return torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))


def _same(a: Tensor, b: Tensor) -> bool:
    return torch.equal(torch.nan_to_num(a, 0.5), torch.nan_to_num(b.to(a.dtype), 0.5))


def _largest(values: Tensor) -> float:
    """The largest absolute value, in one pass over them; nan if any is."""
    if not values.numel():
        return 0.0
    low, high = torch.aminmax(values)
    return max(abs(float(low)), abs(float(high)))


def _cosine(a: Tensor, b: Tensor, largest: float) -> float:
    """Of the angle between two tensors without values above `largest` in size."""
    if not largest:
        return 1.0
    a, b = a.reshape(-1).to(b.dtype), b.reshape(-1)
    if not 1e-9 < largest < 1e9:  # the squares of very small or large values are no float32
        a, b = a / largest, b / largest
    lengths = float(torch.linalg.vector_norm(a)) * float(torch.linalg.vector_norm(b))
    return max(-1.0, min(1.0, float(torch.dot(a, b)) / lengths)) if lengths else 0.0


def worst(rows: Sequence[Row]) -> Row:
    """The row that is furthest beyond what is allowed, or nearest to it."""

    def excess(row: Row) -> float:
        if math.isnan(row.max_abs):
            return math.inf
        return row.max_abs / row.allowed if row.allowed else (math.inf if row.max_abs else 0.0)

    return max(rows, key=excess)
