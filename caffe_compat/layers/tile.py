"""Tile: copies of a blob along one axis."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer


@layer("Tile")
class Tile(Layer):
    """top = `tiles` copies of the bottom, one after the other on `axis`

    Caffe: src/caffe/layers/tile_layer.cpp
    """

    num_bottom = num_top = 1

    def reshape(self, *bottom: Shape) -> list[Shape]:
        (shape,) = bottom
        p = self.param.tile_param
        if p.tiles < 1:
            self.fail(f"tile_param.tiles is {p.tiles} and must be given, at least 1")
        self.tiles = p.tiles
        self.along = self.axis(p.axis, shape)
        return [(*shape[: self.along], shape[self.along] * p.tiles, *shape[self.along + 1 :])]

    def per_record(self) -> bool:
        return self.along > 0

    def forward(self, bottom: Tensor) -> Tensor:
        copies = [1] * bottom.dim()
        copies[self.along] = self.tiles
        return bottom.repeat(copies)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        copies = [1] * len(graph.shape(bottoms[0]))
        copies[self.along] = self.tiles
        graph.node("Tile", [*bottoms, graph.constant(copies)], tops)
