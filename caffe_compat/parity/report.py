"""A report as text for a terminal and as a web page that needs nothing else."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from caffe_compat.log.names import PLAIN, RED
from caffe_compat.parity.compare import AGREES, DIFFERS, Report, Row

_COLOURS = ("#1b1b6f", "#b3123a")
_VERDICTS = {
    AGREES: "agrees",
    DIFFERS: "DIFFERS",
}
_LEAST = 1e-9  # errors below are drawn as this


def as_text(report: Report, colour: bool = False) -> str:
    """The tables, what is guilty, what is missing, and the verdict in the last line."""
    lines = [f"{report.source} ({report.kind})"]
    if report.rows:
        lines += _table(report, colour)
    for check in report.checks:
        status = _VERDICTS.get(check.status, check.status) or "nothing to compare"
        lines.append(
            f"{check.name}: {_paint(status, check.status == DIFFERS and colour)}: {check.text}".rstrip(": ")
        )
        lines += [f"    {detail}" for detail in check.details]
    if report.notes:
        lines += ["", *(f"note: {note}" for note in report.notes)]
    if report.missing:
        lines += ["", *(f"not compared: {what}" for what in report.missing)]
    if report.guilty:
        lines += ["", *(f"guilty: {what}" for what in report.guilty)]
    lines += ["", summary(report)]
    return "\n".join(lines) + "\n"


def summary(report: Report) -> str:
    """The verdict in one line."""
    compared = [row for row in report.rows if row.compared]
    bad = [row for row in compared if not row.agrees]
    parts = []
    if report.rows:
        parts.append(
            f"{len(compared) - len(bad)} of {len(compared)} arrays within tolerance {report.tolerance:g}"
        )
    if report.checks:
        good = sum(check.status == AGREES for check in report.checks)
        parts.append(f"{good} of {sum(bool(check.status) for check in report.checks)} checks agree")
    first = report.first
    if first:
        where = (
            f" of layer '{first.layer}'" + (f" ({first.type})" if first.type else "") if first.layer else ""
        )
        parts.append(f"first to depart: {first.what} {first.name}{where}")
    if report.missing:
        parts.append(f"{len(report.missing)} things could not be compared")
    return f"verdict: {_VERDICTS.get(report.verdict, report.verdict)}; {'; '.join(parts)}"


def _table(report: Report, colour: bool) -> list[str]:
    head = ("", "layer", "type", "what", "name", "shape", "max abs", "relative", "cosine", "")
    cells = [head]
    for row in report.rows:
        cells.append(
            (_mark(report, row), row.layer, row.type, row.what, row.name, _shape(row), *_figures(row))
        )
    widths = [max(len(line[column]) for line in cells) for column in range(len(head) - 1)]
    lines = []
    for row_, line in zip([None, *report.rows], cells, strict=True):
        text = "  ".join([c.ljust(w) for c, w in zip(line, widths, strict=False)] + [line[-1]]).rstrip()
        lines.append(_paint(text, colour and row_ is not None and not row_.agrees))
    return [*lines, ""]


def _mark(report: Report, row: Row) -> str:
    if row is report.first:
        return ">>"
    return "" if row.agrees else " x"


def _shape(row: Row) -> str:
    return "x".join(map(str, row.shape)) if row.shape else "-"


def _figures(row: Row) -> tuple[str, str, str, str]:
    if not row.compared:
        return "-", "-", "-", row.note
    return f"{row.max_abs:.2e}", f"{row.relative:.2e}", f"{row.cosine:.6f}", row.note


def _paint(text: str, wanted: bool) -> str:
    return f"{RED}{text}{PLAIN}" if wanted else text


# -- a web page -----------------------------------------------------------------------------------

_STYLE = """
body { font: 14px sans-serif; margin: 2em auto; max-width: 1100px; color: #222 }
table { border-collapse: collapse } td, th { padding: 2px 8px; text-align: left; border-bottom: 1px solid #ddd }
td.n { text-align: right; font-variant-numeric: tabular-nums } tr.bad { background: #fde0e0 }
tr.first { background: #f8b4b4; font-weight: bold } tr.off { color: #888 } h2 { margin-top: 1.5em }
.agrees { color: #1f7a3a } .differs { color: #b3123a } svg { font: 11px sans-serif }
"""


def as_html(report: Report) -> str:
    """One page: verdict, the error of every layer drawn, curves, tables."""
    parts = [
        f'<h1>{_esc(report.source)}</h1><p class="{report.verdict.split()[0]}"><b>{_esc(summary(report))}</b></p>'
    ]
    for title, items in (
        ("Guilty", report.guilty),
        ("Not compared", report.missing),
        ("Notes", report.notes),
    ):
        if items:
            parts.append(f"<h2>{title}</h2><ul>{''.join(f'<li>{_esc(item)}</li>' for item in items)}</ul>")
    if report.rows:
        parts.append("<h2>Error by layer</h2>" + _bars(report))
    for name, curves in report.curves.items():
        parts.append(f"<h2>{_esc(name)}</h2>" + _lines(curves))
    if report.checks:
        parts.append("<h2>Checks</h2>" + _check_table(report))
    if report.rows:
        parts.append("<h2>Arrays</h2>" + _row_table(report))
    title = f"<title>{_esc(report.source)}</title>"
    return f'<!doctype html><meta charset="utf-8">{title}<style>{_STYLE}</style>{"".join(parts)}\n'


def _esc(text: object) -> str:
    return html.escape(str(text))


def _check_table(report: Report) -> str:
    rows = []
    for check in report.checks:
        style = "bad" if check.status == DIFFERS else "off" if not check.status else ""
        details = "".join(f"<br>{_esc(detail)}" for detail in check.details)
        status = check.status or "nothing to compare"
        cells = f"<td>{_esc(check.name)}</td><td>{_esc(status)}</td><td>{_esc(check.text)}{details}</td>"
        rows.append(f'<tr class="{style}">{cells}</tr>')
    return f"<table><tr><th>check</th><th>verdict</th><th></th></tr>{''.join(rows)}</table>"


def _row_table(report: Report) -> str:
    heads = ("layer", "type", "what", "name", "shape", "max abs", "relative", "cosine", "")
    rows = []
    for row in report.rows:
        style = "first" if row is report.first else "bad" if not row.agrees else "" if row.compared else "off"
        left = "".join(f"<td>{_esc(c)}</td>" for c in (row.layer, row.type, row.what, row.name, _shape(row)))
        *figures, note = _figures(row)
        right = "".join(f'<td class="n">{_esc(c)}</td>' for c in figures)
        rows.append(f'<tr class="{style}">{left}{right}<td>{_esc(note)}</td></tr>')
    return f"<table><tr>{''.join(f'<th>{h}</th>' for h in heads)}</tr>{''.join(rows)}</table>"


def _bars(report: Report) -> str:
    """For each layer (or learned blob), its largest error over what is allowed, on a logarithmic scale."""
    worst: dict[str, tuple[float, str]] = {}
    for row in report.rows:
        if row.compared:
            ratio = _ratio(row)
            name = row.layer or row.name
            if ratio >= worst.get(name, (0.0, ""))[0]:
                worst[name] = ratio, f"{row.what} {row.name}: {row.max_abs:.2e}, relative {row.relative:.2e}"
    low, high = (
        -6.0,
        max(2.0, *(math.log10(max(ratio, 1e-6)) for ratio, _ in worst.values())) if worst else 2.0,
    )
    width, height = max(700, 7 * len(worst) + 60), 220
    step = (width - 60) / max(len(worst), 1)

    def y(power: float) -> float:
        return 10 + (height - 20) * (high - power) / (high - low)

    marks = [
        f'<text x="2" y="{y(p) + 4:.1f}">1e{p}</text><line x1="40" x2="{width}" y1="{y(p):.1f}" y2="{y(p):.1f}" '
        'stroke="#eee"/>'
        for p in range(int(low), int(high) + 1)
    ]
    for k, (name, (ratio, text)) in enumerate(worst.items()):
        top = y(min(high, math.log10(max(ratio, 1e-6))))
        fill = _COLOURS[ratio > 1]
        marks.append(
            f'<rect x="{44 + k * step:.1f}" y="{top:.1f}" width="{max(step - 1, 1):.1f}" '
            f'height="{max(y(low) - top, 1):.1f}" fill="{fill}"><title>{_esc(name)}: {_esc(text)}</title></rect>'
        )
    marks.append(
        f'<line x1="40" x2="{width}" y1="{y(0):.1f}" y2="{y(0):.1f}" stroke="#b3123a" stroke-dasharray="4"/>'
    )
    return (
        "<p>The largest error of each, as a multiple of what is allowed (dashed); hover for the name.</p>"
        f'<svg width="{width}" height="{height}">{"".join(marks)}</svg>'
    )


def _ratio(row: Row) -> float:
    if math.isnan(row.max_abs):
        return 1e6
    if not row.allowed:
        return 1e6 if row.max_abs else _LEAST
    return min(1e6, max(_LEAST, row.max_abs / row.allowed))


def _lines(curves: Sequence[tuple[str, Sequence[float], Sequence[float]]]) -> str:
    points = [(x, y) for _, xs, ys in curves for x, y in zip(xs, ys, strict=True) if math.isfinite(y)]
    if not points:
        return "<p>nothing to draw</p>"
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    width, height = 900, 260

    def place(x: float, y: float) -> str:
        across = 60 + (width - 80) * (x - left) / ((right - left) or 1)
        return f"{across:.1f},{height - 25 - (height - 40) * (y - low) / ((high - low) or 1):.1f}"

    marks = [
        f'<text x="2" y="18">{high:.4g}</text><text x="2" y="{height - 25}">{low:.4g}</text>',
        f'<text x="60" y="{height - 6}">{left:g}</text><text x="{width - 60}" y="{height - 6}">{right:g}</text>',
    ]
    for k, (label, xs, ys) in enumerate(curves):
        path = " ".join(place(x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(y))
        look = f'stroke="{_COLOURS[k % 2]}" fill="none"' + (' stroke-dasharray="6 3"' if k % 2 else "")
        marks.append(f'<polyline points="{path}" {look} stroke-width="1.4"/>')
        marks.append(f'<text x="{80 + 90 * k}" y="12" fill="{_COLOURS[k % 2]}">{_esc(label)}</text>')
    return f'<svg width="{width}" height="{height}">{"".join(marks)}</svg>'
