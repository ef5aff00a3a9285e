"""Directed graphs as pictures: in Graphviz's language, or drawn here as SVG and, with OpenCV, as PNG.

Graphviz's program `dot` draws every format where it is installed. Without it a layout of our own does: ranks
by the longest way from the start, an order in each rank that avoids crossings, and places in it as near to
the neighbours as the order allows.
"""

from __future__ import annotations

import html
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import ModuleType

import numpy as np

from caffe_compat.data.images import opencv
from caffe_compat.errors import CaffeError
from caffe_compat.log.names import printable

_GAP, _RANK_GAP, _PAD, _LINE, _LETTER = 18, 40, 10, 15, 6.6  # pixels
_RIM = 8  # of a frame around boxes
_SWEEPS = 8

Point = tuple[float, float]
Rectangle = tuple[float, float, float, float]  # x, y, width, height


@dataclass
class Graph:
    """A directed graph to draw.

    nodes   by key: the label, of one or several lines, and Graphviz attributes of each
    edges   (key, key, label)
    frames  (label, keys of the nodes inside)
    """

    name: str
    rankdir: str
    nodes: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    edges: list[tuple[str, str, str]] = field(default_factory=list)
    frames: list[tuple[str, list[str]]] = field(default_factory=list)

    def to_string(self) -> str:
        """The graph in Graphviz's language."""
        lines = [f"digraph {_quote(self.name)} {{", f"  rankdir={self.rankdir};"]
        for key, (label, style) in self.nodes.items():
            if style.get("shape") == "record":
                label = "".join(f"\\{c}" if c in "{}|<>" else c for c in label)
            attributes = ", ".join(f"{k}={_quote(v)}" for k, v in {"label": label, **style}.items())
            lines.append(f"  {_quote(key)} [{attributes}];")
        for i, (label, keys) in enumerate(self.frames):
            members = " ".join(f"{_quote(key)};" for key in keys)
            lines.append(
                f'  subgraph cluster_{i} {{ label={_quote(label)}; style="rounded,dashed"; {members} }}'
            )
        lines += [f"  {_quote(a)} -> {_quote(b)} [label={_quote(label)}];" for a, b, label in self.edges]
        return "\n".join([*lines, "}", ""])

    def create(self, format: str = "png") -> bytes:
        """The picture as the bytes of a file: "raw" or "dot" is Graphviz's language, anything else a format.

        Raises CaffeError if nothing here can make that format, MissingExtra for a PNG without OpenCV.
        """
        if format in ("raw", "dot", "gv"):
            return self.to_string().encode()
        dot = shutil.which("dot")
        if dot is None:
            return _to_svg(self).encode() if format == "svg" else _to_pixels(self, format)
        done = subprocess.run(
            [dot, f"-T{format}"], input=self.to_string().encode(), capture_output=True, check=False
        )
        if done.returncode:
            raise CaffeError(
                f"dot cannot draw the net as {format!r}: {done.stderr.decode(errors='replace').strip()}"
            )
        return done.stdout

    def write(self, path: str, format: str = "raw") -> None:
        """Write `create(format)` to a file."""
        data = self.create(format)
        with open(path, "wb") as file:
            file.write(data)


def _quote(text: str) -> str:
    return '"' + printable(text.replace('"', '\\"').replace("\n", "\\n"), "\\\\") + '"'


# -- the layout -----------------------------------------------------------------------------------


@dataclass
class _Item:
    """A node, or (`key` is None) a place where an edge passes through a rank; `along` runs with the ranks."""

    key: str | None
    across_size: float = 0.0
    along_size: float = 0.0
    across: float = 0.0  # of the centre
    along: float = 0.0
    before: list[int] = field(default_factory=list)  # numbers of neighbours in the rank before
    after: list[int] = field(default_factory=list)


@dataclass
class _Layout:
    """Where everything is: corners, points and sizes in pixels, y downwards."""

    width: float
    height: float
    boxes: dict[str, Rectangle]
    routes: list[tuple[list[Point], str]]
    frames: list[tuple[Rectangle, str]]


def _lay_out(graph: Graph) -> _Layout:
    across_is_y = graph.rankdir in ("LR", "RL")
    items, rows, chains = _items(graph, across_is_y)
    _order(rows, items)
    _place(rows, items)
    along = float(_GAP)
    for row in rows:
        height = max(items[i].along_size for i in row)
        for i in row:
            items[i].along = along + height / 2
        along += height + _RANK_GAP
    along = max(along + _GAP - _RANK_GAP, 2 * _GAP)
    left = min((it.across - it.across_size / 2 for it in items), default=0) - _GAP
    across = max((it.across + it.across_size / 2 for it in items), default=0) + _GAP - left

    def point(item: _Item, shift: float = 0) -> Point:
        a, b = item.along + shift, item.across - left
        a = along - a if graph.rankdir in ("BT", "RL") else a
        return (a, b) if across_is_y else (b, a)

    boxes: dict[str, Rectangle] = {}
    for item in items:
        if item.key is not None:
            x, y = point(item)
            w, h = item.across_size, item.along_size
            w, h = (h, w) if across_is_y else (w, h)
            boxes[item.key] = (x - w / 2, y - h / 2, w, h)
    routes = []
    for chain, label in chains:
        down = 1 if items[chain[0]].along <= items[chain[-1]].along else -1
        ends = {0: down, len(chain) - 1: -down}
        shifts = [ends.get(k, 0) * items[i].along_size / 2 for k, i in enumerate(chain)]
        routes.append(([point(items[i], shift) for i, shift in zip(chain, shifts, strict=True)], label))
    frames = [(_frame([boxes[key] for key in keys]), label) for label, keys in graph.frames]
    width, height = (along, across) if across_is_y else (across, along)
    width += max((_LETTER * len(label) + _PAD for label, _ in graph.frames), default=0)
    return _Layout(width, height, boxes, routes, frames)


def _items(
    graph: Graph, across_is_y: bool
) -> tuple[list[_Item], list[list[int]], list[tuple[list[int], str]]]:
    """The nodes and the places where edges pass, their numbers in each rank, and each edge as a chain of them."""
    items: list[_Item] = []
    for key, (label, _) in graph.nodes.items():
        lines = label.split("\n")
        w, h = 2 * _PAD + _LETTER * max(map(len, lines)), float(_LINE * len(lines) + _PAD)
        items.append(_Item(key, h, w) if across_is_y else _Item(key, w, h))
    ranks = _ranks(graph)
    rows: list[list[int]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    number = {key: i for i, key in enumerate(graph.nodes)}
    for key, rank in ranks.items():
        rows[rank].append(number[key])
    chains = []
    for a, b, label in graph.edges:
        backwards = ranks[a] > ranks[b]
        first, last = (b, a) if backwards else (a, b)
        chain = [number[first]]
        for rank in range(ranks[first] + 1, ranks[last]):
            chain.append(len(items))
            rows[rank].append(len(items))
            items.append(_Item(None, across_size=4))
        chain.append(number[last])
        for one, other in pairwise(chain):
            if one != other:
                items[one].after.append(other)
                items[other].before.append(one)
        chains.append((chain[::-1] if backwards else chain, label))
    return items, rows, chains


def _frame(boxes: Sequence[Rectangle]) -> Rectangle:
    """The rectangle around some boxes."""
    left, top = (min(box[k] for box in boxes) - _RIM for k in (0, 1))
    right, bottom = (max(box[k] + box[k + 2] for box in boxes) + _RIM for k in (0, 1))
    return left, top, right - left, bottom - top


def _ranks(graph: Graph) -> dict[str, int]:
    """The length of the longest way to each node; edges back, of in-place layers, do not count.

    A node that nothing leads to stands just before the first that reads it.
    """
    order = {key: i for i, key in enumerate(graph.nodes)}
    forward = [(a, b) for a, b, _ in graph.edges if order[a] < order[b]]
    ranks = dict.fromkeys(graph.nodes, 0)
    for a, b in sorted(forward, key=lambda edge: order[edge[1]]):
        ranks[b] = max(ranks[b], ranks[a] + 1)
    reached = {b for _, b in forward}
    readers = defaultdict(list)
    for a, b in forward:
        readers[a].append(ranks[b])
    return {
        key: min(readers[key]) - 1 if key not in reached and key in readers else r for key, r in ranks.items()
    }


def _order(rows: list[list[int]], items: list[_Item]) -> None:
    """Sort each rank by where the neighbours of its members stand, down and up again a few times."""
    place = {i: k for row in rows for k, i in enumerate(row)}
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            neighbours = {i: (items[i].before if down else items[i].after) for i in row}
            mean = {
                i: sum(place[n] for n in ns) / len(ns) if ns else place[i] for i, ns in neighbours.items()
            }
            row.sort(key=mean.__getitem__)
            place.update((i, k) for k, i in enumerate(row))


def _place(rows: list[list[int]], items: list[_Item]) -> None:
    """Give each member of a rank the place nearest to the middle of its neighbours that its order leaves."""
    for row in rows:
        _fit(row, items, [0.0] * len(row))
    for sweep in range(2 * _SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            wanted = []
            for i in row:
                neighbours = (
                    (items[i].before if down else items[i].after) or items[i].before or items[i].after
                )
                places = [items[n].across for n in neighbours] or [items[i].across]
                wanted.append(sum(places) / len(places))
            _fit(row, items, wanted)


def _fit(row: Sequence[int], items: list[_Item], wanted: Sequence[float]) -> None:
    """Least squares under the order and the gaps: neighbours that would overlap move as one (pool adjacent violators)."""
    offset, pools = 0.0, []  # of each pool: weight, weighted sum of (wanted - offset), members
    offsets = []
    for k, i in enumerate(row):
        if k:
            offset += (items[row[k - 1]].across_size + items[i].across_size) / 2 + _GAP
        offsets.append(offset)
        weight = 1.0 if items[i].key is not None else 3.0  # long edges shall be straight
        pools.append([weight, weight * (wanted[k] - offset), 1])
        while len(pools) > 1 and pools[-2][1] / pools[-2][0] > pools[-1][1] / pools[-1][0]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last, strict=True)]
    shifts = [total / weight for weight, total, count in pools for _ in range(int(count))]
    for i, shift, offset in zip(row, shifts, offsets, strict=True):
        items[i].across = shift + offset


# -- pictures -------------------------------------------------------------------------------------


def _bends(points: Sequence[Point], across_is_y: bool) -> list[tuple[Point, Point, Point]]:
    """A smooth way through the points: for each piece its two control points and its end."""
    pieces = []
    for (x0, y0), (x1, y1) in pairwise(points):
        if across_is_y:
            pieces.append((((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1), (x1, y1)))
        else:
            pieces.append(((x0, (y0 + y1) / 2), (x1, (y0 + y1) / 2), (x1, y1)))
    return pieces


def _to_svg(graph: Graph) -> str:
    layout = _lay_out(graph)
    across_is_y = graph.rankdir in ("LR", "RL")
    out = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{layout.width:.0f}" height="{layout.height:.0f}" '
            f'viewBox="0 0 {layout.width:.0f} {layout.height:.0f}" font-family="Helvetica, Arial, sans-serif" '
            'font-size="12">'
        ),
        f"<title>{html.escape(printable(graph.name))}</title>",
        (
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0L8 4L0 8z" fill="#667"/></marker></defs>'
        ),
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for (x, y, w, h), label in layout.frames:
        out.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="8" fill="#F4F6FA" '
            'stroke="#889" stroke-dasharray="5 4"/>'
            f'<text x="{x + w + 6:.1f}" y="{y + h / 2:.1f}" fill="#556" font-weight="bold">{html.escape(printable(label))}</text>'
        )
    texts = []
    for points, label in layout.routes:
        path = f"M{points[0][0]:.1f} {points[0][1]:.1f}" + "".join(
            "C" + " ".join(f"{x:.1f} {y:.1f}" for x, y in piece) for piece in _bends(points, across_is_y)
        )
        out.append(f'<path d="{path}" fill="none" stroke="#667" marker-end="url(#arrow)"/>')
        if label:
            x, y = _label_place(points)
            texts.append(
                f'<text x="{x:.1f}" y="{y:.1f}" font-size="10" fill="#334" stroke="white" stroke-width="3" '
                f'paint-order="stroke">{html.escape(printable(label))}</text>'
            )
    for key, (label, style) in graph.nodes.items():
        x, y, w, h = layout.boxes[key]
        out.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="5" '
            f'fill="{style.get("fillcolor", "#FFFFFF")}" stroke="#445"/>'
        )
        for k, line in enumerate(label.split("\n")):
            weight = ' font-weight="bold"' if k == 0 else ""
            out.append(
                f'<text x="{x + w / 2:.1f}" y="{y + _LINE * (k + 1):.1f}" text-anchor="middle"{weight}>'
                f"{html.escape(printable(line))}</text>"
            )
    return "\n".join([*out, *texts, "</svg>", ""])


def _label_place(points: Sequence[Point]) -> Point:
    """Beside the middle of the first piece."""
    (x0, y0), (x1, y1) = points[:2]
    return (x0 + x1) / 2 + 4, (y0 + y1) / 2 + 3


def _to_pixels(graph: Graph, format: str) -> bytes:
    cv2 = opencv()
    layout = _lay_out(graph)
    canvas = np.full((int(layout.height) + 1, int(layout.width) + 1, 3), 255, np.uint8)
    across_is_y = graph.rankdir in ("LR", "RL")
    write = _writer(cv2, canvas)
    for (x, y, w, h), label in layout.frames:
        cv2.rectangle(canvas, _pixel(x, y), _pixel(x + w, y + h), (250, 246, 244), cv2.FILLED)
        cv2.rectangle(canvas, _pixel(x, y), _pixel(x + w, y + h), (150, 136, 136), 1)
        write(label, x + w + 6, y + h / 2)
    for points, label in layout.routes:
        at, track = points[0], [points[0]]
        for one, two, end in _bends(points, across_is_y):
            for t in np.linspace(0.1, 1, 10):
                s = 1 - t
                weights = (s**3, 3 * s * s * t, 3 * s * t * t, t**3)
                corners = zip(*(at, one, two, end), strict=True)
                track.append(tuple(sum(w * c for w, c in zip(weights, cs, strict=True)) for cs in corners))  # type: ignore[arg-type]
            at = end
        pixels = [_pixel(*p) for p in track]
        cv2.polylines(canvas, [np.array(pixels, np.int32)], False, (119, 102, 102), 1, cv2.LINE_AA)
        if len(pixels) > 2:
            cv2.arrowedLine(canvas, pixels[-2], pixels[-1], (119, 102, 102), 1, cv2.LINE_AA, 0, 1.2)
        if label:
            write(label, *_label_place(points))
    for key, (label, style) in graph.nodes.items():
        x, y, w, h = layout.boxes[key]
        color = style.get("fillcolor", "#FFFFFF")
        red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
        cv2.rectangle(canvas, _pixel(x, y), _pixel(x + w, y + h), (blue, green, red), cv2.FILLED)
        cv2.rectangle(canvas, _pixel(x, y), _pixel(x + w, y + h), (85, 68, 68), 1, cv2.LINE_AA)
        for k, line in enumerate(label.split("\n")):
            write(line, x + (w - _LETTER * len(line)) / 2, y + _LINE * (k + 1))
    try:
        return cv2.imencode(f".{format}", canvas)[1].tobytes()
    except cv2.error as error:
        raise CaffeError(
            f"cannot draw the net as {format!r} without Graphviz, whose program `dot` is not on PATH; "
            "install Graphviz, or draw an svg or a png, or write 'raw', the graph in Graphviz's language"
        ) from error


def _pixel(x: float, y: float) -> tuple[int, int]:
    return round(x), round(y)


def _writer(cv2: ModuleType, canvas: np.ndarray) -> Callable[[str, float, float], object]:
    return lambda text, x, y: cv2.putText(
        canvas, text, _pixel(x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (20, 20, 20), 1, cv2.LINE_AA
    )
