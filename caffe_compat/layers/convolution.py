"""Convolution and Deconvolution over any number of spatial axes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import zip_longest
from math import prod
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape, as_tops, layer
from caffe_compat.proto import ConvolutionParameter

_CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


class Window(NamedTuple):
    """How a kernel moves, one number a spatial axis in each field."""

    kernel: Shape
    stride: Shape
    pad: Shape
    dilation: Shape

    @property
    def extent(self) -> Shape:
        """What the dilated kernel spans on each axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def piled(self) -> list[int]:
        """The axes of the weights along which the dilation is 0, so that all taps lie on one place."""
        return [i + 2 for i, dilation in enumerate(self.dilation) if dilation == 0]

    def without_piles(self) -> "Window":
        """The window for weights that are summed up along `piled`."""
        kernel = tuple(k if d else 1 for k, d in zip(self.kernel, self.dilation, strict=True))
        return self._replace(kernel=kernel, dilation=tuple(d or 1 for d in self.dilation))

    def positions(self, spatial: Shape) -> Shape:
        """How many windows lie on each axis. Caffe's division cuts off towards 0, so of a window that is up to
        stride - 1 values longer than the padded axis there is one still; see `missing`."""
        room = (n + 2 * p - e for n, p, e in zip(spatial, self.pad, self.extent, strict=True))
        return tuple(r // s + 1 if r > 0 else 1 - -r // s for r, s in zip(room, self.stride, strict=True))

    def missing(self, spatial: Shape) -> Shape:
        """How many values, all 0, such a window has past the end of each axis."""
        return tuple(max(0, e - n - 2 * p) for n, p, e in zip(spatial, self.pad, self.extent, strict=True))


def read_window(
    layer: Layer,
    axes: int,
    param: ConvolutionParameter | None = None,
    least_dilation: int = 1,
) -> Window:
    """The window that `param` (convolution_param) asks for over `axes` spatial axes; fails where it is not one."""
    p = layer.param.convolution_param if param is None else param

    def numbers(name: str, short: str, default: int | None, least: int) -> Shape:
        given, values = len(getattr(p, name)), tuple(getattr(p, name))
        pair = (f"{short}_h", f"{short}_w")
        if short != "dilation" and any(map(p.HasField, pair)):
            if axes != 2:
                layer.fail(f"{pair[0]} and {pair[1]} are for 2 spatial axes and there are {axes}; use {name}")
            if given:
                layer.fail(f"{name} and {pair[0]}, {pair[1]} are both set; keep one form")
            values = (getattr(p, pair[0]), getattr(p, pair[1]))
        elif given == 0 and default is not None:
            values = (default,) * axes
        elif given == 1:
            values *= axes
        elif given != axes:
            layer.fail(
                f"{name} is given {given} times for {axes} spatial axes; give it once, or once an axis"
            )
        if any(value < least for value in values):
            layer.fail(f"{name} is {values}, every number of it must be at least {least}; set all of them")
        return values

    return Window(
        numbers("kernel_size", "kernel", None, 1),
        numbers("stride", "stride", 1, 1),
        numbers("pad", "pad", 0, 0),
        numbers("dilation", "dilation", 1, least_dilation),
    )


class Convolving(Layer, ABC):
    """What Convolution and Deconvolution share: parameters, blobs, folding of the axes before the channels."""

    drawn_as = "convolution"
    num_bottom: int | tuple[int, int | None] | None = (1, None)
    num_top: int | tuple[int, int | None] | None = (1, None)
    equal_num_bottom_top = True
    bias_blob = 1
    transposed = False
    operator = "Conv"
    missing: Shape = ()

    @classmethod
    def weight_message(cls, param):
        return param.convolution_param

    def setup(self, *bottom):
        p, shape = self.param.convolution_param, bottom[0]
        self.start = self.axis(p.axis, shape)
        self.spatial = len(shape) - self.start - 1
        self.window = read_window(self, self.spatial, least_dilation=0)
        self.channels, outputs, self.group = shape[self.start], p.num_output, p.group
        if outputs < 1:
            self.fail(f"convolution_param.num_output is {outputs}, it must be set and above 0")
        if self.group < 1 or self.channels % self.group or outputs % self.group:
            self.fail(
                f"group {self.group} must divide both the {self.channels} channels of bottom shape {tuple(shape)} "
                f"and num_output {outputs}"
            )
        rows, columns = (self.channels, outputs) if self.transposed else (outputs, self.channels)
        self.outputs = outputs
        self.add_blob((rows, columns // self.group, *self.window.kernel), p.weight_filler)
        if p.bias_term:
            self.add_blob((outputs,), p.bias_filler)

    def reshape(self, *bottom):
        shape = bottom[0]
        if len(shape) != self.start + 1 + self.spatial:
            self.fail(
                f"bottom shape {tuple(shape)} has {len(shape)} axes, but the weights were made for "
                f"{self.start + 1 + self.spatial}; the number of axes cannot change"
            )
        if shape[self.start] != self.channels:
            self.fail(
                f"bottom shape {tuple(shape)} has {shape[self.start]} channels, but the weights were made for "
                f"{self.channels}; resize the input or rename the layer to relearn it"
            )
        for i, other in enumerate(bottom):
            if other != shape:
                self.fail(
                    f"bottom {i} has shape {tuple(other)} and bottom 0 has {tuple(shape)}; they must be equal"
                )
        sizes = self.sizes(shape[self.start + 1 :])
        if any(size < 1 for size in sizes):
            self.fail(
                f"bottom shape {tuple(shape)} gives a top of spatial size {sizes} with kernel {self.window.kernel}, "
                f"pad {self.window.pad} and dilation {self.window.dilation}; enlarge the input or the pad"
            )
        return [(*shape[: self.start], self.outputs, *sizes)] * len(bottom)

    @abstractmethod
    def sizes(self, spatial: Shape) -> Shape:
        """The top's spatial dimensions for a bottom of these."""

    @abstractmethod
    def compute(self, x: Tensor, weight: Tensor, bias: Tensor | None, stride, pad, dilation) -> Tensor:
        """The layer on x (batch, channels, *spatial) with at least one spatial axis."""

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return sum(map(prod, bottom if self.transposed else top)) * prod(self.blobs[0].shape[1:])

    def per_record(self) -> bool:
        return self.start > 0

    def forward(self, *bottom):
        bias = self.blobs[1] if len(self.blobs) > 1 else None
        return as_tops(self.products(x, bias) for x in bottom)

    def products(self, bottom: Tensor, bias: Tensor | None) -> Tensor:
        """The top of one bottom, with this bias."""
        weight, window = self.blobs[0], self.window
        if 0 in window.dilation:
            weight, window = weight.sum(window.piled, keepdim=True), window.without_piles()
        if self.start == 1 and self.spatial:
            return self.compute(bottom, weight, bias, *window[1:])
        lead, rest = bottom.shape[: self.start], bottom.shape[self.start :]
        x = bottom.reshape(prod(lead), *rest)
        if self.spatial:
            top = self.compute(x, weight, bias, *window[1:])
        else:  # no spatial axis is the same as one of size 1
            top = self.compute(x.unsqueeze(-1), weight.unsqueeze(-1), bias, (1,), (0,), (1,)).squeeze(-1)
        return top.reshape(*lead, *top.shape[1:])

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        window, kernel = self.window, self.window.kernel
        if not self.spatial:  # no spatial axis is the same as one of size 1
            window, kernel = Window((1,), (1,), (0,), (1,)), (1,)
        rows, columns = self.blobs[0].shape[:2]
        blobs = [graph.blob(self, 0, (rows, columns, *kernel))]
        if 0 in window.dilation:
            blobs = [graph.reduce("ReduceSum", blobs[0], window.piled, keepdims=True)]
            window = window.without_piles()
        blobs += [graph.blob(self, 1)] if len(self.blobs) > 1 else []
        for bottom, top in zip(bottoms, tops, strict=True):
            through_window(
                graph, self.operator, [bottom, *blobs], top, self.start, window, self.group, self.missing
            )


@layer("Convolution")
class Convolution(Convolving):
    """top = cross-correlation of bottom with blobs[0], plus blobs[1]

    Caffe: src/caffe/layers/base_conv_layer.cpp, conv_layer.cpp
    Blobs: 0 weight (num_output, channels / group, *kernel); 1 bias (num_output,).
    Axes after `axis` (1 unless set) are spatial, those before it are a batch. A top dimension is
    (size + 2 pad - dilation (kernel - 1) - 1) / stride + 1, the quotient cut off towards 0. `engine` makes no difference.
    With a dilation of 0 all taps lie on one place.
    hole (DeepLab's first Caffe) is another word for dilation.
    bottom_is_im2col (aharley/segaware): the bottom is what Im2col makes of one as large as the top.
    """

    wants_innermost = True
    fork_fields: tuple[str, ...] = ("convolution_param.bottom_is_im2col", "convolution_param.hole")
    columns = 1  # values of a window that lie in the bottom's channels already

    def setup(self, *bottom):
        if self.param.convolution_param.HasField("hole"):
            self._rename_hole()
        if self.param.convolution_param.bottom_is_im2col:
            start = self.axis(self.param.convolution_param.axis, bottom[0])
            self.columns = prod(read_window(self, len(bottom[0]) - start - 1).kernel)
            bottom = tuple(self._narrowed(shape, start) for shape in bottom)
        super().setup(*bottom)

    def _rename_hole(self):
        given, p = self.param, self.param.convolution_param
        if not p.hole or p.dilation:
            self.fail(f"hole is {p.hole} and dilation {list(p.dilation)}; set one of them, above 0")
        self.param = type(given).FromString(given.SerializeToString())
        self.param.origin = given.origin
        self.param.convolution_param.ClearField("hole")
        self.param.convolution_param.dilation.append(p.hole)

    def _narrowed(self, shape, start):
        """The shape of what Im2col made a bottom of."""
        if shape[start] % self.columns:
            self.fail(
                f"bottom shape {tuple(shape)} has {shape[start]} channels, with bottom_is_im2col a multiple of the window's "
                f"{self.columns} is needed"
            )
        return (*shape[:start], shape[start] // self.columns, *shape[start + 1 :])

    def reshape(self, *bottom):
        if self.columns == 1:
            tops = super().reshape(*bottom)
            self.missing = self.window.missing(bottom[0][self.start + 1 :])
            return tops
        tops = super().reshape(*(self._narrowed(shape, self.start) for shape in bottom))
        if tops[0][self.start + 1 :] != bottom[0][self.start + 1 :]:
            self.fail(
                f"bottom shape {tuple(bottom[0])} gives a top of {tops[0][self.start + 1 :]} positions, with "
                "bottom_is_im2col it must have as many; correct pad or stride"
            )
        return tops

    def sizes(self, spatial):
        return self.window.positions(spatial)

    def compute(self, x, weight, bias, stride, pad, dilation):
        if self.columns > 1:
            ones = (1,) * len(stride)
            weight = weight.flatten(1).reshape(len(weight), -1, *ones)
            return convolve(x, weight, bias, ones, (0,) * len(stride), ones, self.group)
        return convolve(filled(x, self.missing), weight, bias, stride, pad, dilation, self.group)

    def to_onnx(self, graph, bottoms, tops):
        if self.columns == 1:
            super().to_onnx(graph, bottoms, tops)
            return
        ones = (1,) * self.spatial
        blobs = [graph.blob(self, 0, (self.outputs, self.blobs[0][0].numel(), *ones))]
        blobs += [graph.blob(self, 1)] if len(self.blobs) > 1 else []
        for bottom, top in zip(bottoms, tops, strict=True):
            window = Window(ones, ones, (0,) * self.spatial, ones)
            through_window(graph, self.operator, [bottom, *blobs], top, self.start, window, self.group)


@layer("Deconvolution")
class Deconvolution(Convolving):
    """top = transposed cross-correlation of bottom with blobs[0], plus blobs[1]

    Caffe: src/caffe/layers/base_conv_layer.cpp, deconv_layer.cpp
    Blobs: 0 weight (channels, num_output / group, *kernel); 1 bias (num_output,).
    A top dimension is stride (size - 1) + dilation (kernel - 1) + 1 - 2 pad. `engine` makes no difference.
    """

    transposed = True
    operator = "ConvTranspose"

    def sizes(self, spatial):
        w = self.window
        return tuple(
            s * (n - 1) + e - 2 * p for n, p, e, s in zip(spatial, w.pad, w.extent, w.stride, strict=True)
        )

    def compute(self, x, weight, bias, stride, pad, dilation):
        return deconvolve(x, weight, bias, stride, pad, dilation, self.group)


def filled(x: Tensor, missing: Shape) -> Tensor:
    """`x` with `missing` zeros after the end of its last axes."""
    return F.pad(x, [edge for m in reversed(missing) for edge in (0, m)]) if any(missing) else x


def convolve(x, weight, bias, stride, pad, dilation, group):
    """torch's convolution for any number of spatial axes; from four on, one axis at a time is summed up."""
    axes = len(stride)
    if axes <= 3:
        return _CONVOLVE[axes](x, weight, bias, stride, pad, dilation, group)
    (step, *stride), (edge, *pad), (gap, *dilation) = stride, pad, dilation
    x = F.pad(x, [0, 0] * (axes - 1) + [edge, edge])
    size = (x.shape[2] - gap * (weight.shape[2] - 1) - 1) // step + 1
    top = None
    for tap in range(weight.shape[2]):
        part = x[:, :, tap * gap : tap * gap + (size - 1) * step + 1 : step].transpose(1, 2)
        part = convolve(part.flatten(0, 1), weight[:, :, tap], None, stride, pad, dilation, group)
        top = part if top is None else top + part
    assert top is not None  # a kernel is at least 1
    return _add_bias(top.unflatten(0, (-1, size)).transpose(1, 2), bias)


def deconvolve(x, weight, bias, stride, pad, dilation, group):
    """torch's transposed convolution for any number of spatial axes; see `convolve`."""
    axes = len(stride)
    if axes <= 3:
        return _TRANSPOSE[axes](x, weight, bias, stride, pad, 0, group, dilation)
    (step, *stride), (edge, *pad), (gap, *dilation) = stride, pad, dilation
    size, kernel = x.shape[2], weight.shape[2]
    span, whole = (size - 1) * step + 1, (size - 1) * step + gap * (kernel - 1) + 1
    batch, top = x.transpose(1, 2).flatten(0, 1), None
    for tap in range(kernel):
        part = deconvolve(batch, weight[:, :, tap], None, stride, pad, dilation, group)
        part = part.unflatten(0, (-1, size)).transpose(1, 2)
        top = part.new_zeros(*part.shape[:2], whole, *part.shape[3:]) if top is None else top
        top[:, :, tap * gap : tap * gap + span : step] += part
    assert top is not None  # a kernel is at least 1
    return _add_bias(top[:, :, edge : whole - edge], bias)


def _add_bias(top, bias):
    return top if bias is None else top + bias.reshape(-1, *[1] * (top.dim() - 2))


def through_window(
    graph: OnnxGraph,
    operator: str,
    inputs: Sequence[str],
    top: str,
    start: int,
    window: Window,
    group: int,
    missing: Shape = (),
) -> None:
    """A Conv or ConvTranspose node of `inputs`, with the first one's axes before `start` folded into one."""
    bottom, *blobs = inputs
    shape, sizes = graph.shape(bottom), graph.shape(top)
    plain = start == 1 and len(shape) > 2
    one = [] if len(shape) > start + 1 else [1]
    lead = -1 if start else 1
    x = bottom if plain else graph.reshape(bottom, (lead, *shape[start:], *one))
    result = graph.node(
        operator,
        [x, *blobs],
        [top] if plain else None,
        kernel_shape=list(window.kernel),
        strides=list(window.stride),
        pads=[*window.pad, *(p + m for p, m in zip_longest(window.pad, missing, fillvalue=0))],
        dilations=list(window.dilation),
        group=group,
    )
    if not plain:
        graph.reshape(result, sizes, [top], source=(lead, *sizes[start:], *one))
