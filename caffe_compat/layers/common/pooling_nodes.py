"""Pooling in ONNX, whose rounding, pads and counting are not Caffe's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn, Protocol

import numpy as np
import torch
from torch import Tensor

from caffe_compat.layers.base import ONNX_FLOAT, ONNX_INT64, TRAIN, OnnxGraph, Shape
from caffe_compat.proto import PoolingParameter

LOWEST = -3.4028234663852886e38  # -FLT_MAX, where Caffe starts looking for a maximum, in double too


class Pooled(Protocol):
    """What is asked of a Pooling layer: its windows, as (height, width), and how it takes them."""

    phase: int
    method: int
    is_global: bool
    has_mask: bool
    ceil: bool
    kernel: Shape
    stride: Shape
    pad: Shape
    sizes: Shape

    def divisor(self, spatial: Sequence[int], device: torch.device | None = None) -> Tensor: ...

    def fail(self, what: str) -> NoReturn: ...


class PoolingNodes:
    """Writes a Pooling layer into a graph."""

    def __init__(self, layer: Pooled):
        self.phase, self.method, self.is_global = layer.phase, layer.method, layer.is_global
        self.has_mask, self.ceil = layer.has_mask, layer.ceil
        self.kernel, self.stride, self.pad, self.sizes = layer.kernel, layer.stride, layer.pad, layer.sizes
        self.divisor, self.fail = layer.divisor, layer.fail

    def write(self, graph: OnnxGraph, x: str, tops: list[str]) -> None:
        """Add the nodes that make `tops` of x; the layer's `reshape` has just run."""
        if any(isinstance(size, str) for size in graph.shape(x)[2:]):
            self._open_to_onnx(graph, x, tops)
        elif self.method == PoolingParameter.MAX:
            self._maximum_to_onnx(graph, x, tops)
        elif self.method == PoolingParameter.AVE:
            self._mean_to_onnx(graph, x, tops)
        else:
            self._stochastic_to_onnx(graph, x, tops)

    # -- pictures whose size only a run tells ----------------------------------------------------

    def _open_to_onnx(self, graph: OnnxGraph, x: str, tops: list[str]) -> None:
        if self.is_global and self.method != PoolingParameter.STOCHASTIC:
            self._global_to_onnx(graph, x, tops)
            return
        if self.is_global or (self.method == PoolingParameter.STOCHASTIC and self.phase == TRAIN):
            self.fail(
                "cannot be exported for pictures of any size: use AVE or MAX, or leave --dynamic-size out"
            )
        # Runtimes differ in what they do with a last window that starts outside; here none can.
        rounded = self.ceil and max(self.stride) > 1
        rows = zip(self.kernel, self.stride, self.pad, strict=True)
        if not rounded or all(s == 1 or k >= p + s for k, s, p in rows):
            window = {"ceil_mode": 1} if rounded else {}
            if self.method == PoolingParameter.AVE and rounded and any(self.pad):
                # Caffe counts the pads, as zeros of a larger image, but nothing that lies beyond them.
                x = _padded(graph, x, [0, 0, *self.pad, 0, 0, *self.pad], 0.0)
                graph.node("AveragePool", [x], tops, **self._window(), **window)
            elif self.method == PoolingParameter.AVE:
                counted = {"count_include_pad": 1} if any(self.pad) else {}
                graph.node("AveragePool", [x], tops, **self._window(self.pad, self.pad), **window, **counted)
            elif self.method == PoolingParameter.MAX:
                self._places_to_onnx(graph, x, tops, {**self._window(self.pad, self.pad), **window})
            else:
                self._shares_to_onnx(graph, x, {**self._window(), **window}, tops)
            return
        # The far side is filled up as the file runs, so that no window needs rounding.
        edges = [self._edge(graph, x, axis) for axis in (0, 1)]
        near = [graph.constant([0, 0, *self.pad, 0, 0])]
        pads = graph.node("Concat", [*near, *(far for _, far in edges)], axis=0)
        if self.method == PoolingParameter.MAX:
            full = _padded(graph, x, pads, LOWEST)
            self._places_to_onnx(graph, full, tops, self._window(), x)
            return
        full = _padded(graph, x, pads, 0.0)
        if self.method == PoolingParameter.STOCHASTIC:
            self._shares_to_onnx(graph, full, self._window(), tops)
            return
        top = graph.node("AveragePool", [full], **self._window())
        total = graph.node("Mul", [top, graph.constant(float(math.prod(self.kernel)))])
        counts = [self._counted(graph, x, axis, edges[axis][0]) for axis in (0, 1)]
        divisor = graph.node("Mul", [graph.node("Unsqueeze", [counts[0], graph.constant([1])]), counts[1]])
        graph.node("Div", [total, graph.node("Cast", [divisor], to=ONNX_FLOAT)], tops)

    def _edge(self, graph: OnnxGraph, x: str, axis: int) -> tuple[str, str]:
        """How many windows there are, and how far the last one reaches beyond the image: int64 (1,) as the file runs."""
        k, s, p = self.kernel[axis], self.stride[axis], self.pad[axis]
        size = graph.size(x, 2 + axis)
        room = graph.node("Add", [size, graph.constant([2 * p - k + (s - 1) * self.ceil])])
        last = graph.node("Div", [room, graph.constant([s])])
        start = graph.node("Mul", [last, graph.constant([s])])
        if any(self.pad):
            outside = graph.node("GreaterOrEqual", [start, graph.node("Add", [size, graph.constant([p])])])
            last = graph.node("Sub", [last, graph.node("Cast", [outside], to=ONNX_INT64)])
            start = graph.node("Mul", [last, graph.constant([s])])
        end = graph.node("Add", [start, graph.constant([k - p])])
        far = graph.node("Max", [graph.node("Sub", [end, size]), graph.constant([0])])
        return graph.node("Add", [last, graph.constant([1])]), far

    def _counted(self, graph: OnnxGraph, x: str, axis: int, windows: str) -> str:
        """How much of each window counts in a mean, along one axis: `divisor` as the file runs."""
        k, s, p = self.kernel[axis], self.stride[axis], self.pad[axis]
        count = graph.node("Squeeze", [windows, graph.constant([0])])
        place = graph.node("Range", [graph.constant(0), count, graph.constant(1)])
        start = graph.node("Mul", [place, graph.constant(s)])  # in the padded image
        size = graph.node("Add", [graph.size(x, 2 + axis), graph.constant([2 * p])])
        end = graph.node("Min", [graph.node("Add", [start, graph.constant(k)]), size])
        return graph.node("Sub", [end, start])

    def _places_to_onnx(
        self, graph: OnnxGraph, x: str, tops: list[str], window: dict[str, Any], image: str = ""
    ) -> None:
        """The maxima and their places, of an `image` that x is with pads, or of x."""
        if not self.has_mask:
            graph.node("MaxPool", [x], tops, **window)
            return
        (index,) = graph.fresh(1)
        graph.node("MaxPool", [x], [tops[0], index], **window)
        shape = graph.node("Shape", [x])
        height, width = (graph.node("Gather", [shape, graph.constant([axis])]) for axis in (2, 3))
        # ONNX counts places through the whole blob.
        place = graph.node("Mod", [index, graph.node("Mul", [height, width])])
        if image:
            row = graph.node("Sub", [graph.node("Div", [place, width]), graph.constant(self.pad[0])])
            column = graph.node("Sub", [graph.node("Mod", [place, width]), graph.constant(self.pad[1])])
            place = graph.node("Add", [graph.node("Mul", [row, graph.size(image, 3)]), column])
        place = graph.node("Cast", [place], to=ONNX_FLOAT)
        nowhere = graph.node("Equal", [tops[0], graph.constant(LOWEST)])
        graph.node("Where", [nowhere, graph.constant(-1.0), place], tops[1:])

    def _global_to_onnx(self, graph: OnnxGraph, x: str, tops: list[str]) -> None:
        graph.node(
            "GlobalMaxPool" if self.method == PoolingParameter.MAX else "GlobalAveragePool", [x], tops[:1]
        )
        if self.has_mask:
            flat = graph.node("Reshape", [x, graph.constant([0, 0, -1])])
            place = graph.node("ArgMax", [flat], axis=2, keepdims=1)
            place = graph.node("Unsqueeze", [place, graph.constant([3])])
            graph.node("Cast", [place], tops[1:], to=ONNX_FLOAT)

    # -- pictures of a known size ----------------------------------------------------------------

    def _inside(self, spatial: Sequence[int]) -> tuple[list[int], list[int]]:
        """How many windows hold a part of the image, and how far the last of them reach beyond it."""
        rows = list(zip(spatial, self.pad, self.sizes, self.stride, self.kernel, strict=True))
        count = [min(out, -(-(size + p) // s)) for size, p, out, s, _ in rows]
        far = [max(0, (n - 1) * s + k - size - p) for (size, p, _, s, k), n in zip(rows, count, strict=True)]
        return count, far

    def _window(self, near: Sequence[int] = (0, 0), far: Sequence[int] = (0, 0)) -> dict[str, Any]:
        """The attributes of a pooling node. Pads say which windows there are, so none is rounded."""
        window: dict[str, Any] = {"kernel_shape": list(self.kernel), "strides": list(self.stride)}
        return {**window, "pads": [*near, *far]} if any((*near, *far)) else window

    def _beyond(
        self, graph: OnnxGraph, value: str, count: Sequence[int], number: float, outputs: Sequence[str] | None
    ) -> str:
        """`value` with the windows that lie outside the image, which are all `number`."""
        pads = [0] * 6 + [out - n for out, n in zip(self.sizes, count, strict=True)]
        return graph.node("Pad", [value, graph.constant(pads), graph.constant(number)], outputs)

    def _maximum_to_onnx(self, graph: OnnxGraph, x: str, tops: list[str]) -> None:
        if self.is_global and not self.has_mask:
            graph.node("GlobalMaxPool", [x], tops)
            return
        count, far = self._inside(graph.shape(x)[2:])
        whole = tuple(count) == self.sizes
        outputs = [*(tops[:1] if whole else graph.fresh(1)), *(graph.fresh(1) if self.has_mask else [])]
        graph.node("MaxPool", [x], outputs, **self._window(self.pad, far))
        if not whole:
            self._beyond(graph, outputs[0], count, LOWEST, tops[:1])
        if self.has_mask:
            # ONNX counts places through the whole blob.
            plane = graph.node("Mul", [graph.size(x, 2), graph.size(x, 3)])
            place = graph.node("Mod", [outputs[1], plane])
            place = graph.node("Cast", [place], tops[1:] if whole else None, to=ONNX_FLOAT)
            if not whole:
                self._beyond(graph, place, count, -1.0, tops[1:])

    def _mean_to_onnx(self, graph: OnnxGraph, x: str, tops: list[str]) -> None:
        if self.is_global:
            graph.node("GlobalAveragePool", [x], tops)
            return
        spatial = graph.shape(x)[2:]
        count, far = self._inside(spatial)
        whole = tuple(count) == self.sizes
        outputs = tops if whole else None
        if all(f <= p for f, p in zip(far, self.pad, strict=True)):  # every window counts whole
            counted = {"count_include_pad": 1} if any(self.pad) else {}
            top = graph.node("AveragePool", [x], outputs, **self._window(self.pad, far), **counted)
        else:  # Caffe counts the pads, as zeros of a larger image, but nothing that lies beyond them
            beyond = [max(0, f - p) for f, p in zip(far, self.pad, strict=True)]
            if any(self.pad):
                pads = graph.constant([0, 0, *self.pad, 0, 0, *self.pad])
                x = graph.node("Pad", [x, pads, graph.constant(0.0)])
            top = graph.node("AveragePool", [x], outputs, **self._window(far=beyond))
        if not whole:
            divisor = self.divisor(spatial)
            nowhere = bool((divisor == 0).any())  # the mean of nothing is NaN
            top = self._beyond(graph, top, count, 0.0, None if nowhere else tops)
            if nowhere:
                factor = np.where(divisor.numpy() == 0, math.nan, 1.0)
                graph.node("Mul", [top, graph.constant(factor, name="factor")], tops)

    def _stochastic_to_onnx(self, graph: OnnxGraph, x: str, tops: list[str]) -> None:
        if self.phase == TRAIN:
            self.fail("cannot be exported: in TRAIN it draws a value at random; export the TEST net")
        count, far = self._inside(graph.shape(x)[2:])
        whole = tuple(count) == self.sizes
        # Of whole windows, pads included: the ratio of the two is not changed by what both are divided by.
        window = {**self._window(far=far), **({"count_include_pad": 1} if any(far) else {})}
        top = self._shares_to_onnx(graph, x, window, tops if whole else None)
        if not whole:
            self._beyond(graph, top, count, 0.0, tops)

    def _shares_to_onnx(
        self, graph: OnnxGraph, x: str, window: dict[str, Any], outputs: Sequence[str] | None
    ) -> str:
        """The mean weighted by the values themselves."""
        squares, total = (
            graph.node("AveragePool", [value], **window) for value in (graph.node("Mul", [x, x]), x)
        )
        positive = graph.node("Greater", [total, graph.constant(0.0)])
        divisor = graph.node("Where", [positive, total, graph.constant(1.0)])
        ratio = graph.node("Div", [squares, divisor])
        return graph.node("Where", [positive, ratio, graph.constant(0.0)], outputs)


def _padded(graph: OnnxGraph, x: str, pads: str | list[int], number: float) -> str:
    return graph.node(
        "Pad", [x, pads if isinstance(pads, str) else graph.constant(pads), graph.constant(number)]
    )
