"""Filter: the items of a batch that a selector marks."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from caffe_compat.layers.base import ONNX_BOOL, Layer, OnnxGraph, Shape, as_tops, layer


@layer("Filter")
class Filter(Layer):
    """top_k = the items of bottom_k whose entry in the last bottom, the selector, is not 0

    Caffe: src/caffe/layers/filter_layer.cpp
    How many there are is known only in `forward`; `reshape` says the most there can be, as Caffe does
    when the net is built.
    """

    num_bottom = (2, None)
    num_top = (1, None)
    dynamic = True

    def allow_force_backward(self, index: int) -> bool:
        return index != len(self.param.bottom) - 1

    def setup(self, *bottom: Shape) -> None:
        tops = len(self.param.top)
        if tops != len(bottom) - 1:
            self.fail(
                f"has {tops} tops for {len(bottom)} bottoms; give a top for every bottom but the last, the selector"
            )

    def reshape(self, *bottom: Shape) -> list[Shape]:
        *data, selector = bottom
        if not selector or any(size != 1 for size in selector[1:]):
            self.fail(
                f"the selector (last bottom) of shape {selector} must hold one number an item; reshape it to N"
            )
        for i, shape in enumerate(data):
            if shape[:1] != selector[:1]:
                self.fail(
                    f"bottom {i} of shape {shape} and the selector of shape {selector} differ in their first "
                    "dimension; give the selector one number an item"
                )
        return data

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        *data, selector = bottom
        if selector.requires_grad:
            self.fail(
                "cannot backpropagate to the selector (last bottom); set `propagate_down: false` for it"
            )
        chosen = selector.reshape(-1).nonzero().squeeze(1)
        return as_tops(x.index_select(0, chosen) for x in data)

    def example(self, index: int, shape: Shape, random: np.random.Generator) -> np.ndarray | None:
        return random.integers(0, 2, shape) if index == len(self.param.bottom) - 1 else None

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        *data, selector = bottoms
        chosen = graph.node("Cast", [graph.reshape(selector, (-1,))], to=ONNX_BOOL)
        for bottom, top in zip(data, tops, strict=True):
            graph.node("Compress", [bottom, chosen], [top], axis=0)
