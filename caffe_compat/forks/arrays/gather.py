"""Gather: the records of all processes, for the layers after it."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, as_tops, layer


@layer("Gather")
class Gather(Layer):
    """tops = bottoms, of one process; several, whose records the fork puts together by MPI here, are refused

    Fork: yjxiong/caffe, src/caffe/layers/gather_layer.cpp
    """

    num_bottom = (1, None)
    num_top = (1, None)
    equal_num_bottom_top = True
    in_place = False

    def setup(self, *bottom: Shape) -> None:
        if self.context.replicas > 1:
            self.fail(
                f"puts the records of all processes together, which is not done here, and there are "
                f"{self.context.replicas} replicas; use one with a batch as large, or remove this layer"
            )

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return list(bottom)

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        return as_tops(b.view_as(b) for b in bottom)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        for bottom, top in zip(bottoms, tops, strict=True):
            graph.node("Identity", [bottom], [top])
