"""A Caffe log checked line by line: the nets it built, its rates, when it displayed and tested, its first losses.

What the log echoes (solver and nets) is parsed and built here, with our own log kept, so that both sides are
read by the same reader (log.read).
"""

from __future__ import annotations

import os
from collections.abc import Collection

from caffe_compat.log.read import read_log, read_runs
from caffe_compat.log.runs import RunLog
from caffe_compat.parity.bundle import parse_fork, quiet, read_fork
from caffe_compat.parity.compare import PARTLY, Check, Report, judged
from caffe_compat.parity.curves import curve_checks, curves_of
from caffe_compat.parity.first_losses import LOSS_TOLERANCE, FirstLosses
from caffe_compat.parity.structure import check_structure
from caffe_compat.parity.timetable import check_displays, check_rates, check_tests
from caffe_compat.proto import NetParameter, SolverParameter, upgrade

# Solver fields that may differ between two runs of the same training.
_HARMLESS = (
    "net", "train_net", "test_net", "snapshot_prefix", "snapshot", "snapshot_format", "solver_mode", "device_id",
    "random_seed", "train_state", "test_state", "debug_info", "origin", "layer_wise_reduce", "weights",
)  # fmt: skip


def validate_log(
    path: str,
    solver: str | None = None,
    net: str | None = None,
    run: str | None = None,
    weights: str | None = None,
    root: str = "",
) -> Report:
    """Check what the log of a real Caffe says against what this package makes of the same files.

    Args:
        path: the log, of any Caffe.
        solver, net: files to use instead of what the log echoes.
        run: the log of our run, whose curves are compared with Caffe's.
        weights: the caffemodel that Caffe's run started from.
        root: the folder that paths in solver and net start from, to find the data.

    Raises:
        DataError: the log cannot be read or holds no line of Caffe.
        ParseError: a given file cannot be read.
    """
    report = Report(path, "log", LOSS_TOLERANCE)
    runs = read_runs(path)
    log = runs[-1]
    if len(runs) > 1:
        report.notes.append(f"{path}: holds {len(runs)} runs; the last, from line {log.line} on, is compared")
    param = echo = _echoed_solver(log, report.notes)
    if solver is not None:
        param = read_fork(solver, SolverParameter, report.notes)
        upgrade.upgrade_solver(param, solver, quiet())
        if net is None and (named := param.net or param.train_net):
            net = os.path.join(root, named)
        if echo is not None:
            report.checks.append(_same_solver(echo, param))
    whole = _check_nets(report, log, param, net)
    if param is None:
        text = "the log echoes no solver; give it with --solver FILE"
        report.checks.append(Check("schedule", PARTLY, text))
    else:
        report.checks.append(check_rates(param, log, report.curves))
        report.checks.append(check_displays(param, log))
        report.checks.append(check_tests(param, log))
        report.checks += FirstLosses(log, param, whole, weights, root).checks()
    if run is not None:
        ours = read_log(run)
        report.checks += curve_checks(log, ours)
        report.curves = curves_of(log, ours)
    return report


def _echoed_solver(log: RunLog, notes: list[str]) -> SolverParameter | None:
    if not log.solver:
        return None
    source = f"{log.source} (solver)"
    param = parse_fork(log.solver, SolverParameter, source, notes)
    upgrade.upgrade_solver(param, source, quiet())
    return param


def _same_solver(echo: SolverParameter, given: SolverParameter) -> Check:
    a, b = ({f.name: v for f, v in param.ListFields()} for param in (echo, given))
    names = sorted((a.keys() | b.keys()) - set(_HARMLESS))
    details = [
        f"{name}: the log has {_short(getattr(echo, name))}, the file {_short(getattr(given, name))}"
        for name in names
        if getattr(echo, name) != getattr(given, name)
    ]
    return judged("solver", details, f"{len(names)} fields of the echoed solver and the file")


def _short(value: object) -> str:
    text = str(list(value) if isinstance(value, Collection) and not isinstance(value, str) else value)
    return " ".join(text.split())


def _check_nets(
    report: Report, log: RunLog, solver: SolverParameter | None, net_file: str | None
) -> dict[int, NetParameter]:
    """Compare the nets that the log builds; returns whole messages by their position in log.nets."""
    whole = {}
    for index, net in enumerate(log.nets):
        check, param = check_structure(net, log, solver, net_file, report.notes)
        report.checks.append(check)
        if param is not None:
            whole[index] = param
    if not log.nets:
        report.checks.append(Check("structure", PARTLY, "the log builds no net"))
    return whole
