"""Layers that only move values to other places: ShuffleChannel, Reorg, Flip, Reverse, Transpose, Convert."""

import torch

from caffe_compat.layers.base import Layer, layer
from caffe_compat.layers.common.onnx_values import values


@layer("ShuffleChannel")
class ShuffleChannel(Layer):
    """top[n, j group + i] = bottom[n, i (C / group) + j]: the channels of all groups in turn

    Fork: farmingyard/ShuffleNet
    """

    num_bottom = num_top = 1
    fork_fields = ("shuffle_channel_param",)

    def setup(self, bottom):
        self.group = self.param.shuffle_channel_param.group
        if self.group < 1:
            self.fail(f"group is {self.group}, it must be above 0")

    def reshape(self, bottom):
        if len(bottom) < 2 or bottom[1] % self.group:
            self.fail(
                f"group {self.group} must divide the number of channels, axis 1 of bottom shape {tuple(bottom)}"
            )
        return [bottom]

    def per_record(self):
        return True

    def forward(self, bottom):
        return bottom.unflatten(1, (self.group, -1)).transpose(1, 2).flatten(1, 2)

    def to_onnx(self, graph, bottoms, tops):
        shape = graph.shape(bottoms[0])
        split = (shape[0], self.group, shape[1] // self.group, *shape[2:])
        exchanged = (split[0], split[2], split[1], *split[3:])
        value = graph.reshape(bottoms[0], split)
        value = graph.node("Transpose", [value], perm=[0, 2, 1, *range(3, len(split))])
        graph.reshape(value, shape, tops, source=exchanged)


@layer("Reorg")
class Reorg(Layer):
    """top (N, C s^2, H / s, W / s) of bottom (N, C, H, W), s = stride, in the order of darknet's reorg layer

    Fork: eric612/MobileNet-YOLO, choasup/caffe-yolo9000
    The bottom's memory is taken as (N, C / s^2, s H, s W), its blocks of s x s go to channels
    (block row, block column, C / s^2), and the result's memory as the top's shape. That is a space-to-depth of
    another picture than the bottom's, and what weights from darknet are made for. `reverse` gives
    (N, C / s^2, s H, s W), a depth-to-space of channels (block row, block column, C / s^2). The gradient is the
    derivative; the fork's comes from memory that nobody wrote.
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("reorg_param",)

    def setup(self, bottom):
        p = self.param.reorg_param
        self.stride, self.reverse = p.stride, p.reverse
        if self.stride < 1:
            self.fail(f"reorg_param.stride is {self.stride}, it must be set and above 0")

    def reshape(self, bottom):
        self.check_pictures(bottom)
        num, channels, height, width = bottom
        s = self.stride
        if channels % s**2:
            self.fail(
                f"{channels} channels of bottom shape {tuple(bottom)} must be a multiple of stride^2, {s**2}"
            )
        if self.reverse:
            self.top = (channels // s**2, height * s, width * s)
        elif height % s or width % s:
            self.fail(f"height and width of bottom shape {tuple(bottom)} must be multiples of stride {s}")
        else:
            self.top = (channels * s**2, height // s, width // s)
        return [(num, *self.top)]

    def per_record(self):
        return True

    def forward(self, bottom):
        num, channels, height, width = bottom.shape
        s = self.stride
        if self.reverse:
            x = bottom.reshape(num, s, s, channels // s**2, height, width).permute(0, 3, 4, 1, 5, 2)
        else:
            x = bottom.reshape(num, channels // s**2, height, s, width, s).permute(0, 3, 5, 1, 2, 4)
        return x.reshape(num, *self.top)

    def to_onnx(self, graph, bottoms, tops):
        num, channels, height, width = graph.shape(bottoms[0])
        s = self.stride
        if self.reverse:
            graph.node("DepthToSpace", bottoms, tops, blocksize=s, mode="DCR")
            return
        if isinstance(height, str) or isinstance(width, str):
            rows = graph.size(bottoms[0], 2)
            seen, shape = (
                graph.node(
                    "Concat",
                    [
                        graph.constant([0, planes]),
                        graph.node(op, [rows, graph.constant([s])]),
                        graph.constant([-1]),
                    ],
                    axis=0,
                )
                for planes, op in ((channels // s**2, "Mul"), (self.top[0], "Div"))
            )
            value = graph.node("SpaceToDepth", [graph.node("Reshape", [bottoms[0], seen])], blocksize=s)
            graph.node("Reshape", [value, shape], tops)
            return
        seen = (num, channels // s**2, height * s, width * s)
        value = graph.node("SpaceToDepth", [graph.reshape(bottoms[0], seen)], blocksize=s)
        graph.reshape(value, (num, *self.top), tops, source=(num, channels, height, width))


@layer("Flip")
class Flip(Layer):
    """top = bottom (N, C, H, W) with its columns in reverse (flip_width), its rows (flip_height), or both

    Fork: happynear/caffe-windows
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("flip_param",)

    def setup(self, bottom):
        p = self.param.flip_param
        self.axes = [axis for axis, flip in ((2, p.flip_height), (3, p.flip_width)) if flip]

    def reshape(self, bottom):
        self.check_pictures(bottom)
        return [bottom]

    def per_record(self):
        return True

    def forward(self, bottom):
        return bottom.flip(self.axes)

    def to_onnx(self, graph, bottoms, tops):
        x = values(graph, bottoms)[0]
        for axis in self.axes:
            x = x.part(axis, -1, step=-1)
        x.write(tops[0])


@layer("Reverse")
class Reverse(Layer):
    """top = bottom with axis `axis` in reverse

    Fork: dlunion/CC4.0
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("reverse_param",)

    def reshape(self, bottom):
        axis = self.param.reverse_param.axis
        if not 0 <= axis < len(bottom):
            self.fail(
                f"axis {axis} is out of range for bottom shape {tuple(bottom)}; use 0 to {len(bottom) - 1}"
            )
        self.reversed = axis
        return [bottom]

    def per_record(self):
        return self.reversed > 0

    def forward(self, bottom):
        return bottom.flip(self.reversed)

    def to_onnx(self, graph, bottoms, tops):
        values(graph, bottoms)[0].part(self.reversed, -1, step=-1).write(tops[0])


@layer("Transpose")
class Transpose(Layer):
    """top = bottom with its axes in the order `dim`: axis i of the top is axis dim[i] of the bottom

    Fork: dlunion/CC4.0
    """

    num_bottom = num_top = 1
    in_place = False
    fork_fields = ("transpose_param",)

    def setup(self, bottom):
        self.order = list(self.param.transpose_param.dim)

    def reshape(self, bottom):
        if sorted(self.order) != list(range(len(bottom))):
            self.fail(
                f"dim {self.order} must name each of the {len(bottom)} axes of bottom shape {tuple(bottom)} once"
            )
        return [tuple(bottom[axis] for axis in self.order)]

    def per_record(self):
        return self.order[0] == 0

    def forward(self, bottom):
        return bottom.permute(self.order).contiguous()

    def to_onnx(self, graph, bottoms, tops):
        graph.node("Transpose", bottoms, tops, perm=self.order)


@layer("Convert")
class Convert(Layer):
    """top0 (W, N, C) = bottom (N, C, W), or (N, C, 1, W), for LSTM; top1 (W, N) = 0 in the first row and 1 in the others

    Fork: Yuliang-Liu/Curve-Text-Detector, src/caffe/layers/convert_layer.cpp
    """

    num_bottom = 1
    num_top = (1, 2)
    in_place = False
    shape_tops = (1,)

    def reshape(self, bottom):
        if len(bottom) not in (3, 4) or (len(bottom) == 4 and bottom[2] != 1):
            self.fail(f"bottom shape {tuple(bottom)} must be N x C x W or N x C x 1 x W")
        num, channels, *_, width = bottom
        self.tops = len(self.param.top)
        return [(width, num, channels), (width, num)][: self.tops]

    def forward(self, bottom):
        sequence = bottom.reshape(bottom.shape[0], bottom.shape[1], -1).permute(2, 0, 1).contiguous()
        if self.tops == 1:
            return sequence
        step = torch.arange(sequence.shape[0], device=bottom.device)[:, None].expand(sequence.shape[:2])
        return sequence, (step > 0).to(bottom.dtype)

    def to_onnx(self, graph, bottoms, tops):
        (x,) = values(graph, bottoms)
        x = x if len(x.dims) == 3 else x.squeeze(2)
        sequence = x.transpose(2, 0, 1)
        sequence.write(tops[0])
        if self.tops > 1:
            later = sequence.range(sequence.size(0)) > 0
            later.float().unsqueeze(1).expand(sequence.size(0), sequence.size(1)).write(tops[1])
