"""The picture of a net: a box for each layer with those that work on its top, shapes on the edges."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from caffe_compat.inspect.graph import Graph
from caffe_compat.layers.base import Shape
from caffe_compat.layers.registry import class_for
from caffe_compat.proto import (
    ConvolutionParameter,
    EltwiseParameter,
    LayerParameter,
    NetParameter,
    PoolingParameter,
)

# By what layers say they are drawn as, or are.
_COLORS = {
    "convolution": "#FFD6CC",
    "product": "#E3D3F5",
    "window": "#FFE9B8",
    "arrangement": "#D3E9F7",
    "data": "#DDF3D3",
    "loss": "#F9CCD8",
}
_OTHER_COLOR = "#EEEEEE"


@dataclass
class _Box:
    """What is drawn as one: a layer and its followers. `reads` are (number of a box, blob), in order."""

    name: str
    drawn_as: str
    lines: list[str]
    reads: list[tuple[int, str]] = field(default_factory=list)
    tops: list[str] = field(default_factory=list)
    followers: list[str] = field(default_factory=list)

    @property
    def text(self) -> list[str]:
        return [*self.lines, *([f"+ {', '.join(self.followers)}"] if self.followers else [])]


def net_graph(
    param: NetParameter, shapes: Mapping[str, Shape] | None = None, rankdir: str = "TB", fold: bool = False
) -> Graph:
    """The graph of a NetParameter's layers, all of them: filter it first.

    Args:
        shapes: of blobs by name, written on the edges; None writes the blobs' names.
        rankdir: where data flows: TB (down), BT, LR or RL.
        fold: draw one of several equal blocks in a row, in a frame that says how many there are.
    """
    boxes = _boxes(param)
    repeats = _repeats(boxes, shapes or {}) if fold else []
    drawn = list(range(len(boxes)))  # which box stands for each
    for start, period, count in repeats:
        for at in range(start + period, start + period * count):
            drawn[at] = start + (at - start) % period
    graph = Graph(param.name or "net", rankdir)
    for i, box in enumerate(boxes):
        if drawn[i] == i:
            style = {
                "shape": "box",
                "style": "rounded,filled",
                "fillcolor": _COLORS.get(box.drawn_as, _OTHER_COLOR),
            }
            graph.nodes[str(i)] = ("\n".join([box.name, *box.text]), style)
    told: set[tuple[int, str]] = set()
    for i, box in enumerate(boxes):
        if drawn[i] != i:
            continue
        for source, blob in box.reads:
            shape = (shapes or {}).get(blob)
            label = blob if shapes is None else "×".join(map(str, shape)) if shape else "scalar"
            graph.edges.append((str(drawn[source]), str(i), "" if (source, blob) in told else label))
            told.add((source, blob))
    for start, period, count in repeats:
        last = boxes[start + period * (count - 1)]
        graph.frames.append((f"{count} times, to {last.name}", [str(start + k) for k in range(period)]))
    return graph


def _boxes(param: NetParameter) -> list[_Box]:
    readers = Counter(blob for layer in param.layer for blob in set(layer.bottom))
    in_place = Counter(layer.top[0] for layer in param.layer if _works_in_place(layer))
    boxes: list[_Box] = []
    made_by: dict[str, int] = {}
    for layer in param.layer:
        bottoms, tops = list(layer.bottom), list(layer.top)
        one_to_one = len(bottoms) == len(tops) == 1 and bottoms[0] in made_by
        if one_to_one and (_works_in_place(layer) or _drawn_as(layer) == "follower"):
            box = boxes[made_by[bottoms[0]]]
            alone = readers[bottoms[0]] - in_place[bottoms[0]] == (not _works_in_place(layer))
            if len(box.tops) == 1 and (_works_in_place(layer) or alone):
                box.followers.append(layer.type)
                box.tops = tops
                made_by[tops[0]] = made_by[bottoms[0]]
                continue
        box = _Box(layer.name, _drawn_as(layer), [_describe(layer)], tops=tops)
        box.reads = [(made_by[blob], blob) for blob in bottoms if blob in made_by]
        made_by.update((blob, len(boxes)) for blob in tops)
        boxes.append(box)
    return boxes


def _works_in_place(layer: LayerParameter) -> bool:
    return len(layer.bottom) == len(layer.top) == 1 and layer.bottom[0] == layer.top[0]


def _describe(layer: LayerParameter) -> str:
    """The layer's type with the numbers that make its shape: `Convolution 64, 3x3 / 2`."""
    if layer.HasField("convolution_param"):
        c = layer.convolution_param
        words = [str(c.num_output)] if c.num_output else []
        kernel = _pair(c, "kernel", c.kernel_size, 0)
        return f"{layer.type} {', '.join([*words, kernel])}{_over(_pair(c, 'stride', c.stride, 1))}{_groups(c.group)}"
    if layer.type == "Pooling":
        p = layer.pooling_param
        method = PoolingParameter.PoolMethod.Name(p.pool)
        if p.global_pooling:
            return f"global {method} pooling"
        kernel = _pair(p, "kernel", [p.kernel_size], 0)
        return f"{method} pooling {kernel}{_over(_pair(p, 'stride', [p.stride], 1))}"
    if layer.HasField("inner_product_param"):
        return f"{layer.type} {layer.inner_product_param.num_output}"
    if layer.HasField("recurrent_param"):
        return f"{layer.type} {layer.recurrent_param.num_output}"
    if layer.type == "Eltwise":
        return f"Eltwise {EltwiseParameter.EltwiseOp.Name(layer.eltwise_param.operation)}"
    return layer.type


def _pair(p: ConvolutionParameter | PoolingParameter, name: str, sizes: Sequence[int], default: int) -> str:
    """`3x5` of name_h and name_w, or of one size or several."""
    if p.HasField(f"{name}_h") or p.HasField(f"{name}_w"):
        sizes = [getattr(p, f"{name}_h"), getattr(p, f"{name}_w")]
    sizes = list(sizes) or [default]
    return "x".join(map(str, sizes * 2 if len(sizes) == 1 else sizes))


def _over(stride: str) -> str:
    if set(stride.split("x")) == {"1"}:
        return ""
    first, _, rest = stride.partition("x")
    return f" / {first if set(rest.split('x')) == {first} else stride}"


def _groups(count: int) -> str:
    return f", {count} groups" if count > 1 else ""


def _drawn_as(layer: LayerParameter) -> str:
    cls = class_for(layer)
    if cls is None:  # a fork's that nobody knows: its name may tell
        return "loss" if layer.type.endswith(("Loss", "Accuracy")) or "WithLoss" in layer.type else ""
    return "data" if cls.is_data else "loss" if cls.is_loss or cls.is_accuracy else cls.drawn_as


def _repeats(boxes: list[_Box], shapes: Mapping[str, Shape]) -> list[tuple[int, int, int]]:
    """Runs of equal blocks: (first box, boxes in a block, blocks), from the start on the one that hides most.

    Blocks are equal if their boxes say the same, have tops of the same shapes and read what stands in the same
    place before them. A block of which something outside reads more than the last one's tops is not hidden.
    """
    signs = [
        (
            tuple(box.text),
            tuple(shapes.get(top) for top in box.tops),
            tuple(i - source for source, _ in box.reads),
        )
        for i, box in enumerate(boxes)
    ]
    furthest: dict[int, int] = defaultdict(int)  # the last box that reads from each
    for i, box in enumerate(boxes):
        for source, _ in box.reads:
            furthest[source] = i
    found, start = [], 0
    while start < len(boxes):
        best = (1, 0, 0)  # hidden boxes, at least 2; period; count
        for period in range(1, (len(boxes) - start) // 2 + 1):
            end = start + period
            while signs[end : end + period] == signs[start : start + period]:
                end += period
            while end > start + period and any(furthest[i] >= end for i in range(start, end - period)):
                end -= period
            if (hidden := end - start - period) > best[0]:
                best = (hidden, period, (end - start) // period)
        if best[1]:
            found.append((start, best[1], best[2]))
        start += max(1, best[1] * best[2])
    return found
