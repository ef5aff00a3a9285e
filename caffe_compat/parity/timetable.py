"""A log's rates, and at which iterations it displays and tests, beside what the solver says."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.errors import CaffeError
from caffe_compat.log.runs import RunLog
from caffe_compat.parity.compare import PARTLY, Check, Curves, judged, with_gaps
from caffe_compat.proto import SolverParameter
from caffe_compat.solver.schedule import Schedule

RATE_TOLERANCE = 1e-5  # a log prints six digits


def check_rates(param: SolverParameter, log: RunLog, curves: Curves) -> Check:
    """Learning rate, momentum and weight decay of each row; the rate is drawn into `curves`."""
    name, rows = "rates", log.train
    columns = {
        "lr": [row.lr for row in rows],
        "momentum": [row.momentum for row in rows],
        "weight_decay": [row.weight_decay for row in rows],
    }
    if not any(value is not None for values in columns.values() for value in values):
        return Check(name, PARTLY, "the log shows no learning rate")
    try:
        table = Schedule(param).table(max(row.iteration for row in rows) + 1)
    except CaffeError as error:
        return Check(name, PARTLY, f"the schedule cannot be computed: {error}")
    details, counts = [], []
    iterations = np.array([row.iteration for row in rows])
    for column, logged in columns.items():
        theirs = np.array([math.nan if value is None else value for value in logged])
        ours = getattr(table, column)[iterations].astype(np.float64)
        known = ~np.isnan(theirs)
        wrong = known & ~(np.abs(ours - theirs) <= RATE_TOLERANCE * np.abs(theirs))
        counts += [f"{known.sum()} of {column.replace('_', ' ')}"] if known.any() else []
        details += [
            f"line {rows[k].line}: iteration {rows[k].iteration}: {column.replace('_', ' ')} is {theirs[k]:g} in the "
            f"log, ours {ours[k]:g}"
            for k in np.flatnonzero(wrong)
        ]
    x = [float(i) for i in iterations]
    curves["learning rate"] = [
        ("Caffe", x, [float("nan") if lr is None else lr for lr in columns["lr"]]),
        ("ours", x, table.lr[iterations].astype(float).tolist()),
    ]
    return judged(name, details, f"{param.lr_policy}: {', '.join(counts)} rows")


def check_displays(param: SolverParameter, log: RunLog) -> Check:
    """Which iterations are displayed."""
    display, rows = param.display, log.train
    name, found = "displays", [row.iteration for row in rows]
    if not found or not display:
        odd = ["the solver displays nothing, the log does"] if found else []
        return judged(name, odd, "") if odd else Check(name, "", "nothing is displayed")
    first = found[0]
    details = []
    # Caffe of 2013 began after the first update.
    if not log.resumed_from and first not in (0, display):
        details.append(f"the first is iteration {first}, not 0")
    expected = range(first - first % display, _last(param, log, found[-1]) + 1, display)
    details += _sequence(found, [i for i in expected if i >= first], "displayed")
    return _ending(param, log, judged(name, details, f"{len(found)} iterations, every {display}"), found[-1])


def check_tests(param: SolverParameter, log: RunLog) -> Check:
    """At which iterations each test net is run."""
    rows = log.test
    name, nets = "tests", max(len(param.test_iter), 1)
    if not param.test_interval or not param.test_iter:
        odd = [f"line {row.line}: a test, and the solver has none" for row in rows[:1]]
        return judged(name, odd, "") if odd else Check(name, "", "no tests")
    first = log.train[0].iteration if log.train else 0
    resumed = bool(log.resumed_from)
    displayed = max((row.iteration for row in log.train), default=-1)
    last = _last(param, log, max([displayed, *(row.iteration for row in rows)]))
    begin = -(-first // param.test_interval) * param.test_interval if resumed else 0
    if not resumed and not param.test_initialization:
        begin = param.test_interval
    details: list[str] = []
    for net in range(nets):
        found = [row.iteration for row in rows if row.net == net]
        expected = list(range(begin, last + 1, param.test_interval))
        if not log.done and displayed < last and last not in found:
            expected = [i for i in expected if i < last]  # the log ends before this net's turn
        details += _sequence(found, expected, f"tests of net #{net}")
    return judged(name, details, f"{len(rows)} tests, every {param.test_interval}")


def _last(param: SolverParameter, log: RunLog, reached: int) -> int:
    """The last iteration that the log should speak of."""
    return param.max_iter if log.done and param.max_iter else reached


def _ending(param: SolverParameter, log: RunLog, check: Check, reached: int) -> Check:
    most = param.max_iter
    if log.done or reached >= most:
        return check
    return with_gaps(check, [f"the log ends at iteration {reached} of {most}"])


def _sequence(found: list[int], expected: list[int], what: str) -> list[str]:
    """Where two rising lists of iterations differ."""
    missing, more = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    details = [f"{what}: iteration {i} is missing in the log" for i in missing]
    details += [f"{what}: iteration {i} is not expected" for i in more]
    if not details and found != sorted(found):
        details.append(f"{what}: the iterations do not rise")
    return details
