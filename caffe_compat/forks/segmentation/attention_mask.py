"""AttentionMask's layers, which look for objects only at the best positions of several maps.

Fork: chwilms/AttentionMask, caffe/src/caffe/layers. Scores of all positions stand in a row, (1, 1, 1, M).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.argmax import ArgMax
from caffe_compat.layers.base import Layer, OnnxGraph, Shape, as_tops, layer
from caffe_compat.layers.common.onnx_values import values


def check_rows(layer: Layer, bottom: Sequence[Shape], start: int = 0) -> None:
    """Fail unless the bottoms from `start` on are (1, 1, 1, M)."""
    for i, shape in enumerate(bottom):
        if i >= start and (len(shape) != 4 or shape[:3] != (1, 1, 1)):
            layer.fail(f"bottom {i} of shape {shape} must be 1 x 1 x 1 x M: one row; reshape it")


@layer("CheckAtt")
class CheckAtt(Layer):
    """tops = bottoms, scores for and against an object; if none is for one, the first pair becomes 0.51 and 0.49

    Fork: chwilms/AttentionMask, caffe/src/caffe/layers/check_att_layer.cpp. Nothing gets a gradient.
    """

    num_bottom = num_top = 2
    in_place = False

    def reshape(self, *bottom: Shape) -> list[Shape]:
        if bottom[0] != bottom[1]:
            self.fail(f"bottoms of shapes {bottom[0]} and {bottom[1]} must be the same")
        return list(bottom)

    def forward(self, *bottom: Tensor) -> tuple[Tensor, ...]:
        scores = [b.detach().flatten() for b in bottom]
        none = ~(scores[0] > scores[1]).any()
        first = torch.arange(len(scores[0]), device=none.device) == 0
        return tuple(
            torch.where(none & first, value, s).view(b.shape)
            for value, s, b in zip((0.51, 0.49), scores, bottom, strict=True)
        )


@layer("ConvertIndices")
class ConvertIndices(Layer):
    """top0 (1, 1, 1, M) = 1 at the positions in bottom0 (1, 1, 1, K), else 0; top1 (K, 1, 1, 1) = bottom1 there

    Fork: chwilms/AttentionMask, caffe/src/caffe/layers/convertIndices.cpp. Nothing gets a gradient.
    """

    num_bottom = num_top = 2
    in_place = False

    def reshape(self, *bottom: Shape) -> list[Shape]:
        check_rows(self, bottom)
        return [bottom[1], (bottom[0][3], 1, 1, 1)]

    def forward(self, *bottom: Tensor) -> tuple[Tensor, ...]:
        index, scores = bottom[0].detach().flatten().long(), bottom[1].detach().flatten()
        if index.device.type == "cpu" and not torch.compiler.is_compiling():
            bad = (index < 0) | (index >= len(scores))
            if bad.any():
                self.fail(
                    f"position {int(index[bad][0])} is outside 0 to {len(scores) - 1}, the scores in bottom 1"
                )
        index = index.clamp(0, len(scores) - 1)
        flags = torch.zeros_like(scores).index_fill(0, index, 1)
        return flags.view(bottom[1].shape), scores[index].view(-1, 1, 1, 1)


@layer("SplitIndices")
class SplitIndices(Layer):
    """tops = bottom0 (1, 1, 1, M) in parts as long as bottoms 1, 2, ...

    Fork: chwilms/AttentionMask, caffe/src/caffe/layers/splitIndices.cpp. Nothing gets a gradient.
    """

    num_bottom = (2, None)
    in_place = False

    def reshape(self, *bottom: Shape) -> list[Shape]:
        check_rows(self, bottom)
        self.lengths = [shape[3] for shape in bottom[1:]]
        if len(self.param.top) != len(self.lengths) or sum(self.lengths) != bottom[0][3]:
            self.fail(
                f"splits {bottom[0][3]} values of bottom 0 into {len(self.param.top)} tops by {len(self.lengths)} bottoms "
                f"of {self.lengths}, together {sum(self.lengths)}; make them the same"
            )
        return list(bottom[1:])

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        return as_tops(part.clone() for part in bottom[0].detach().split(self.lengths, 3))


@layer("FlagsToIndices")
class FlagsToIndices(Layer):
    """top (K, 1, 1, 1) = the positions where bottom (1, 1, 1, M) is 1, in order

    Fork: chwilms/AttentionMask, caffe/src/caffe/layers/flagsToIndices_layer.cpp. Nothing gets a gradient.
    """

    num_bottom = num_top = 1
    dynamic = True
    in_place = False

    def reshape(self, *bottom: Shape) -> list[Shape]:
        check_rows(self, bottom)
        return [(bottom[0][3], 1, 1, 1)]

    def forward(self, bottom: Tensor) -> Tensor:
        return (bottom.detach().flatten() == 1).nonzero().to(bottom.dtype).view(-1, 1, 1, 1)


@layer("SlidingWindowIndex")
class SlidingWindowIndex(Layer):
    """top (R, C, window_h, window_w): the windows of bottom0 (1, C, H, W) around the corners that bottom1 flags

    Fork: chwilms/AttentionMask, caffe/src/caffe/layers/sliding_window_index_layer.cu
    Bottom 1 is (1, 1, 1, (H + 1) (W + 1)): a 1 a corner between positions, row by row. What lies outside the map is 0,
    and so is the only window if there is no flag. The strides must be above 0 and do nothing, as in the fork. Bottom 0
    gets a gradient.
    """

    num_bottom = 2
    num_top = 1
    dynamic = True
    in_place = False
    fork_fields = ("sliding_window_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.sliding_window_param
        self.window = p.window_h, p.window_w
        if min(self.window) <= 0 or any(n % 2 for n in self.window):
            self.fail(
                f"window_h is {p.window_h} and window_w {p.window_w}; both must be set, even and above 0"
            )
        if p.stride_h <= 0 or p.stride_w <= 0:
            self.fail(f"stride_h is {p.stride_h} and stride_w {p.stride_w}; both must be above 0")

    def allow_force_backward(self, index: int) -> bool:
        return index == 0

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.check_pictures(bottom[0])
        check_rows(self, bottom, 1)
        one, channels, height, width = bottom[0]
        corners = (height + 1) * (width + 1)
        if one != 1 or bottom[1][3] != corners:
            self.fail(
                f"bottom 0 of shape {bottom[0]} must be one map and bottom 1 of shape {bottom[1]} have {height + 1} x "
                f"{width + 1} = {corners} flags"
            )
        return [(1, channels, *self.window)]

    def forward(self, data: Tensor, flags: Tensor) -> Tensor:
        tall, wide = self.window
        row, column = (flags.detach().view(data.shape[2] + 1, data.shape[3] + 1) > 0).nonzero(as_tuple=True)
        if not len(row):
            return data.new_zeros(1, data.shape[1], tall, wide)
        framed = F.pad(data[0], (wide // 2, wide // 2, tall // 2, tall // 2))
        return framed.unfold(1, tall, 1).unfold(2, wide, 1)[:, row, column].transpose(0, 1).contiguous()


@layer("ArgMaxMy")
class ArgMaxMy(ArgMax):
    """top = positions of the K largest of bottom0, largest first; K is how many are greater than those of bottom1

    Fork: chwilms/AttentionMask, caffe/src/caffe/layers/argmax_layer_2.cpp
    Both are (1, 1, 1, M). Otherwise as ArgMax, and top_k says nothing. Nothing gets a gradient.
    """

    num_bottom = 2
    dynamic = True
    dynamic_axis = 3
    least = 0

    def reshape(self, *bottom: Shape) -> list[Shape]:
        check_rows(self, bottom)
        if bottom[0] != bottom[1]:
            self.fail(f"bottoms of shapes {bottom[0]} and {bottom[1]} must be the same")
        p = self.param.argmax_param
        if p.HasField("axis") and self.axis(p.axis, bottom[0]) != 3:
            self.fail(f"argmax_param.axis is {p.axis} and must be 3 (or -1), that of the values")
        self.along = 3 if p.HasField("axis") else None
        self.out_max_val, self.top_k = p.out_max_val, min(max(p.top_k, self.least), bottom[0][3])
        if self.along is not None:
            return [(1, 1, 1, self.top_k)]
        self.dynamic_axis = 2
        return [(1, 2 if p.out_max_val else 1, self.top_k, 1)]

    def per_record(self) -> bool:
        return False

    def forward(self, *bottom: Tensor) -> Tensor:
        positive = int((bottom[0] > bottom[1]).sum())
        self.top_k = min(max(self.least, positive), bottom[0].numel())
        return self.largest(bottom[0])


@layer("ArgMaxAll")
class ArgMaxAll(ArgMaxMy):
    """top = positions of the K largest of bottom0, largest first; K is how many are greater than those of bottom1, or 1000

    Fork: chwilms/AttentionMask, caffe/src/caffe/layers/argmax_layer_all.cpp
    It is the larger of the two, or all if there are fewer (the fork reads past them). Otherwise as ArgMaxMy.
    """

    least = 1000


@layer("TopK")
class TopK(Layer):
    """top0 = the rows of bottom0 with the k greatest scores, in order; k is the least of its rows and bottom2's

    Fork: chwilms/AttentionMask, caffe/src/caffe/layers/top_k_layer.cu
    Bottom 1 has the score of each row, or several, of which the greatest but the first counts, at least 0. top1, as long
    as bottom 2, has which rows: those k in order and then others by falling score, -1 where there are no more. Of equal
    scores the first counts. Bottom 0 gets a gradient.
    """

    num_bottom = 3
    num_top = (1, 2)
    in_place = False
    filled = False  # whether top0 is as long as bottom 2, with rows of 0

    def allow_force_backward(self, index: int) -> bool:
        return index == 0

    def reshape(self, *bottom: Shape) -> list[Shape]:
        if bottom[0][0] != bottom[1][0]:
            self.fail(
                f"bottom 0 of shape {bottom[0]} has {bottom[0][0]} rows and bottom 1 of shape {bottom[1]} has scores of "
                f"{bottom[1][0]}; make them the same"
            )
        self.tops, self.wanted = len(self.param.top), bottom[2][0]
        self.count = min(self.wanted, bottom[0][0])
        rows = self.wanted if self.filled else self.count
        return [(rows, *bottom[0][1:]), (self.wanted, 1, 1, 1)][: self.tops]

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        data, wanted = bottom[0], bottom[2].shape[0]
        scores = bottom[1].detach().reshape(data.shape[0], math.prod(bottom[1].shape[1:]))
        if scores.shape[1] > 1:
            scores = scores[:, 1:].amax(1, keepdim=True).clamp(min=0)
        count = min(wanted, data.shape[0])
        order = scores.flatten().argsort(descending=True, stable=True)
        best = order[:count].sort().values
        top = data[best]
        if self.filled:
            top = torch.cat((top, top.new_zeros(wanted - count, *top.shape[1:])))
        if self.tops == 1:
            return top
        which = torch.cat((best, order[count:], order.new_full((wanted,), -1)))[:wanted]
        return top, which.to(data.dtype).view(-1, 1, 1, 1)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        data, scores, like = values(graph, bottoms)
        rows, wanted = data.whole(data.size(0)), data.whole(like.size(0))
        classes = math.prod(graph.shape(bottoms[1])[1:])
        scores = scores.reshape(-1, classes)
        if classes > 1:
            scores = scores.part(1, 1).largest(1)[0].most(0.0)
        count = rows.least(wanted)
        _, order = scores.reshape(-1).largest(rows)
        best, _ = order.part(0, 0, count).largest(count, smallest=True)
        top = data.take(0, best)
        if self.filled:
            missing = data.whole(wanted - count, *graph.shape(bottoms[0])[1:])
            top = top.joined([top.of(0.0).op("Expand", missing)], 0)
        top.write(tops[0])
        if self.tops > 1:
            none = order.of(-1).op("Expand", wanted)
            which = best.joined([order.part(0, count), none], 0).part(0, 0, wanted)
            which.float().reshape(-1, 1, 1, 1).write(tops[1])


@layer("TopKOld")
class TopKOld(TopK):
    """top0 = the rows of bottom0 with the k greatest scores, in order, k bottom2's rows, and rows of 0 where it has fewer

    Fork: chwilms/AttentionMask, caffe/src/caffe/layers/top_k_old_layer.cu
    Otherwise as TopK. The fork leaves the last rows as they were.
    """

    filled = True
