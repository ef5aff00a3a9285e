"""Crop: cut a blob to another blob's size."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, layer


@layer("Crop")
class Crop(Layer):
    """top = bottom0[..., offset : offset + size of bottom1, ...] on every axis from `axis` on

    Caffe: src/caffe/layers/crop_layer.cpp
    One offset serves all cropped axes; none means 0. Bottom 1 gives its shape only and gets no gradient.
    """

    drawn_as = "arrangement"
    num_bottom = 2
    num_top = 1

    def reshape(self, *bottom: Shape) -> list[Shape]:
        data, like = bottom
        p = self.param.crop_param
        start = self.start = self.axis(p.axis, data)
        cropped = len(data) - start
        if len(p.offset) > 1 and len(p.offset) != cropped:
            self.fail(
                f"{len(p.offset)} offsets for {cropped} cropped axes ({start} to {len(data) - 1}); "
                "give none, one, or one a cropped axis"
            )
        if len(like) < len(data):
            self.fail(
                f"bottom 1 of shape {like} has fewer axes than bottom 0 of shape {data}; give it {len(data)}"
            )
        self.offsets = [0] * start + (list(p.offset) if len(p.offset) > 1 else [*p.offset, 0][:1] * cropped)
        for axis in range(start, len(data)):
            if data[axis] - self.offsets[axis] < like[axis]:
                self.fail(
                    f"cannot crop axis {axis}: size {like[axis]} from offset {self.offsets[axis]} on ends beyond "
                    f"the bottom's {data[axis]}; use an offset of at most {data[axis] - like[axis]}"
                )
        return [(*data[:start], *like[start : len(data)])]

    def per_record(self) -> bool:
        return self.start > 0

    def forward(self, data: Tensor, like: Tensor) -> Tensor:
        sizes = (*data.shape[: self.start], *like.shape[self.start : data.dim()])
        return data[tuple(slice(o, o + size) for o, size in zip(self.offsets, sizes, strict=True))]

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        data, like = (graph.shape(bottom) for bottom in bottoms)
        axes = [axis for axis in range(self.start, len(data)) if data[axis] != like[axis]]
        if not axes:
            graph.node("Identity", bottoms[:1], tops)
            return
        first, sizes = [self.offsets[axis] for axis in axes], [like[axis] for axis in axes]
        starts, indices = graph.constant(first), graph.constant(axes)
        if any(isinstance(size, str) for size in sizes):
            lengths = graph.node("Gather", [graph.node("Shape", bottoms[1:]), indices])
            ends = graph.node("Add", [lengths, starts])
        else:
            ends = graph.constant([o + int(size) for o, size in zip(first, sizes, strict=True)])
        graph.node("Slice", [bottoms[0], starts, ends, indices], tops)
