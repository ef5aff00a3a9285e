"""Pictures of nets: pycaffe's caffe.draw.

The graph is written in Graphviz's language by this module. Graphviz's program `dot` turns it into any other
format; without it, PNG and the other formats that OpenCV writes come from a plain layout of our own.

Source: python/caffe/draw.py.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from caffe_compat.data.images import opencv
from caffe_compat.errors import CaffeError, nearest
from caffe_compat.proto import NetParameter, PoolingParameter
from caffe_compat.proto.upgrade import upgrade_net

LAYER_STYLE_DEFAULT = {"shape": "record", "fillcolor": "#6495ED", "style": "filled"}
NEURON_LAYER_STYLE = {"shape": "record", "fillcolor": "#90EE90", "style": "filled"}
BLOB_STYLE = {"shape": "octagon", "fillcolor": "#E0E0E0", "style": "filled"}

_LAYER_COLORS = {
    "Convolution": "#FF5050",
    "Deconvolution": "#FF5050",
    "Pooling": "#FF9900",
    "InnerProduct": "#CC33FF",
}
_LEARNING = ("Convolution", "Deconvolution", "InnerProduct")


def get_pooling_types_dict() -> dict[int, str]:
    """The names of the pooling methods by their numbers."""
    return {
        value.number: value.name
        for value in PoolingParameter.DESCRIPTOR.enum_types_by_name["PoolMethod"].values
    }


def get_edge_label(layer: Any) -> str:
    """What stands on the edge from a layer to its top: the batch size or the number of outputs, or nothing."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    if layer.type == "InnerProduct":
        return str(layer.inner_product_param.num_output)
    return ""


def get_layer_lr_mult(layer: Any) -> tuple[float, float]:
    """The lr_mult of the weights and of the bias of a Convolution, Deconvolution or InnerProduct.

    Raises ValueError for another layer, or more than two `param`.
    """
    if layer.type not in _LEARNING:
        raise ValueError(f"{layer.type} layers do not have a learning rate multiplier")
    given = [spec.lr_mult for spec in layer.param]
    if len(given) > 2:
        raise ValueError(
            f"Could not parse the learning rate multiplier: layer '{layer.name}' has {len(given)} params"
        )
    weights, bias = given + [1.0] * (2 - len(given))
    return weights, bias


def get_layer_label(layer: Any, rankdir: str, display_lrm: bool = False) -> str:
    """What stands in a layer's box: name, type, and what there is of kernel, stride, pad and rate multipliers.

    Lines where the graph runs across (rankdir LR), one line where it runs up or down (TB, BT).
    """
    separator = " " if rankdir in ("TB", "BT") else "\n"
    kind = layer.type
    if kind == "Pooling":
        kind = f"Pooling {get_pooling_types_dict()[layer.pooling_param.pool]}"
    words = [layer.name, f"({kind})"]
    if layer.type in ("Convolution", "Deconvolution", "Pooling"):
        if layer.type == "Pooling":
            p = layer.pooling_param
            sizes = p.kernel_size, p.stride, p.pad
        else:
            p = layer.convolution_param
            sizes = [*p.kernel_size, 1][0], [*p.stride, 1][0], [*p.pad, 0][0]
        words += [
            f"{name}: {size}" for name, size in zip(("kernel size", "stride", "pad"), sizes, strict=True)
        ]
    if display_lrm and layer.type in _LEARNING and any(get_layer_lr_mult(layer)):
        words.append("lr mult: {:.1f}, {:.1f}".format(*get_layer_lr_mult(layer)))
    return separator.join(words)


def choose_color_by_layertype(layertype: str) -> str:
    """The colour of a layer's box."""
    return _LAYER_COLORS.get(layertype, LAYER_STYLE_DEFAULT["fillcolor"])


@dataclass
class Graph:
    """A directed graph to draw; what get_pydot_graph returns.

    nodes  by key: the label and Graphviz attributes of each
    edges  (key, key, label)
    """

    name: str
    rankdir: str
    nodes: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    edges: list[tuple[str, str, str]] = field(default_factory=list)

    def to_string(self) -> str:
        """The graph in Graphviz's language."""
        lines = [f"digraph {_quote(self.name)} {{", f"  rankdir={self.rankdir};"]
        for key, (label, style) in self.nodes.items():
            if style.get("shape") == "record":
                label = "".join(f"\\{c}" if c in "{}|<>" else c for c in label)
            attributes = ", ".join(f"{k}={_quote(v)}" for k, v in {"label": label, **style}.items())
            lines.append(f"  {_quote(key)} [{attributes}];")
        lines += [f"  {_quote(a)} -> {_quote(b)} [label={_quote(label)}];" for a, b, label in self.edges]
        return "\n".join([*lines, "}", ""])

    def create(self, format: str = "png") -> bytes:
        """The picture as the bytes of a file: "raw" or "dot" is Graphviz's language, anything else a format.

        Raises CaffeError if nothing here can make that format.
        """
        if format in ("raw", "dot", "gv"):
            return self.to_string().encode()
        dot = shutil.which("dot")
        if dot is None:
            return self._plain(format)
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

    # -- without Graphviz ---------------------------------------------------------------------

    def _plain(self, format: str) -> bytes:
        """Nodes in rows (columns for rankdir LR), each below the lowest it comes from, straight edges."""
        cv2 = opencv()
        across = self.rankdir in ("LR", "RL")
        boxes = {
            key: _Box(label.split("\n"), style.get("fillcolor", "#FFFFFF"))
            for key, (label, style) in self.nodes.items()
        }
        ranks: list[list[_Box]] = []
        for key, rank in self._ranks().items():
            ranks += [[] for _ in range(rank + 1 - len(ranks))]
            ranks[rank].append(boxes[key])
        if self.rankdir in ("BT", "RL"):
            ranks.reverse()
        spans = [sum((box.height if across else box.width) + _GAP for box in row) for row in ranks]
        widest = max(spans, default=0)
        along = _GAP
        for row, span in zip(ranks, spans, strict=True):
            side = _GAP + (widest - span) // 2
            for box in row:
                box.x, box.y = (along, side) if across else (side, along)
                side += (box.height if across else box.width) + _GAP
            along += max(box.width if across else box.height for box in row) + 2 * _GAP
        width, height = (along, widest + _GAP) if across else (widest + _GAP, along)
        canvas = np.full((height, width, 3), 255, np.uint8)
        for a, b, label in self.edges:
            start, end = boxes[a].centre, boxes[b].centre
            cv2.line(canvas, start, end, (150, 150, 150), 1, cv2.LINE_AA)
            if label:
                middle = ((start[0] + end[0]) // 2, (start[1] + end[1]) // 2)
                _write(cv2, canvas, label, middle)
        for box in boxes.values():
            corner = (box.x + box.width, box.y + box.height)
            red, green, blue = (int(box.color[i : i + 2], 16) for i in (1, 3, 5))
            cv2.rectangle(canvas, (box.x, box.y), corner, (blue, green, red), cv2.FILLED)
            cv2.rectangle(canvas, (box.x, box.y), corner, (0, 0, 0), 1)
            for i, line in enumerate(box.lines):
                _write(cv2, canvas, line, (box.x + _PAD, box.y + _LINE * (i + 1)))
        try:
            return cv2.imencode(f".{format}", canvas)[1].tobytes()
        except cv2.error as error:
            raise CaffeError(
                f"cannot draw the net as {format!r} without Graphviz, whose program `dot` is not on PATH; "
                "install Graphviz, or draw a png, or write 'raw', the graph in Graphviz's language"
            ) from error

    def _ranks(self) -> dict[str, int]:
        """The length of the longest way to each node; edges back, of in-place layers, do not count."""
        order = {key: i for i, key in enumerate(self.nodes)}
        ranks = dict.fromkeys(self.nodes, 0)
        for a, b, _ in sorted(self.edges, key=lambda edge: order[edge[1]]):
            if order[a] < order[b]:
                ranks[b] = max(ranks[b], ranks[a] + 1)
        return ranks


_GAP, _PAD, _LINE, _LETTER = 24, 8, 16, 8  # of the plain layout, in pixels


@dataclass
class _Box:
    lines: list[str]
    color: str
    x: int = 0
    y: int = 0

    @property
    def width(self) -> int:
        return 2 * _PAD + _LETTER * max(len(line) for line in self.lines)

    @property
    def height(self) -> int:
        return _LINE * len(self.lines) + _PAD

    @property
    def centre(self) -> tuple[int, int]:
        return self.x + self.width // 2, self.y + self.height // 2


def _write(cv2: Any, canvas: np.ndarray, text: str, at: tuple[int, int]) -> None:
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)


def _quote(text: str) -> str:
    return '"' + text.replace('"', '\\"').replace("\n", "\\n") + '"'


def get_pydot_graph(
    caffe_net: Any,
    rankdir: str,
    label_edges: bool = True,
    phase: int | None = None,
    display_lrm: bool = False,
) -> Graph:
    """The graph of a NetParameter: a box a layer, an octagon a blob.

    Args:
        rankdir: where data flows: "LR" to the right, "RL", "TB" down, "BT".
        label_edges: write get_edge_label on the edges.
        phase: only the layers of this phase (TRAIN or TEST); None for all.
        display_lrm: write the rate multipliers into the boxes.

    Raises ValueError if a layer has both include and exclude rules and a phase is asked for.
    """
    if rankdir not in ("LR", "RL", "TB", "BT"):
        raise ValueError(
            f"rankdir {rankdir!r} is none of LR, RL, TB, BT{nearest(rankdir, ('LR', 'RL', 'TB', 'BT'))}"
        )
    if caffe_net.layers:  # a net in an old form
        old, caffe_net = caffe_net, NetParameter()
        caffe_net.CopyFrom(old)
        upgrade_net(caffe_net, "<net to draw>")
    graph = Graph(caffe_net.name or "Net", rankdir)
    for layer in caffe_net.layer:
        if phase is not None and not _included(layer, phase):
            continue
        key = f"{layer.name}_{layer.type}"
        in_place = len(layer.bottom) == len(layer.top) == 1 and layer.bottom[0] == layer.top[0]
        style = {**LAYER_STYLE_DEFAULT, "fillcolor": choose_color_by_layertype(layer.type)}
        for bottom in layer.bottom:
            graph.nodes.setdefault(f"{bottom}_blob", (bottom, BLOB_STYLE))
            graph.edges.append((f"{bottom}_blob", key, ""))
        graph.nodes[key] = (
            get_layer_label(layer, rankdir, display_lrm),
            NEURON_LAYER_STYLE if in_place else style,
        )
        for top in layer.top:
            graph.nodes.setdefault(f"{top}_blob", (top, BLOB_STYLE))
            graph.edges.append((key, f"{top}_blob", get_edge_label(layer) if label_edges else ""))
    return graph


def _included(layer: Any, phase: int) -> bool:
    if layer.include and layer.exclude:
        raise ValueError(f"layer {layer.name} has both include and exclude specified.")
    if layer.include:
        return any(rule.phase == phase for rule in layer.include)
    return all(rule.phase != phase for rule in layer.exclude)


def draw_net(
    caffe_net: Any, rankdir: str, ext: str = "png", phase: int | None = None, display_lrm: bool = False
) -> bytes:
    """The picture of a NetParameter as the bytes of a file of format `ext`; see get_pydot_graph."""
    return get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm).create(format=ext)


def draw_net_to_file(
    caffe_net: Any, filename: str, rankdir: str = "LR", phase: int | None = None, display_lrm: bool = False
) -> None:
    """Draw a NetParameter into a file, in the format that its name ends with; `.raw` is Graphviz's language."""
    graph = get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm)
    graph.write(filename, filename[filename.rfind(".") + 1 :])
