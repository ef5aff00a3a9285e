"""The graph that layers write themselves into. Nothing here knows how ONNX stores it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import ArrayLike, DTypeLike

from caffe_compat.errors import NetError
from caffe_compat.layers.base import Dim, Layer, Shape
from caffe_compat.layers.onnx_graph import Learned

END = 2**63 - 1  # what Slice takes for "to the end"


@dataclass
class Node:
    """One operator. `layers` are those it was made of, the first one first."""

    op_type: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]
    layers: list[Layer]

    @property
    def bodies(self) -> list[Body]:
        return [value for value in self.attributes.values() if isinstance(value, Body)]

    def reads(self) -> Iterator[str]:
        """Every value that the node needs, those that its bodies take from outside included."""
        yield from self.inputs
        for body in self.bodies:
            for node in body.nodes:
                yield from node.reads()
            yield from body.outputs

    def rename(self, old: str, new: str) -> None:
        """Read `new` where `old` was read."""
        self.inputs = [new if name == old else name for name in self.inputs]
        for body in self.bodies:
            body.outputs = [new if name == old else name for name in body.outputs]
            for node in body.nodes:
                node.rename(old, new)


@dataclass
class Body:
    """What a Scan does in every turn."""

    nodes: list[Node]
    inputs: list[str]
    outputs: list[str]


@dataclass
class Graph:
    """Nodes in the order they run, constants, and the shapes of the net's blobs; see layers.base.OnnxGraph.

    layer      the one that is writing now
    shapes     of inputs, bottoms and tops
    constants  by name, learned blobs among them
    fills      values that are one number all over
    values     what is known of bottoms and tops that do not depend on the inputs
    taken      names that no other value may get
    """

    opset: int
    taken: set[str] = field(default_factory=set)
    nodes: list[Node] = field(default_factory=list)
    shapes: dict[str, tuple[Dim, ...]] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    fills: dict[str, float] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    layer: Layer | None = None

    def __post_init__(self) -> None:
        self._blobs: dict[int, dict[tuple[Shape, bool], str]] = {}
        self._unnamed: dict[tuple[str, Shape, bytes], str] = {}
        self._ordered: dict[tuple[int, Shape, Shape], str] = {}

    # -- what layers call: the protocol says what each does -------------------------------------

    def node(
        self, op_type: str, inputs: Sequence[str], outputs: Sequence[str] | None = None, **attributes: Any
    ) -> str:
        names = [self.unique(f"{self._head}{op_type}")] if outputs is None else list(outputs)
        layers = [] if self.layer is None else [self.layer]
        self.nodes.append(Node(op_type, list(inputs), names, attributes, layers))
        return names[0]

    def fresh(self, count: int) -> list[str]:
        return [self.unique(f"{self._head}value") for _ in range(count)]

    def constant(self, value: ArrayLike, dtype: DTypeLike | None = None, name: str = "") -> str:
        array = np.asarray(value, dtype)
        if dtype is None:
            with np.errstate(over="ignore"):
                array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        if name:
            name = self.unique(f"{self._head}{name}")
            self.constants[name] = array
            return name
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._unnamed:
            self._unnamed[key] = self.unique("constant")
            self.constants[self._unnamed[key]] = array
        return self._unnamed[key]

    def blob(self, layer: Learned, index: int, shape: Shape | None = None, transposed: bool = False) -> str:
        blob = layer.blobs[index].detach()
        form = (tuple(blob.shape) if shape is None else tuple(shape), transposed)
        known = self._blobs.setdefault(id(layer.owned_blobs()[index]), {})
        if form not in known:
            if known:  # shared, in another form: one constant, seen anew
                (old, turned), name = next(iter(known.items()))
                name = self.node("Transpose", [name]) if turned else name
                name = self.reshape(name, form[0], source=old) if old != form[0] else name
                known[form] = self.node("Transpose", [name]) if transposed else name
            else:
                specs = layer.param.param
                given = specs[index].name if index < len(specs) else ""
                known[form] = self.unique(given or f"{layer.name}.{index}")
                array = blob.float().cpu().reshape(form[0]).numpy()
                self.constants[known[form]] = array.T if transposed else array
        return known[form]

    def ordered_blob(self, layer: Learned, index: int, shape: Shape, order: Sequence[int]) -> str:
        key = (id(layer.owned_blobs()[index]), tuple(shape), tuple(order))
        if key not in self._ordered:
            parts = layer.blobs[index].detach().float().cpu().chunk(len(order))
            array = torch.cat([parts[place] for place in order]).reshape(shape).numpy()
            self._ordered[key] = self.unique(f"{layer.name}.{index}")
            self.constants[self._ordered[key]] = array
        return self._ordered[key]

    def shape(self, value: str) -> tuple[Any, ...]:
        return self.shapes[value]

    def known(self, value: str) -> np.ndarray | None:
        return self.values.get(value)

    def size(self, value: str, axis: int) -> str:
        known = self.shapes.get(value, ())
        if axis < len(known) and isinstance(known[axis], int):
            return self.constant([known[axis]])
        return self.node("Gather", [self.node("Shape", [value]), self.constant([axis])])

    def reshape(
        self,
        value: str,
        shape: Sequence[Dim],
        outputs: Sequence[str] | None = None,
        source: Sequence[Dim] | None = None,
    ) -> str:
        old, new = tuple(source if source is not None else self.shapes[value]), tuple(shape)
        if old == new:
            return self.node("Identity", [value], outputs)
        if len(new) == 2 and old and new[0] == old[0] != -1:
            return self.node("Flatten", [value], outputs, axis=1)
        sizes: list[Any] = [
            0 if isinstance(n, str) and old[i : i + 1] == (n,) else n for i, n in enumerate(new)
        ]
        unknown = [i for i, size in enumerate(sizes) if isinstance(size, str)]
        if unknown and -1 not in sizes:
            rest = next((i for i in unknown if sizes[i] not in old), unknown[0])
            sizes[rest] = -1
            unknown.remove(rest)
        if not unknown:
            return self.node("Reshape", [value, self.constant(sizes)], outputs)
        if any(sizes[i] not in old for i in unknown):
            self.fail(
                f"cannot be exported for a batch of any size: the top {new} of bottom {old} is not known before "
                "it runs; give --static-batch, and leave --dynamic-size out"
            )
        parts = [
            self.size(value, old.index(size)) if isinstance(size, str) else self.constant([size])
            for size in sizes
        ]
        return self.node("Reshape", [value, self.node("Concat", parts, axis=0)], outputs)

    def reduce(
        self,
        op_type: str,
        value: str,
        axes: Sequence[int],
        outputs: Sequence[str] | None = None,
        keepdims: bool = False,
    ) -> str:
        if self.opset >= (13 if op_type == "ReduceSum" else 18):
            return self.node(op_type, [value, self.constant(axes)], outputs, keepdims=int(keepdims))
        return self.node(op_type, [value], outputs, axes=list(axes), keepdims=int(keepdims))

    def slice(
        self, value: str, axis: int, start: int, end: int | None, outputs: Sequence[str] | None = None
    ) -> str:
        bounds = [self.constant([number]) for number in (start, END if end is None else end, axis)]
        return self.node("Slice", [value, *bounds], outputs)

    def scan(
        self,
        step: Callable[[list[str], list[str]], tuple[Sequence[str], Sequence[str]]],
        states: Sequence[str],
        sequences: Sequence[str],
        outputs: Sequence[str],
    ) -> None:
        inputs = self.fresh(len(states) + len(sequences))
        outer, self.nodes = self.nodes, []
        results: list[str] = []
        last, each = step(inputs[: len(states)], inputs[len(states) :])
        for value in (*last, *each):  # every output of a body must be a value of its own
            results.append(self.node("Identity", [value]) if value in (*results, *inputs) else value)
        body, self.nodes = Body(self.nodes, inputs, results), outer
        self.node("Scan", [*states, *sequences], outputs, body=body, num_scan_inputs=len(sequences))

    # -- for the exporter -----------------------------------------------------------------------

    def unique(self, name: str) -> str:
        """`name`, or `name_2` and so on if that is taken; taken from now on."""
        candidate, count = name, 1
        while candidate in self.taken:
            count += 1
            candidate = f"{name}_{count}"
        self.taken.add(candidate)
        return candidate

    def fail(self, what: str) -> NoReturn:
        """Raise LayerError in the name of the layer that is writing."""
        if self.layer is None:
            raise NetError(what)
        self.layer.fail(what)

    @property
    def _head(self) -> str:
        return f"{self.layer.name}/" if self.layer is not None else ""


def first_difference(one: Graph, other: Graph) -> Node | None:
    """The first node of `one` that is another one in `other`, or the last that both have before one ends."""
    for a, b in zip(one.nodes, other.nodes, strict=False):
        if not _same(one, other, a, b):
            return a
    return (
        None if len(one.nodes) == len(other.nodes) else one.nodes[min(len(one.nodes), len(other.nodes)) - 1]
    )


def _same(one: Graph, other: Graph, a: Node, b: Node) -> bool:
    if (a.op_type, len(a.inputs), len(a.outputs), a.attributes.keys()) != (
        b.op_type, len(b.inputs), len(b.outputs), b.attributes.keys()
    ):  # fmt: skip
        return False
    for name, value in a.attributes.items():
        theirs = b.attributes[name]
        if not isinstance(value, Body):
            if value != theirs:
                return False
        elif len(value.nodes) != len(theirs.nodes) or not all(
            _same(one, other, *pair) for pair in zip(value.nodes, theirs.nodes, strict=True)
        ):
            return False
    return all(
        _equal(one.constants[x], other.constants[y])
        if x in one.constants and y in other.constants
        else (x in one.constants) == (y in other.constants)
        for x, y in zip(a.inputs, b.inputs, strict=True)
    )


def _equal(x: np.ndarray, y: np.ndarray) -> bool:
    if x.__array_interface__ == y.__array_interface__:  # learned blobs are one memory, however large
        return True
    return np.array_equal(x, y, equal_nan=x.dtype.kind == "f" and y.dtype.kind == "f")
