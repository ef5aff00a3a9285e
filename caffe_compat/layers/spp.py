"""SPP: spatial pyramid pooling, a fixed number of values from an image of any size."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.layers.base import ONNX_FLOAT, Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.pooling import Pooling
from caffe_compat.proto import LayerParameter, PoolingParameter, SPPParameter

_METHOD = {
    SPPParameter.MAX: PoolingParameter.MAX,
    SPPParameter.AVE: PoolingParameter.AVE,
    SPPParameter.STOCHASTIC: PoolingParameter.STOCHASTIC,
}


@layer("SPP")
class SPP(Layer):
    """top = for each level l < pyramid_height, the bottom pooled into 2^l x 2^l bins, flattened and joined

    Caffe: src/caffe/layers/spp_layer.cpp
    A bin's kernel is ceil(size / bins), also its stride, and the padding half of what is missing, rounded
    up. With one level the top stays N x C x 1 x 1.
    """

    drawn_as = "window"
    num_bottom = num_top = 1

    def reshape(self, *bottom: Shape) -> list[Shape]:
        (shape,) = bottom
        levels = self.param.spp_param.pyramid_height
        if levels < 1:
            self.fail(f"spp_param.pyramid_height is {levels} and must be at least 1")
        if len(shape) != 4:
            self.fail(
                f"bottom of shape {shape} has {len(shape)} axes and must have 4: num, channels, height, width"
            )
        if 0 in shape[2:]:
            self.fail(
                f"bottom of shape {shape} is {shape[2]} x {shape[3]} and must have a height and width above 0"
            )
        self.levels = [self._level(2**level, *shape[2:]) for level in range(levels)]
        tops = []
        for pooling in self.levels:
            pooling.setup(shape)
            tops += pooling.reshape(shape)
        if levels == 1:
            return tops
        return [(shape[0], sum(math.prod(top[1:]) for top in tops))]

    def _level(self, bins: int, height: int, width: int) -> Pooling:
        param = LayerParameter(
            name=self.name,
            type="Pooling",
            bottom=self.param.bottom,
            top=self.param.top,
            origin=self.param.origin,
        )
        pool = param.pooling_param
        for side, size in (("h", height), ("w", width)):
            kernel = -(-size // bins)
            setattr(pool, f"kernel_{side}", kernel)
            setattr(pool, f"stride_{side}", kernel)
            setattr(pool, f"pad_{side}", (kernel * bins - size + 1) // 2)
        pool.pool = _METHOD[self.param.spp_param.pool]
        return Pooling(param, self.phase, self.context)

    def per_record(self) -> bool:
        return True

    def forward(self, bottom: Tensor) -> Tensor:
        tops = [pooling(bottom) for pooling in self.levels]
        return tops[0] if len(tops) == 1 else torch.cat([top.flatten(1) for top in tops], 1)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if any(isinstance(size, str) for size in graph.shape(bottoms[0])[2:]):
            self._open_to_onnx(graph, bottoms[0], tops)
            return
        if len(self.levels) == 1:
            self.levels[0].to_onnx(graph, bottoms, tops)
            return
        parts = graph.fresh(len(self.levels))
        for pooling, part in zip(self.levels, parts, strict=True):
            pooling.to_onnx(graph, bottoms, [part])
        graph.node("Concat", [graph.node("Flatten", [part], axis=1) for part in parts], tops, axis=1)

    def _open_to_onnx(self, graph: OnnxGraph, x: str, tops: list[str]) -> None:
        """For pictures whose size only a run tells: bins are cut out one by one, first rows, then columns."""
        operator = {PoolingParameter.MAX: "ReduceMax", PoolingParameter.AVE: "ReduceSum"}.get(
            _METHOD[self.param.spp_param.pool]
        )
        if operator is None:
            self.fail(
                "cannot be exported for pictures of any size: use AVE or MAX, or leave --dynamic-size out"
            )
        parts = []
        for level in range(len(self.levels)):
            value, counts = x, []
            for axis in (2, 3):
                starts, ends, count = self._bins(graph, x, axis, 2**level)
                at = graph.constant([axis])
                rows = [
                    graph.reduce(
                        operator, graph.node("Slice", [value, start, end, at]), [axis], keepdims=True
                    )
                    for start, end in zip(starts, ends, strict=True)
                ]
                value = graph.node("Concat", rows, axis=axis)
                counts.append(graph.node("Cast", [count], to=ONNX_FLOAT))
            if operator == "ReduceSum":
                divisor = graph.node(
                    "Mul", [graph.node("Unsqueeze", [counts[0], graph.constant([1])]), counts[1]]
                )
                value = graph.node("Div", [value, divisor])
            parts.append(value)
        if len(parts) == 1:
            graph.node("Identity", parts, tops)
            return
        graph.node("Concat", [graph.node("Flatten", [part], axis=1) for part in parts], tops, axis=1)

    def _bins(self, graph: OnnxGraph, x: str, axis: int, bins: int) -> tuple[list[str], list[str], str]:
        """Where the bins of one axis start and end, and how much of each counts in a mean, pads included."""
        size = graph.size(x, axis)
        kernel = graph.node("Add", [size, graph.constant([bins - 1])])
        kernel = graph.node("Div", [kernel, graph.constant([bins])])
        missing = graph.node("Sub", [graph.node("Mul", [kernel, graph.constant([bins])]), size])
        pad = graph.node("Div", [graph.node("Add", [missing, graph.constant([1])]), graph.constant([2])])
        first = graph.node("Sub", [graph.node("Mul", [graph.constant(list(range(bins))), kernel]), pad])
        last = graph.node("Add", [first, kernel])
        count = graph.node("Sub", [graph.node("Min", [last, graph.node("Add", [size, pad])]), first])
        first = graph.node("Max", [first, graph.constant([0])])
        last = graph.node("Min", [last, size])
        starts, ends = graph.fresh(bins), graph.fresh(bins)
        for value, parts in ((first, starts), (last, ends)):
            graph.node("Split", [value, graph.constant([1] * bins)], parts, axis=0)
        return starts, ends, count
