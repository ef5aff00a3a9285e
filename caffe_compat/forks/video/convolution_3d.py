"""Convolution3D, Deconvolution3D, NdConvolution: over volumes and other numbers of axes."""

from __future__ import annotations

from google.protobuf.message import Message
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, as_tops, layer
from caffe_compat.layers.convolution import Convolution, Convolving, Deconvolution, Window, through_window
from caffe_compat.proto import Convolution3DParameter, ConvolutionParameter, LayerParameter, PoolingParameter


def single(layer: Layer, p: Message, name: str, default: int, least: int) -> int:
    """A field that C3D has once and Caffe once an axis."""
    value = getattr(p, name)
    if not isinstance(value, int):
        if len(value) > 1:
            layer.fail(f"{name} is given {len(value)} times; C3D's layers take it once, for height and width")
        value = value[0] if value else default
    if value < least:
        layer.fail(f"{name} is {value}, it must be at least {least}; set it")
    return value


def _volume_window(layer: _C3D, shape: Shape) -> tuple[ConvolutionParameter | Convolution3DParameter, Window]:
    """The message of one of C3D's convolutions, and the window that it asks for."""
    p = layer.weight_message(layer.param)
    if len(shape) != 5:
        layer.fail(
            f"bottom shape {shape} has {len(shape)} axes, 5 are needed: num, channels, length, height, width"
        )
    size, depth = single(layer, p, "kernel_size", 0, 1), single(layer, p, "kernel_depth", 0, 1)
    stride, step = single(layer, p, "stride", 1, 1), single(layer, p, "temporal_stride", 1, 1)
    pad, ends = single(layer, p, "pad", 0, 0), single(layer, p, "temporal_pad", 0, 0)
    return p, Window((depth, size, size), (step, stride, stride), (ends, pad, pad), (1, 1, 1))


class _C3D(Convolving):
    """What C3D's two convolutions have in common, mixed into Caffe's."""

    num_bottom = num_top = 1
    fork_fields = (
        "convolution3d_param",
        *(
            f"convolution_param.{name}"
            for name in ("kernel_depth", "temporal_stride", "temporal_pad", "filter_group")
        ),
    )

    @classmethod
    def weight_message(cls, param: LayerParameter) -> ConvolutionParameter | Convolution3DParameter:
        return param.convolution3d_param if param.HasField("convolution3d_param") else param.convolution_param

    def setup(self, *bottom: Shape) -> None:
        (shape,) = bottom
        p, self.window = _volume_window(self, shape)
        self.start, self.spatial, self.group, self.channels = 1, 3, 1, shape[1]
        self.outputs = single(self, p, "num_output", 0, 1)
        columns, rows = (self.outputs, self.channels) if self.transposed else (self.channels, self.outputs)
        if not self.transposed and (p.filter_group < 1 or rows % p.filter_group):
            self.fail(f"filter_group {p.filter_group} must divide num_output {rows}")
        self.add_blob((rows, columns, *self.window.kernel), p.weight_filler)
        if (self.param.convolution_param if self.transposed else p).bias_term:
            self.add_blob((1, 1, 1, 1, self.outputs), p.bias_filler)

    def compute(self, x: Tensor, weight: Tensor, bias: Tensor | None, stride, pad, dilation) -> Tensor:
        bias = None if bias is None else bias.flatten()
        return super().compute(x, weight, bias, stride, pad, dilation)  # type: ignore[safe-super]

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        bias = [graph.blob(self, 1, (self.outputs,))] if len(self.blobs) > 1 else []
        inputs = [bottoms[0], graph.blob(self, 0), *bias]
        through_window(graph, self.operator, inputs, tops[0], 1, self.window, 1)


@layer("Convolution3D")
class Convolution3D(_C3D, Convolution):
    """top = cross-correlation of bottom (N, C, L, H, W) with blobs[0], plus blobs[1]

    Fork: facebookarchive/C3D
    Blobs: 0 weight (num_output, C, kernel_depth, kernel_size, kernel_size); 1 bias (1, 1, 1, 1, num_output).
    stride and pad are of height and width, temporal_stride and temporal_pad of the length, in convolution3d_param
    (C3D 1.1) or convolution_param (C3D 1.0). group means nothing, and filter_group only how C3D goes about it.
    """


@layer("Deconvolution3D")
class Deconvolution3D(_C3D, Deconvolution):
    """top = transposed cross-correlation of bottom (N, C, L, H, W) with blobs[0], plus blobs[1]

    Fork: facebookarchive/C3D
    Blobs: 0 weight (C, num_output, kernel_depth, kernel_size, kernel_size); 1 bias (1, 1, 1, 1, num_output).
    A top dimension is stride (size - 1) + kernel - 2 pad. Fields as of Convolution3D, but for the bias: C3D 1.1 looks
    at convolution_param.bias_term, wherever the others stand.
    """


@layer("NdConvolution")
class NdConvolution(Convolution):
    """top = cross-correlation of bottom with blobs[0], plus blobs[1], without the spatial axes of size 1

    Fork: chuckcho/video-caffe
    Blobs: 0 weight (num_output, channels / group, *kernel_shape); 1 bias (num_output,).
    kernel_shape, stride_shape and pad_shape have one number an axis after axis 1.
    """

    fork_fields = tuple(f"convolution_param.{name}_shape" for name in ("kernel", "stride", "pad"))

    def setup(self, *bottom: Shape) -> None:
        p, shape = self.param.convolution_param, bottom[0]
        axes = len(shape) - 2
        self.start, self.spatial, self.channels, self.group = 1, axes, shape[1], p.group
        kernel, stride, pad = window_shapes(self, p, axes)
        self.window = Window(kernel, stride, pad, (1,) * axes)
        self.outputs = single(self, p, "num_output", 0, 1)
        if self.group < 1 or self.channels % self.group or self.outputs % self.group:
            self.fail(
                f"group {self.group} must divide both the {self.channels} channels of bottom shape {shape} and "
                f"num_output {self.outputs}"
            )
        self.add_blob((self.outputs, self.channels // self.group, *kernel), p.weight_filler)
        if p.bias_term:
            self.add_blob((self.outputs,), p.bias_filler)

    def reshape(self, *bottom: Shape) -> list[Shape]:
        (num, outputs, *sizes), *_ = super().reshape(*bottom)
        self.kept = tuple(size for size in sizes if size > 1)
        return [(num, outputs, *self.kept)] * len(bottom)

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        bias = self.blobs[1] if len(self.blobs) > 1 else None
        return as_tops(self.products(x, bias).reshape(x.shape[0], self.outputs, *self.kept) for x in bottom)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if len(self.kept) == self.spatial:
            super().to_onnx(graph, bottoms, tops)
            return
        for bottom, top in zip(bottoms, tops, strict=True):
            blobs = [graph.blob(self, index) for index in range(len(self.blobs))]
            full = graph.node(
                "Conv",
                [bottom, *blobs],
                kernel_shape=list(self.window.kernel),
                strides=list(self.window.stride),
                pads=[*self.window.pad] * 2,
                group=self.group,
            )
            num, *_ = graph.shape(bottom)
            shape = (num, self.outputs, *self.kept)
            # Axes of size 1 are gone, so any of them can stand at the end.
            graph.reshape(full, shape, [top], source=(*shape, *[1] * (self.spatial - len(self.kept))))


def window_shapes(layer: Layer, p: ConvolutionParameter | PoolingParameter, axes: int) -> list[Shape]:
    """kernel_shape, stride_shape and pad_shape for `axes` spatial axes."""
    if not 1 <= axes <= 3:
        layer.fail(f"the bottom has {axes} axes after the channels; 1 to 3 are known")
    found = []
    for name, default, least in (("kernel", None, 1), ("stride", 1, 1), ("pad", 0, 0)):
        shape = getattr(p, f"{name}_shape")
        values = tuple(shape.dim)
        if not p.HasField(f"{name}_shape") and default is not None:
            values = (default,) * axes
        if len(values) != axes:
            layer.fail(
                f"{name}_shape has {len(values)} numbers for {axes} axes after the channels; give one an axis"
            )
        if min(values) < least:
            layer.fail(f"{name}_shape is {values}, every number of it must be at least {least}")
        found.append(values)
    return found
