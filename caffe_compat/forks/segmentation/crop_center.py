"""CropCenter: as much cut off one end of an axis as off the other."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer


@layer("CropCenter")
class CropCenter(Layer):
    """top = bottom[..., crop_size : size - crop_size, ...] on every axis, with a crop_size for each

    Fork: lltcggie/caffe, src/caffe/layers/crop_center_layer.cpp
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("crop_center_param",)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        (shape,) = bottom
        self.edges = list(self.param.crop_center_param.crop_size)
        if len(self.edges) != len(shape):
            self.fail(
                f"{len(self.edges)} crop_size for the {len(shape)} axes of bottom shape {tuple(shape)}; give one an axis"
            )
        for axis, (edge, size) in enumerate(zip(self.edges, shape, strict=True)):
            if 2 * edge + 1 > size:
                self.fail(
                    f"crop_size {edge} on axis {axis} leaves nothing of its size {size}; use at most {max(0, size - 1) // 2}"
                )
        return [tuple(size - 2 * edge for edge, size in zip(self.edges, shape, strict=True))]

    def per_record(self) -> bool:
        return self.edges[0] == 0

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom[tuple(slice(edge, -edge or None) for edge in self.edges)]

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        axes = [axis for axis, edge in enumerate(self.edges) if edge]
        if not axes:
            graph.node("Identity", bottoms, tops)
            return
        first = [self.edges[axis] for axis in axes]
        bounds = [graph.constant(part) for part in (first, [-edge for edge in first], axes)]
        graph.node("Slice", [*bottoms, *bounds], tops)
