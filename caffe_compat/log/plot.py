"""Curves of training logs and of schedules; the only module that uses matplotlib.

Runs differ in line style and marker as well as in lightness, so that a print in grey can be read.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from caffe_compat.errors import CaffeError, MissingExtra, UsageError, some
from caffe_compat.log.runs import RunLog, TestRow, TrainRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANELS = ("accuracy", "loss", "learning rate", "momentum")
_FORMATS = (".png", ".svg", ".pdf")
# From dark to light; yellow is too light on paper and stops short.
_COLOURS = ("#1b1b6f", "#b3123a", "#1f8a4c", "#d17b0f", "#7a4fbf", "#3aa6c9", "#777777", "#c06c9b")
_STYLES = ("-", "--", "-.", ":")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def plot_curves(
    runs: Sequence[RunLog],
    out: str | os.PathLike[str],
    labels: Sequence[str] | None = None,
    title: str = "",
) -> None:
    """Accuracy, loss, learning rate and logged momentum against the iteration, all runs overlaid, into `out`.

    Lines with markers are of the test nets, thin lines without of training. Panels nobody has figures
    for are left out. `labels` name the runs (their files' names unless given); the suffix of `out`
    decides the format: .png, .svg or .pdf.

    Raises UsageError for another suffix, logs without a row or not as many labels as runs, MissingExtra
    without matplotlib and CaffeError where `out` cannot be written.
    """
    labels = list(labels or _labels(runs))
    if len(labels) != len(runs):
        raise UsageError(f"{len(labels)} labels for {len(runs)} runs; give one label a run")
    panels = [name for name in _PANELS if any(_curves(run, name) for run in runs)]
    if not panels:
        raise UsageError(f"nothing to plot: no iteration in {some(run.source for run in runs)}")
    figure = _figure(out, 2.6 * len(panels) + 0.4)
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axis, name in zip(axes, panels, strict=True):
        values: list[float] = []
        for index, (run, label) in enumerate(zip(runs, labels, strict=True)):
            for what, iterations, ys in _curves(run, name):
                text = f"{label}, {what}" if what else label
                axis.plot(iterations, ys, label=text, **_look(index, what, ys))
                values += ys
        axis.set_ylabel(name)
        axis.grid(True, color="0.9")
        if name == "loss":
            _log_if_wide(axis, values)
    axes[0].legend(fontsize="small", framealpha=0.8)
    axes[-1].set_xlabel("iteration")
    axes[0].set_title(title)
    _save(figure, out)


def plot_schedule(out: str | os.PathLike[str], table: Any, title: str = "") -> None:
    """Learning rate, momentum and weight decay against the iteration, one below the other, into `out`.

    `table` has the columns `iteration`, `lr`, `momentum` and `weight_decay` as attributes. Raises what
    `plot_curves` does.
    """
    panels = {"learning rate": table.lr, "momentum": table.momentum, "weight decay": table.weight_decay}
    figure = _figure(out, 2 * len(panels) + 0.4)
    axes = figure.subplots(len(panels), 1, sharex=True)
    for axis, (name, values) in zip(axes, panels.items(), strict=True):
        axis.plot(table.iteration, values, color=_COLOURS[0])
        axis.set_ylabel(name)
        axis.grid(True, color="0.9")
    axes[-1].set_xlabel("iteration")
    axes[0].set_title(title)
    _save(figure, out)


class Line(NamedTuple):
    """A curve for `plot_lines`: `look` numbers line style, marker and colour; a faint one is drawn thin, bare."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    look: int = 0
    faint: bool = False


def plot_lines(
    out: str | os.PathLike[str],
    panels: Mapping[str, Sequence[Line]],
    xlabel: str,
    title: str = "",
    marks: Mapping[str, float] | None = None,
    log_x: bool = False,
) -> None:
    """Panels of curves against one quantity, one below the other, into `out`.

    `panels` are by the label of their y axis; `marks` are values of x to draw a line at, by what they are; `log_x`
    is for a quantity that is multiplied from point to point.
    Raises what `plot_curves` does.
    """
    figure = _figure(out, 2.6 * len(panels) + 0.4 if len(panels) > 1 else 4.5)
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (name, lines) in zip(axes, panels.items(), strict=True):
        for line in lines:
            look = _look(line.look, "train" if line.faint else "test", line.y)
            axis.plot(line.x, line.y, label=line.label or "_nolegend_", **look)
        if name.endswith("loss"):
            _log_if_wide(axis, [value for line in lines for value in line.y])
        for index, (what, x) in enumerate((marks or {}).items()):
            axis.axvline(
                x, color="0.35", linestyle=_STYLES[(index + 1) % len(_STYLES)], linewidth=0.9, label=what
            )
        axis.set_ylabel(name)
        axis.grid(True, color="0.9")
    axes[0].legend(fontsize="small", framealpha=0.8)
    axes[-1].set_xlabel(xlabel)
    if log_x:
        axes[-1].set_xscale("log")
    axes[0].set_title(title)
    _save(figure, out)


def plot_points(
    out: str | os.PathLike[str],
    names: Sequence[str],
    points: Mapping[str, Sequence[tuple[float, float] | None]],
    xlabel: str,
    title: str = "",
) -> None:
    """One row a name, from the top: each series' (value, deviation) on it, None where it has none.

    Raises what `plot_curves` does.
    """
    figure = _figure(out, 0.32 * len(names) + 1.4)
    axis = figure.subplots()
    for index, (label, values) in enumerate(points.items()):
        known = [(value[0], at, value[1]) for at, value in enumerate(values) if value is not None]
        if known:
            x, y, spread = zip(*known, strict=True)
            face = _COLOURS[0] if index == 0 else "none"
            axis.errorbar(
                x,
                y,
                xerr=spread,
                fmt=_MARKERS[index],
                color=_COLOURS[index],
                markerfacecolor=face,
                label=label,
            )
    axis.set_yticks(range(len(names)), names, fontsize="small")
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlabel(xlabel)
    axis.grid(True, color="0.9")
    axis.legend(fontsize="small", framealpha=0.8)
    axis.set_title(title)
    _save(figure, out)


def _labels(runs: Sequence[RunLog]) -> list[str]:
    """The files' names, with the line a run starts at where a file holds several."""
    names = [Path(run.source).name for run in runs]
    return [f"{n}:{run.line}" if names.count(n) > 1 else n for n, run in zip(names, runs, strict=True)]


def _curves(run: RunLog, panel: str) -> list[tuple[str, list[int], list[float]]]:
    """(what, iterations, values) of each curve that a run has for a panel."""
    if panel == "learning rate":
        return _curve("", [(row.iteration, row.lr) for row in run.train])
    if panel == "momentum":
        return _curve("", [(row.iteration, row.momentum) for row in run.train])
    if panel == "loss":
        curves = _curve("train", [(row.iteration, row.loss) for row in run.train])
        names = sorted(name for name in run.losses if any(name in row.outputs for row in run.test))
        return curves + _output_curves(run.test, "test", names)
    names = [name for row in run.test[:1] + run.train[:1] for name in row.outputs if name not in run.losses]
    names = list(dict.fromkeys(name for name in names if "loss" not in name.lower()))
    names = [name for name in names if "acc" in name.lower()] or names
    return _output_curves(run.train, "train", names) + _output_curves(run.test, "test", names)


def _output_curves(
    rows: Sequence[TrainRow] | Sequence[TestRow], phase: str, names: Sequence[str]
) -> list[tuple[str, list[int], list[float]]]:
    curves = []
    nets = sorted({getattr(row, "net", 0) for row in rows})
    for name in names:
        for net in nets:
            points = [(r.iteration, r.outputs.get(name)) for r in rows if getattr(r, "net", 0) == net]
            what = f"{phase} #{net}" if len(nets) > 1 else phase
            curves += _curve(f"{what} {name}" if len(names) > 1 else what, points)
    return curves


def _curve(what: str, points: Sequence[tuple[int, float | None]]) -> list[tuple[str, list[int], list[float]]]:
    known = [(x, y) for x, y in points if y is not None]
    return [(what, [x for x, _ in known], [y for _, y in known])] if known else []


def _log_if_wide(axis: Axes, values: Sequence[float]) -> None:
    """Losses that differ by more than a factor of 20 are read from a logarithmic axis."""
    finite = [value for value in values if 0 < value < float("inf")]
    if len(finite) == len(values) and max(finite) > 20 * min(finite):
        axis.set_yscale("log")


def _look(run: int, what: str, values: Sequence[float]) -> dict[str, str | float]:
    """Line style, colour and marker for one curve of run number `run`."""
    look: dict[str, str | float] = {
        "color": _COLOURS[run % len(_COLOURS)],
        "linestyle": _STYLES[run % len(_STYLES)],
        "linewidth": 1.4,
    }
    if what.startswith("train"):
        look |= {"linewidth": 0.7, "alpha": 0.6}
    elif what:
        marker = _MARKERS[run % len(_MARKERS)]
        look |= {"marker": marker, "markersize": 4, "markevery": max(1, len(values) // 12)}
    return look


def require_format(out: str | os.PathLike[str]) -> None:
    """Raise UsageError for a file of another suffix, CaffeError for one in no folder; for commands that take long before they plot."""
    if Path(out).suffix.lower() not in _FORMATS:
        raise UsageError(f"{os.fspath(out)}: a plot's file must end in {', '.join(_FORMATS)}")
    if not Path(out).parent.is_dir():
        raise CaffeError(
            f"{os.fspath(out)}: cannot write the plot: No such file or directory; make the folder '{Path(out).parent}'"
        )


def _figure(out: str | os.PathLike[str], height: float) -> Figure:
    require_format(out)
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("matplotlib", "drawing a plot") from None
    return Figure(figsize=(7.5, height), layout="constrained")


def _save(figure: Figure, out: str | os.PathLike[str]) -> None:
    picture = io.BytesIO()
    figure.savefig(picture, format=Path(out).suffix[1:].lower(), dpi=150)
    try:
        Path(out).write_bytes(picture.getvalue())
    except OSError as error:
        raise CaffeError(f"{os.fspath(out)}: cannot write the plot: {error.strerror}") from None
