"""Short runs over every combination of some settings, ranked by test accuracy."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from caffe_compat.errors import UsageError
from caffe_compat.experiments.prepare import Changes, change, reader
from caffe_compat.experiments.runner import Job, Outcome
from caffe_compat.experiments.tables import clock, table
from caffe_compat.proto import NetParameter, SolverParameter

Axes = Mapping[str, Sequence[str]]


def jobs(
    solver: SolverParameter,
    net: NetParameter,
    axes: Axes,
    out: Path,
    name: str,
    scale: float,
    replicas: int,
    seeds: int,
    root: str,
    precision: str = "fp32",
    options: Sequence[str] = (),
) -> list[Job]:
    """A job for every combination of the values in `axes` and every seed.

    solver, net  as read from files; they are not changed
    name         of the grid: its runs are in out/name
    scale        of the number of iterations
    precision    of products
    options      more words for the command that trains, the precision's too
    """
    if not axes:
        raise UsageError("nothing to vary; give, say, --weight_decay 1e-3,1e-4 or --vary stepsize=100,200")
    made = []
    for values in itertools.product(*axes.values()):
        setting = dict(zip(axes, values, strict=True))
        changes = Changes(scale, replicas, setting, precision)
        for seed in range(1, seeds + 1):
            one_solver, one_net = type(solver)(), type(net)()
            one_solver.CopyFrom(solver)
            one_net.CopyFrom(net)
            change(one_solver, one_net, changes, seed)
            label = changes.label(1)
            source = next((param.source for layer in net.layer if (param := reader(layer))), "")
            known = {
                "id": name,
                "label": label,
                "seed": seed,
                "net": net.name,
                "data": source,
                "replicas": replicas,
            }
            folder = out / name / label / f"seed-{seed}"
            made.append(
                Job(folder, one_solver, one_net, known, replicas, root=os.path.abspath(root), options=options)
            )
    return made


def ranked(outcomes: Sequence[Outcome], axes: Axes) -> str:
    """The combinations as a table, best final accuracy (mean over the seeds) first; what failed comes last."""
    by_setting: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in outcomes:
        label = outcome.job.known["label"]
        by_setting.setdefault(_values(label, axes), []).append(outcome)
    ordered = sorted(by_setting.items(), key=lambda item: -_score(item[1]))
    rows = []
    for place, (values, same) in enumerate(ordered, 1):
        done = [o.result for o in same if o.result]
        finals = [r.final_accuracy for r in done if r.final_accuracy is not None]
        bests = [r.best_accuracy for r in done if r.best_accuracy is not None]
        losses = [r.final_test_loss for r in done if r.final_test_loss is not None]
        seconds = [r.seconds for r in done if r.seconds is not None]
        problem = next((o.problem for o in same if o.problem), "")
        rows.append(
            [
                str(place),
                *values,
                f"{100 * sum(finals) / len(finals):.2f}" if finals else "",
                f"{100 * sum(bests) / len(bests):.2f}" if bests else "",
                f"{sum(losses) / len(losses):.4g}" if losses else "",
                str(len(done)),
                clock(sum(seconds) / len(seconds)) if seconds else "",
                problem,
            ]
        )
    return table(["", *axes, "accuracy %", "best %", "test loss", "runs", "time", ""], rows)


def _values(label: str, axes: Axes) -> tuple[str, ...]:
    """The combination that a label was made from."""
    for values in itertools.product(*axes.values()):
        words = [f"{name}={value}" for name, value in sorted(zip(axes, values, strict=True))]
        if label.replace("/", "_").endswith("-".join(words).replace("/", "_")):
            return values
    raise ValueError(label)


def _score(outcomes: Sequence[Outcome]) -> float:
    finals = [o.result.final_accuracy for o in outcomes if o.result and o.result.final_accuracy is not None]
    return sum(finals) / len(finals) if finals else -1.0
