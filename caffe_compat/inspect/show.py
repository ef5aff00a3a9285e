"""What a net is made of: shapes, parameters, multiply-adds and memory, layer by layer."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from math import prod

from caffe_compat.errors import some
from caffe_compat.inspect.costs import VALUE_BYTES
from caffe_compat.inspect.outline import Outline
from caffe_compat.layers.base import Shape
from caffe_compat.log.write import Log
from caffe_compat.net import weights
from caffe_compat.proto import Phase


@dataclass
class Row:
    """One layer.

    parameters     values in the blobs that it owns and that a solver may change; shared ones count where they are owned
    statistics     values in its blobs that have no gradient, such as BatchNorm's
    multiply_adds  of one forward pass, see layers.base
    memory         bytes of the tops that it does not make in place
    weights        what a weights file has for it: "copied", "not in the file", or how it does not fit
    """

    layer: str
    type: str
    bottoms: list[str]
    tops: list[str]
    shapes: list[Shape]
    parameters: int
    statistics: int
    multiply_adds: int
    memory: int
    weights: str = ""


@dataclass
class Summary:
    """A net as `caffe-compat show` tells it. `memory_for_data` is what Caffe's log calls so."""

    name: str
    phase: str
    rows: list[Row]
    memory_for_data: int
    notes: list[str] = field(default_factory=list)

    def total(self, column: str) -> int:
        return sum(getattr(row, column) for row in self.rows)


_COUNTS = ("parameters", "statistics", "multiply_adds", "memory")


def summarize(outline: Outline) -> Summary:
    """The table of a net that was built for its shapes."""
    net = outline.net
    counts: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for blob in net.learned:
        fixed = blob.index in net.layers[blob.layer].fixed_blobs
        counts[blob.layer][fixed] += blob.tensor.numel()
    rows = []
    for i in outline.rows:
        bottoms, tops = net.bottom_names[i], net.top_names[i]
        in_shapes, shapes = ([net.blob_shapes[name] for name in names] for names in (bottoms, tops))
        new = [prod(shape) for name, shape in zip(tops, shapes, strict=True) if name not in bottoms]
        rows.append(
            Row(
                net.layer_names[i],
                net.layers[i].type,
                outline.bottoms(i),
                tops,
                shapes,
                counts[i][0],
                counts[i][1],
                net.layers[i].multiply_adds(in_shapes, shapes),
                VALUE_BYTES * sum(new),
            )
        )
    return Summary(net.name, Phase.Name(net.phase), rows, net.memory, list(outline.notes))


def compare_weights(summary: Summary, outline: Outline, path: str, log: Log) -> None:
    """Enter what a caffemodel has for each layer, by name as Caffe matches them, and note what it has besides."""
    net, found = outline.net, weights.shapes_in(path, log)
    for row, i in zip(summary.rows, outline.rows, strict=True):
        blobs = [tuple(blob.shape) for blob in net.layers[i].blobs]
        if not blobs:
            continue
        arrays = found.get(row.layer)
        if arrays is None:
            row.weights = row.weights or "not in the file"
        elif len(arrays) != len(blobs):
            row.weights = f"{len(arrays)} blobs in the file, {len(blobs)} here"
        else:
            misfits = [
                f"blob {k} is {shape_text(theirs)} in the file, {shape_text(mine)} here"
                for k, (theirs, mine) in enumerate(zip(arrays, blobs, strict=True))
                if not weights.fits(theirs, mine)
            ]
            row.weights = "; ".join(misfits) or "copied"
    surplus = [name for name, arrays in found.items() if arrays and net.layer(name) is None]
    if surplus:
        summary.notes.append(f"{path}: {len(surplus)} layers that the net lacks: {some(surplus)}")


def shape_text(shape: Shape) -> str:
    """`125x3x32x32`; a scalar is `()`."""
    return "x".join(map(str, shape)) or "()"


def table(summary: Summary) -> str:
    """Aligned columns for a terminal, with the totals below."""
    heads = ["layer", "type", "bottoms", "tops", "parameters", "multiply-adds", "memory"]
    with_weights = any(row.weights for row in summary.rows)
    lines = [
        [
            row.layer,
            row.type,
            ", ".join(row.bottoms),
            ", ".join(f"{t} {shape_text(s)}" for t, s in zip(row.tops, row.shapes, strict=True)),
            f"{row.parameters + row.statistics:,}" if row.parameters + row.statistics else "",
            f"{row.multiply_adds:,}" if row.multiply_adds else "",
            bytes_text(row.memory) if row.memory else "",
            *([row.weights] if with_weights else []),
        ]
        for row in summary.rows
    ]
    heads += ["weights"] * with_weights
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    right = {4, 5, 6}

    def text(cells: list[str]) -> str:
        padded = [
            c.rjust(w) if i in right else c.ljust(w)
            for i, (c, w) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(padded).rstrip()

    parameters, statistics, macs, memory = map(summary.total, _COUNTS)
    totals = [
        f"net '{summary.name}', phase {summary.phase}: {len(summary.rows)} layers",
        f"parameters: {parameters:,} ({bytes_text(VALUE_BYTES * parameters)})"
        + (f", and {statistics:,} stored statistics" if statistics else ""),
        f"multiply-adds of a forward pass: {macs:,}",
        (
            f"memory of the blobs: {bytes_text(memory)} ({bytes_text(summary.memory_for_data)} as Caffe counts, "
            "splits and in-place tops again)"
        ),
    ]
    return "\n".join(
        [text(heads), *map(text, lines), "", *totals, *(f"note: {note}" for note in summary.notes), ""]
    )


def to_json(summary: Summary) -> str:
    """Everything, with the totals; numbers are counts and bytes."""
    totals = {name: summary.total(name) for name in _COUNTS}
    content = {
        "name": summary.name,
        "phase": summary.phase,
        "layers": [asdict(row) for row in summary.rows],
        "totals": {**totals, "memory_for_data": summary.memory_for_data},
        "notes": summary.notes,
    }
    return json.dumps(content, indent=2) + "\n"


def to_csv(summary: Summary) -> str:
    """A line a layer; names and shapes inside a field are separated by spaces."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Row.__dataclass_fields__)
    for row in summary.rows:
        writer.writerow(
            [
                row.layer, row.type, " ".join(row.bottoms), " ".join(row.tops), " ".join(map(shape_text, row.shapes)),
                *(getattr(row, name) for name in _COUNTS), row.weights,
            ]
        )  # fmt: skip
    return out.getvalue()


def bytes_text(count: int) -> str:
    """`612.5 KiB`."""
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"


FORMATS = {"table": table, "json": to_json, "csv": to_csv}
