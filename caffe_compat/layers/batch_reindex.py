"""BatchReindex: items of a batch chosen, repeated or reordered by a list of positions."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from torch import Tensor

from caffe_compat.layers.base import ONNX_INT64, OnnxGraph, Shape, layer
from caffe_compat.layers.common.indices import Indexed, poisoned


@layer("BatchReindex")
class BatchReindex(Indexed):
    """top[i] = bottom0[int(bottom1[i])]

    Caffe: src/caffe/layers/batch_reindex_layer.cpp
    A position outside the batch is an error at once on the CPU; elsewhere the top is NaN and `verify` tells.
    """

    num_bottom = 2
    num_top = 1

    def allow_force_backward(self, index: int) -> bool:
        return index == 0

    def reshape(self, *bottom: Shape) -> list[Shape]:
        data, index = bottom
        if len(index) != 1:
            self.fail(f"bottom 1 of shape {index} has {len(index)} axes and must have 1; flatten it")
        self.axis(0, data)
        self.records = data[0]
        return [(*index, *data[1:])]

    def forward(self, data: Tensor, index: Tensor) -> Tensor:
        if index.requires_grad:
            self.fail("cannot backpropagate to the positions in bottom 1; set `propagate_down: false` for it")
        any_bad = self.any_bad((index < 0) | (index >= self.records), index)
        if any_bad is None:
            return data.index_select(0, index.long())
        return poisoned(data.index_select(0, index.long().clamp(0, self.records - 1)), any_bad)

    def refuse(self, position: float) -> NoReturn:
        self.fail(
            f"position {position:g} in bottom 1 is outside the batch of {self.records}; use 0 to {self.records - 1}"
        )

    def example(self, index: int, shape: Shape, random: np.random.Generator) -> np.ndarray | None:
        return random.integers(0, self.records, shape) if index == 1 else None

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        data, index = bottoms
        graph.node("Gather", [data, graph.node("Cast", [index], to=ONNX_INT64)], tops, axis=0)
