"""ONNX nodes written as arithmetic, for layers that need many: `(x * 2 + y).write(tops[0])`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from caffe_compat.layers.base import ONNX_BOOL, ONNX_FLOAT, ONNX_INT64, Dim, Layer, OnnxGraph

ONNX_DOUBLE = 11  # TensorProto's data type

_TYPES: dict[int, Any] = {
    ONNX_FLOAT: np.float32,
    ONNX_INT64: np.int64,
    ONNX_BOOL: np.bool_,
    ONNX_DOUBLE: np.float64,
}

Operand: TypeAlias = "Value | float | int | bool | Sequence[Any] | np.ndarray"
Size: TypeAlias = "Value | int"  # of an axis: as a value int64 (1,)


class Value:
    """A value of a graph. What an operator makes is one again; numbers beside it become constants of its type.

    kind  ONNX's number of its type, float unless said
    dims  its shape, of a bottom or top: sizes that only a run tells are words
    """

    def __init__(self, graph: OnnxGraph, name: str, kind: int = ONNX_FLOAT, dims: Sequence[Dim] = ()):
        self.graph, self.name, self.kind, self.dims = graph, name, kind, dims

    # -- making values ------------------------------------------------------------------------

    def of(self, other: Operand, kind: int | None = None) -> Value:
        """`other` as a value; numbers are of this one's type, or of `kind`."""
        if isinstance(other, Value):
            return other
        kind = self.kind if kind is None else kind
        return Value(self.graph, self.graph.constant(np.asarray(other, _TYPES[kind]), _TYPES[kind]), kind)

    def whole(self, *numbers: Size) -> Value:
        """Whole numbers (n,), for shapes and the like."""
        if all(isinstance(number, int) for number in numbers):
            return self.of(list(numbers), ONNX_INT64)  # type: ignore[arg-type]  # no values are left
        parts = [self.of([n], ONNX_INT64) if isinstance(n, int) else n for n in numbers]
        return parts[0] if len(parts) == 1 else parts[0].joined(parts[1:], 0)

    def op(self, op_type: str, *others: Operand, kind: int | None = None, **attributes: Any) -> Value:
        """The node of this value and others, whose first output is of this value's type, or of `kind`."""
        names = [self.name, *(self.of(other).name for other in others)]
        return Value(
            self.graph, self.graph.node(op_type, names, **attributes), self.kind if kind is None else kind
        )

    def write(self, top: str) -> None:
        """Make this value the top."""
        self.graph.node("Identity", [self.name], [top])

    def number(self, size: Size) -> Value:
        """A size as a floating point number."""
        return self.of(float(size), ONNX_FLOAT) if isinstance(size, int) else size.float()

    def range(self, count: Size, kind: int = ONNX_INT64) -> Value:
        """0, 1, ... (count,)"""
        if isinstance(count, int):
            return self.of(list(range(count)), kind)
        zero, one = self.of(0, ONNX_INT64), self.of(1, ONNX_INT64)
        return zero.op("Range", count.reshape(), one).cast(kind)

    # -- arithmetic ---------------------------------------------------------------------------

    def __add__(self, other: Operand) -> Value:
        return self.op("Add", other)

    def __sub__(self, other: Operand) -> Value:
        return self.op("Sub", other)

    def __rsub__(self, other: Operand) -> Value:
        return self.of(other).op("Sub", self)

    def __mul__(self, other: Operand) -> Value:
        return self.op("Mul", other)

    def __truediv__(self, other: Operand) -> Value:
        return self.op("Div", other)

    def __and__(self, other: Operand) -> Value:
        return self.op("And", other)

    def __or__(self, other: Operand) -> Value:
        return self.op("Or", other)

    def __invert__(self) -> Value:
        return self.op("Not")

    def __matmul__(self, other: Value) -> Value:
        return self.op("MatMul", other)

    def __lt__(self, other: Operand) -> Value:
        return self.op("Less", other, kind=ONNX_BOOL)

    def __le__(self, other: Operand) -> Value:
        return self.op("LessOrEqual", other, kind=ONNX_BOOL)

    def __gt__(self, other: Operand) -> Value:
        return self.op("Greater", other, kind=ONNX_BOOL)

    def __ge__(self, other: Operand) -> Value:
        return self.op("GreaterOrEqual", other, kind=ONNX_BOOL)

    def equals(self, other: Operand) -> Value:
        return self.op("Equal", other, kind=ONNX_BOOL)

    def least(self, other: Operand) -> Value:
        """The smaller of the two."""
        return self.op("Min", other)

    def most(self, other: Operand) -> Value:
        """The larger of the two."""
        return self.op("Max", other)

    def clamp(self, low: Operand, high: Operand) -> Value:
        return self.most(low).least(high)

    def where(self, condition: Value, other: Operand) -> Value:
        """This value where `condition` holds, else the other."""
        return condition.op("Where", self, self.of(other), kind=self.kind)

    def cast(self, kind: int) -> Value:
        return self if kind == self.kind else self.op("Cast", kind=kind, to=kind)

    def float(self) -> Value:
        return self.cast(ONNX_FLOAT)

    def long(self) -> Value:
        return self.cast(ONNX_INT64)

    def round_away(self) -> Value:
        """C's round: halves go away from 0."""
        size = self.op("Abs")
        whole = size.op("Floor")
        return self.op("Sign") * (whole + (size - whole >= 0.5).cast(self.kind))

    def sum(self, *axes: int, keepdims: bool = False) -> Value:
        return Value(
            self.graph, self.graph.reduce("ReduceSum", self.name, axes, keepdims=keepdims), self.kind
        )

    def mean(self, *axes: int, keepdims: bool = False) -> Value:
        return Value(
            self.graph, self.graph.reduce("ReduceMean", self.name, axes, keepdims=keepdims), self.kind
        )

    def all(self, *axes: int) -> Value:
        """Whether a condition holds all along the axes."""
        name = self.graph.reduce("ReduceMin", self.float().name, axes)
        return Value(self.graph, name).cast(ONNX_BOOL)

    # -- shapes -------------------------------------------------------------------------------

    def size(self, axis: int) -> Size:
        """The size of an axis: a number if it is known before, else a value."""
        known = self.dims[axis] if self.dims else ""
        return (
            known
            if isinstance(known, int)
            else Value(self.graph, self.graph.size(self.name, axis), ONNX_INT64)
        )

    def shape(self) -> Value:
        return self.op("Shape", kind=ONNX_INT64)

    def sizes(self, count: int) -> list[Size]:
        """The sizes of the first axes."""
        return [self.size(axis) for axis in range(count)]

    def reshape(self, *sizes: Size) -> Value:
        """In another shape, where one -1 is what remains."""
        return self.op("Reshape", self.whole(*sizes) if sizes else self.of([], ONNX_INT64))

    def expand(self, *sizes: Size) -> Value:
        """Broadcast to this shape."""
        return self.op("Expand", self.whole(*sizes))

    def transpose(self, *axes: int) -> Value:
        return self.op("Transpose", perm=list(axes))

    def unsqueeze(self, *axes: int) -> Value:
        return self.op("Unsqueeze", self.whole(*axes))

    def squeeze(self, *axes: int) -> Value:
        return self.op("Squeeze", self.whole(*axes))

    def part(self, axis: int, start: Size, end: Size | None = None, step: int = 1) -> Value:
        """From `start` to before `end` (None: to the end) along an axis."""
        last = 2**63 - 1 if step > 0 else -(2**63)
        bounds = (self.whole(start), self.whole(last if end is None else end))
        return self.op("Slice", *bounds, self.whole(axis), self.whole(step))

    def pick(self, axis: int, index: int) -> Value:
        """What stands at a place of an axis, which goes."""
        return self.op("Gather", self.of(index, ONNX_INT64), axis=axis)

    def take(self, axis: int, index: Operand) -> Value:
        """What stands at these places of an axis, which becomes the axes of `index`."""
        return self.op("Gather", self.of(index, ONNX_INT64), axis=axis)

    def joined(self, others: Sequence[Value], axis: int) -> Value:
        """This value and the others one after the other along an axis."""
        return self.op("Concat", *others, axis=axis) if others else self

    def padded(self, *edges: tuple[int, int]) -> Value:
        """With so many zeros before and after each axis."""
        if not any(map(any, edges)):
            return self
        return self.op("Pad", self.whole(*(n for n, _ in edges), *(n for _, n in edges)), self.of(0))

    def largest(self, count: Size, axis: int = -1, smallest: bool = False) -> tuple[Value, Value]:
        """The `count` largest along an axis in order, of equal ones the first first; and where they stand."""
        value, index = self.graph.fresh(2)
        names = [self.name, self.whole(count).name]
        self.graph.node("TopK", names, [value, index], axis=axis, largest=int(not smallest), sorted=1)
        return Value(self.graph, value, self.kind), Value(self.graph, index, ONNX_INT64)


def values(graph: OnnxGraph, names: Sequence[str]) -> list[Value]:
    """Bottoms as values."""
    return [Value(graph, name, dims=graph.shape(name)) for name in names]


def known_sizes(layer: Layer, graph: OnnxGraph, name: str) -> list[int]:
    """Height and width of a bottom or top, where what the layer does depends on them; fails if they are open."""
    sizes = graph.shape(name)[-2:]
    if not all(isinstance(size, int) for size in sizes):
        layer.fail(
            f"cannot be exported for pictures of any size: '{name}' is {sizes[0]} x {sizes[1]}, and its weights depend on "
            "the size; leave dynamic size out"
        )
    return list(sizes)


def blob(graph: OnnxGraph, layer: Layer, index: int, *shape: int) -> Value:
    """A layer's learned blob, in another shape if one is given."""
    return Value(graph, graph.blob(layer, index, shape or None))
