"""What a layer's `to_onnx` writes into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from torch import nn

from caffe_compat.layers.blobs import Blobs
from caffe_compat.layers.facts import Shape
from caffe_compat.proto import LayerParameter

ONNX_FLOAT, ONNX_INT64, ONNX_BOOL = 1, 7, 9  # TensorProto's data types, for Cast
Dim = int | str  # a size in an exported file; a word names one that only a run tells: "N", the batch's


class Learned(Protocol):
    """A layer, for what a graph asks of it: its parameters and its learned tensors."""

    name: str
    param: LayerParameter
    blobs: Blobs

    def owned_blobs(self) -> list[nn.Parameter]: ...


class OnnxGraph(Protocol):
    """What a layer's `to_onnx` writes into (export/graph.py). Values are known by their names.

    opset  the version of ONNX's operators to write
    """

    opset: int

    def node(
        self, op_type: str, inputs: Sequence[str], outputs: Sequence[str] | None = None, **attributes: Any
    ) -> str:
        """Add a node and return its first output; without `outputs` it has one, of a new name. "" is no input."""

    def fresh(self, count: int) -> list[str]:
        """New names, for the outputs of a node that has several."""

    def constant(self, value: Any, dtype: Any = None, name: str = "") -> str:
        """A constant: float32 from floats and int64 from whole numbers, unless `dtype` says otherwise.

        A `name` says what it is to the layer; without one, equal constants are one.
        """

    def blob(self, layer: Learned, index: int, shape: Shape | None = None, transposed: bool = False) -> str:
        """The layer's learned blob `index`, seen in another shape or with its two axes exchanged if wanted."""

    def ordered_blob(self, layer: Learned, index: int, shape: Shape, order: Sequence[int]) -> str:
        """The blob in another shape, with the `len(order)` equal parts of its axis 0 in this order."""

    def known(self, value: str) -> np.ndarray | None:
        """What a bottom or top holds, if that does not depend on the inputs; None if it does.

        Where sizes are open it is for the net as it stands.
        """

    def shape(self, value: str) -> tuple[Any, ...]:
        """The shape of a bottom or top, each a Dim: sizes that only a run tells are words, the same word the same size."""

    def size(self, value: str, axis: int) -> str:
        """The size of an axis as the file runs: int64 (1,)."""

    def reshape(
        self,
        value: str,
        shape: Sequence[Dim],
        outputs: Sequence[str] | None = None,
        source: Sequence[Dim] | None = None,
    ) -> str:
        """`value` in another shape, where one -1 is what remains.

        `source` is its own shape where it is not a bottom or a top.
        """

    def reduce(
        self,
        op_type: str,
        value: str,
        axes: Sequence[int],
        outputs: Sequence[str] | None = None,
        keepdims: bool = False,
    ) -> str:
        """A node of the Reduce family, whose axes are an attribute or an input, as `opset` has it."""

    def slice(
        self, value: str, axis: int, start: int, end: int | None, outputs: Sequence[str] | None = None
    ) -> str:
        """Part of one axis, from `start` to before `end` (None: to its end)."""

    def scan(
        self,
        step: Callable[[list[str], list[str]], tuple[Sequence[str], Sequence[str]]],
        states: Sequence[str],
        sequences: Sequence[str],
        outputs: Sequence[str],
    ) -> None:
        """A loop over axis 0 of `sequences`: step(states, slices) adds one turn's nodes and returns (states, results).

        `outputs` are the last states, then every result with all turns stacked on axis 0.
        """
