"""The paper's figures, from our logs, from the authors' published ones, or both overlaid."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from caffe_compat.errors import DataError, UsageError, some
from caffe_compat.experiments import catalogue, estimate, results
from caffe_compat.experiments.catalogue import ROWS, Figure, run_of
from caffe_compat.experiments.curves import curve, smooth
from caffe_compat.log.plot import Line, plot_lines
from caffe_compat.log.read import read_log
from caffe_compat.log.runs import RunLog

ESTIMATED = "estimated learning rate"
_MANY = 100  # points of a range test: so many scatter too much to be told apart, and are drawn smoothed too
_WINDOW = 0.03


def draw(
    name: str,
    target: str | os.PathLike[str],
    out: Path | None = None,
    published: Path | None = None,
    logs: Mapping[str, Path] | None = None,
) -> list[str]:
    """Draw a figure of the catalogue into `target` (.png, .svg or .pdf); returns a line on each curve's source.

    out        folder of our results: of a row, the run of the first seed with the fewest changes is drawn
    published  folder of the authors' logs
    logs       logs (or tables of estimates) of rows, by id, instead of those in `out`

    Raises UsageError for an unknown figure or id, DataError where there is nothing to draw.
    """
    figure = catalogue.figure(name)
    for id in logs or ():
        if id not in figure.ids:
            raise UsageError(f"{name} has no row '{id}'; its rows are {some(figure.ids, id)}")
    sources: list[tuple[int, str, str, Path, bool]] = []  # look, label, id, file, published
    for look, id in enumerate(figure.ids):
        label = figure.labels.get(id) or ROWS[id].about.split(". ")[0] or id
        if logs and id in logs:
            sources.append((look, label, id, logs[id], False))
        elif out and (found := _ours(figure, id, out)):
            sources.append((look, label + found[1], id, found[0], False))
        log = published / run_of(ROWS[id]).published if published and run_of(ROWS[id]).published else None
        if log and log.is_file():
            sources.append((look, f"{label} (published)", id, log, True))
    if not sources:
        raise DataError(
            f"{name}: no log of {some(figure.ids)} at hand; run them with: caffe-compat experiment run {name}, or "
            f"give --published DIR or --logs ID=FILE"
        )
    both = {s[4] for s in sources} == {True, False}
    runs = {path: read_log(path) for _, _, _, path, _ in sources if figure.panels != (ESTIMATED,)}
    panels: dict[str, list[Line]] = {}
    for panel in figure.panels:
        for look, label, _, path, old in sources:
            line = _line(figure, panel, path, runs, label, look, faint=both and old)
            if not len(line.x):
                continue
            if figure.x == catalogue.RATE and len(line.x) > _MANY and not both:
                panels.setdefault(panel, []).append(line._replace(label="", faint=True))
                line = line._replace(y=smooth(np.array(line.y), _WINDOW).tolist())
            panels.setdefault(panel, []).append(line)
    if not panels:
        raise DataError(f"{name}: the logs have none of {', '.join(figure.panels)}")
    plot_lines(target, panels, figure.x, f"{name}: {figure.title}")
    return [f"{id}: {path}" for _, _, id, path, _ in sources]


def _line(
    figure: Figure, panel: str, path: Path, runs: Mapping[Path, RunLog], label: str, look: int, faint: bool
) -> Line:
    if panel == ESTIMATED:
        rows = estimate.read_table(path)
        return Line(label, [r.iteration for r in rows], [r.smoothed for r in rows], look, faint)
    x, y = curve(runs[path], panel, figure.x)
    # Outside these a curve says that nothing is learnt yet, and would hide the others.
    keep = y < 20 if panel.endswith("loss") else y >= 0
    return Line(label, x[keep].tolist(), y[keep].tolist(), look, faint)


def _ours(figure: Figure, id: str, out: Path) -> tuple[Path, str] | None:
    """The file of our run of a row, and what to add to its label where something was changed."""
    row = run_of(ROWS[id])
    file = results.ESTIMATE if ESTIMATED in figure.panels else results.LOG
    found = [
        (folder / file, result)
        for folder, result in results.read_all(out)
        if result.id == row.id and (folder / file).is_file()
    ]
    if not found:
        return None
    path, result = min(found, key=lambda item: (item[1].label != "full", item[1].label, item[1].seed))
    return path, "" if result.label == "full" else f" ({result.label})"
