"""Pooling: the greatest, the mean or a drawn value of every window."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import ONNX_FLOAT, ONNX_INT64, TRAIN, Layer, OnnxGraph, layer
from caffe_compat.proto import PoolingParameter

LOWEST = -3.4028234663852886e38  # -FLT_MAX, where Caffe starts looking for a maximum, in double too


@layer("Pooling")
class Pooling(Layer):
    """top = maximum (MAX), mean (AVE) or one value drawn by its share of the sum (STOCHASTIC) of each window

    Caffe: src/caffe/layers/pooling_layer.cpp and .cu
    A top dimension is (size + 2 pad - kernel) / stride, rounded up (`round_mode: FLOOR`, or `ceil_mode: false`
    of the forks, rounds down), + 1. If anything is padded, a last window that starts past the near pad and the
    image is dropped; without pad it stays, and gives -FLT_MAX (MAX) or 0 (AVE), NaN where it starts just at the edge.
    AVE divides by the part of the window inside the image with its pads. MAX takes the first of equal values and
    never NaN; a second top is the place of the maximum in its height x width plane, -1 if there is none.
    STOCHASTIC in TEST is the mean weighted by the values themselves. It runs on the CPU too, where Caffe has none.
    One size an axis, and a dilation, are a fork's: forks/video/volumes.py, PoolingOverAxes.
    """

    num_bottom = 1
    num_top: int | tuple[int, int | None] | None = (1, 2)
    fork_fields: tuple[str, ...] = ("pooling_param.ceil_mode",)

    def setup(self, bottom):
        p = self.param.pooling_param
        self.method, self.is_global, self.has_mask = p.pool, p.global_pooling, len(self.param.top) > 1
        self.is_random = self.method == PoolingParameter.STOCHASTIC
        self.check_pictures(bottom)
        if self.is_global:
            if p.HasField("kernel_size") or p.HasField("kernel_h") or p.HasField("kernel_w"):
                self.fail(
                    "global_pooling takes the whole image as kernel; remove kernel_size, kernel_h and kernel_w"
                )
        elif p.HasField("kernel_size") == (p.HasField("kernel_h") and p.HasField("kernel_w")):
            self.fail("the kernel is kernel_size, or both kernel_h and kernel_w; set one of the two forms")
        for name in ("pad", "stride"):
            pair = [p.HasField(f"{name}_h"), p.HasField(f"{name}_w")]
            if any(pair) and (p.HasField(name) or not all(pair)):
                self.fail(f"{name} is {name}, or both {name}_h and {name}_w; set one of the two forms")
        self.pad = (p.pad_h, p.pad_w) if p.HasField("pad_h") else (p.pad, p.pad)
        self.stride = (p.stride_h, p.stride_w) if p.HasField("stride_h") else (p.stride, p.stride)
        self.kernel = (
            (p.kernel_size, p.kernel_size) if p.HasField("kernel_size") else (p.kernel_h, p.kernel_w)
        )
        if self.is_global:
            self.kernel = bottom[2:]
            if self.pad != (0, 0) or self.stride != (1, 1):
                self.fail(
                    f"global_pooling goes with pad 0 and stride 1, not {self.pad} and {self.stride}; remove them"
                )
        if min(self.kernel) < 1 or min(self.stride) < 1:
            self.fail(f"kernel {self.kernel} and stride {self.stride} must be above 0 on both axes")
        if self.pad != (0, 0):
            if self.method == PoolingParameter.STOCHASTIC:
                self.fail(f"pad is {self.pad}, but STOCHASTIC pooling has none; use MAX or AVE, or pad 0")
            if any(pad >= kernel for pad, kernel in zip(self.pad, self.kernel, strict=True)):
                self.fail(f"pad {self.pad} must be below kernel {self.kernel} on both axes; lower the pad")
        if self.has_mask and self.method != PoolingParameter.MAX:
            self.fail(
                f"{len(self.param.top)} tops, but only MAX pooling has a second one (the mask); remove it"
            )
        self.ceil = p.round_mode == PoolingParameter.CEIL
        if p.HasField("ceil_mode"):
            if p.HasField("round_mode") and p.ceil_mode != self.ceil:
                given = str(p.ceil_mode).lower()
                self.fail(f"round_mode and ceil_mode: {given} contradict each other; keep round_mode")
            self.ceil = p.ceil_mode

    def reshape(self, bottom):
        self.check_pictures(bottom)
        if self.is_global:
            self.kernel = bottom[2:]
        steps = [
            (size + 2 * p - k) / s
            for size, p, k, s in zip(bottom[2:], self.pad, self.kernel, self.stride, strict=True)
        ]
        sizes = [(math.ceil(step) if self.ceil else math.floor(step)) + 1 for step in steps]
        if self.pad != (0, 0):
            for i, (size, pad, stride) in enumerate(zip(bottom[2:], self.pad, self.stride, strict=True)):
                sizes[i] -= (sizes[i] - 1) * stride >= size + pad
        if min(sizes) < 1:
            self.fail(
                f"bottom shape {tuple(bottom)} with kernel {self.kernel}, stride {self.stride} and pad {self.pad} "
                f"gives a top of size {tuple(sizes)}; enlarge the input or lower the kernel"
            )
        self.sizes = tuple(sizes)
        top = (*bottom[:2], *self.sizes)
        # Fill up or cut the far side, so that the windows cover exactly what they should: (near, far) an axis.
        height, width = (
            (p, (out - 1) * s + k - size - p)
            for size, p, out, s, k in zip(
                bottom[2:], self.pad, self.sizes, self.stride, self.kernel, strict=True
            )
        )
        self.edges = (*width, *height)
        # torch drops the last window by the same rule, always, and takes pads up to half a kernel.
        self.native = all(
            2 * p <= k and (out - 1) * s < size + p
            for size, p, out, s, k in zip(
                bottom[2:], self.pad, self.sizes, self.stride, self.kernel, strict=True
            )
        )
        return [top] * (1 + self.has_mask)

    def per_record(self) -> bool:
        return True

    def random_reason(self) -> str:
        return "draws at random in TRAIN" if self.is_random and self.phase == TRAIN else ""

    def forward(self, bottom):
        if self.method == PoolingParameter.MAX:
            return self._maximum(bottom)
        if self.method == PoolingParameter.AVE:
            return self._mean(bottom)
        return self._stochastic(bottom)

    def _maximum(self, x: Tensor):
        # torch lets NaN win and starts from -inf. On the CPU looking at the small top is cheaper than at x.
        eager = x.device.type == "cpu" and not torch.compiler.is_compiling()
        top = self._pool_maximum(x if eager else _finite(x))
        if eager and top[0].numel() and not top[0].detach().amin() >= LOWEST:
            top = self._pool_maximum(_finite(x))
        if not self.has_mask:
            return top[0]
        value, place = top
        if not self.native:  # from places in the padded plane
            left, right, above, _ = self.edges
            width = x.shape[3] + left + right
            place = (place // width - above) * x.shape[3] + place % width - left
        return value, torch.where(value == LOWEST, -1, place).to(x.dtype)

    def _pool_maximum(self, x: Tensor) -> tuple[Tensor, ...]:
        mask = self.has_mask
        if self.native:
            top = F.max_pool2d(
                x, self.kernel, self.stride, self.pad, ceil_mode=self.ceil, return_indices=mask
            )
        else:
            x = F.pad(x, self.edges, value=LOWEST)
            top = F.max_pool2d(x, self.kernel, self.stride, return_indices=mask)
        return top if mask else (top,)

    def _mean(self, x: Tensor) -> Tensor:
        # Compiled by torch 2.13, avg_pool2d's gradient is wrong where a window reaches beyond the picture and its pad.
        beyond = self.edges[1] > self.pad[1] or self.edges[3] > self.pad[0]
        if self.native and not (beyond and torch.compiler.is_compiling()):
            return F.avg_pool2d(x, self.kernel, self.stride, self.pad, ceil_mode=self.ceil)
        total = F.avg_pool2d(F.pad(x, self.edges), self.kernel, self.stride, divisor_override=1)
        return total / self._divisor(x.shape[2:], x.device).to(x.dtype)

    def _divisor(self, spatial: Sequence[int], device: torch.device | None = None) -> Tensor:
        """How much of each window counts in a mean: (height, width) of the top."""
        height, width = (
            (start + k).clamp(max=size + p) - start
            for size, p, out, s, k in zip(
                spatial, self.pad, self.sizes, self.stride, self.kernel, strict=True
            )
            for start in [torch.arange(out, device=device) * s - p]
        )
        return height.unsqueeze(1) * width

    def _stochastic(self, x: Tensor) -> Tensor:
        windows = F.pad(x, self.edges)
        for i in (0, 1):
            windows = windows.unfold(2 + i, self.kernel[i], self.stride[i])
        windows = windows.flatten(4)
        running = windows.cumsum(4)
        total = running[..., -1:]
        if self.phase == TRAIN:
            draw = 1 - self.drawn(total, torch.rand_like)  # above 0, so that a leading 0 is never drawn
            first = (running.detach() >= draw * total.detach()).int().argmax(4, keepdim=True)
            return windows.gather(4, first).squeeze(4)
        squares, total = windows.square().sum(4), total.squeeze(4)
        positive = total > 0
        return torch.where(positive, squares / torch.where(positive, total, 1), 0)

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        if any(isinstance(size, str) for size in graph.shape(bottoms[0])[2:]):
            self._open_to_onnx(graph, bottoms[0], tops)
        elif self.method == PoolingParameter.MAX:
            self._maximum_to_onnx(graph, bottoms[0], tops)
        elif self.method == PoolingParameter.AVE:
            self._mean_to_onnx(graph, bottoms[0], tops)
        else:
            self._stochastic_to_onnx(graph, bottoms[0], tops)

    # -- pictures whose size only a run tells ----------------------------------------------------

    def _open_to_onnx(self, graph: OnnxGraph, x: str, tops: list[str]) -> None:
        if self.is_global and self.method != PoolingParameter.STOCHASTIC:
            self._global_to_onnx(graph, x, tops)
            return
        if self.is_global or (self.method == PoolingParameter.STOCHASTIC and self.phase == TRAIN):
            self.fail(
                "cannot be exported for pictures of any size: use AVE or MAX, or leave --dynamic-size out"
            )
        # Runtimes differ in what they do with a last window that starts outside; here none can.
        rounded = self.ceil and max(self.stride) > 1
        rows = zip(self.kernel, self.stride, self.pad, strict=True)
        if not rounded or all(s == 1 or k >= p + s for k, s, p in rows):
            window = {"ceil_mode": 1} if rounded else {}
            if self.method == PoolingParameter.AVE and rounded and any(self.pad):
                # Caffe counts the pads, as zeros of a larger image, but nothing that lies beyond them.
                x = _padded(graph, x, [0, 0, *self.pad, 0, 0, *self.pad], 0.0)
                graph.node("AveragePool", [x], tops, **self._window(), **window)
            elif self.method == PoolingParameter.AVE:
                counted = {"count_include_pad": 1} if any(self.pad) else {}
                graph.node("AveragePool", [x], tops, **self._window(self.pad, self.pad), **window, **counted)
            elif self.method == PoolingParameter.MAX:
                self._places_to_onnx(graph, x, tops, {**self._window(self.pad, self.pad), **window})
            else:
                self._shares_to_onnx(graph, x, {**self._window(), **window}, tops)
            return
        # The far side is filled up as the file runs, so that no window needs rounding.
        edges = [self._edge(graph, x, axis) for axis in (0, 1)]
        near = [graph.constant([0, 0, *self.pad, 0, 0])]
        pads = graph.node("Concat", [*near, *(far for _, far in edges)], axis=0)
        if self.method == PoolingParameter.MAX:
            full = _padded(graph, x, pads, LOWEST)
            self._places_to_onnx(graph, full, tops, self._window(), x)
            return
        full = _padded(graph, x, pads, 0.0)
        if self.method == PoolingParameter.STOCHASTIC:
            self._shares_to_onnx(graph, full, self._window(), tops)
            return
        top = graph.node("AveragePool", [full], **self._window())
        total = graph.node("Mul", [top, graph.constant(float(math.prod(self.kernel)))])
        counts = [self._counted(graph, x, axis, edges[axis][0]) for axis in (0, 1)]
        divisor = graph.node("Mul", [graph.node("Unsqueeze", [counts[0], graph.constant([1])]), counts[1]])
        graph.node("Div", [total, graph.node("Cast", [divisor], to=ONNX_FLOAT)], tops)

    def _edge(self, graph: OnnxGraph, x: str, axis: int) -> tuple[str, str]:
        """How many windows there are, and how far the last one reaches beyond the image: int64 (1,) as the file runs."""
        k, s, p = self.kernel[axis], self.stride[axis], self.pad[axis]
        size = graph.size(x, 2 + axis)
        room = graph.node("Add", [size, graph.constant([2 * p - k + (s - 1) * self.ceil])])
        last = graph.node("Div", [room, graph.constant([s])])
        start = graph.node("Mul", [last, graph.constant([s])])
        if any(self.pad):
            outside = graph.node("GreaterOrEqual", [start, graph.node("Add", [size, graph.constant([p])])])
            last = graph.node("Sub", [last, graph.node("Cast", [outside], to=ONNX_INT64)])
            start = graph.node("Mul", [last, graph.constant([s])])
        end = graph.node("Add", [start, graph.constant([k - p])])
        far = graph.node("Max", [graph.node("Sub", [end, size]), graph.constant([0])])
        return graph.node("Add", [last, graph.constant([1])]), far

    def _counted(self, graph: OnnxGraph, x: str, axis: int, windows: str) -> str:
        """How much of each window counts in a mean, along one axis: `_divisor` as the file runs."""
        k, s, p = self.kernel[axis], self.stride[axis], self.pad[axis]
        count = graph.node("Squeeze", [windows, graph.constant([0])])
        place = graph.node("Range", [graph.constant(0), count, graph.constant(1)])
        start = graph.node("Mul", [place, graph.constant(s)])  # in the padded image
        size = graph.node("Add", [graph.size(x, 2 + axis), graph.constant([2 * p])])
        end = graph.node("Min", [graph.node("Add", [start, graph.constant(k)]), size])
        return graph.node("Sub", [end, start])

    def _places_to_onnx(
        self, graph: OnnxGraph, x: str, tops: list[str], window: dict[str, Any], image: str = ""
    ) -> None:
        """The maxima and their places, of an `image` that x is with pads, or of x."""
        if not self.has_mask:
            graph.node("MaxPool", [x], tops, **window)
            return
        (index,) = graph.fresh(1)
        graph.node("MaxPool", [x], [tops[0], index], **window)
        shape = graph.node("Shape", [x])
        height, width = (graph.node("Gather", [shape, graph.constant([axis])]) for axis in (2, 3))
        # ONNX counts places through the whole blob.
        place = graph.node("Mod", [index, graph.node("Mul", [height, width])])
        if image:
            row = graph.node("Sub", [graph.node("Div", [place, width]), graph.constant(self.pad[0])])
            column = graph.node("Sub", [graph.node("Mod", [place, width]), graph.constant(self.pad[1])])
            place = graph.node("Add", [graph.node("Mul", [row, graph.size(image, 3)]), column])
        place = graph.node("Cast", [place], to=ONNX_FLOAT)
        nowhere = graph.node("Equal", [tops[0], graph.constant(LOWEST)])
        graph.node("Where", [nowhere, graph.constant(-1.0), place], tops[1:])

    def _global_to_onnx(self, graph: OnnxGraph, x: str, tops: list[str]) -> None:
        graph.node(
            "GlobalMaxPool" if self.method == PoolingParameter.MAX else "GlobalAveragePool", [x], tops[:1]
        )
        if self.has_mask:
            flat = graph.node("Reshape", [x, graph.constant([0, 0, -1])])
            place = graph.node("ArgMax", [flat], axis=2, keepdims=1)
            place = graph.node("Unsqueeze", [place, graph.constant([3])])
            graph.node("Cast", [place], tops[1:], to=ONNX_FLOAT)

    # -- pictures of a known size ----------------------------------------------------------------

    def _inside(self, spatial: Sequence[int]) -> tuple[list[int], list[int]]:
        """How many windows hold a part of the image, and how far the last of them reach beyond it."""
        rows = list(zip(spatial, self.pad, self.sizes, self.stride, self.kernel, strict=True))
        count = [min(out, -(-(size + p) // s)) for size, p, out, s, _ in rows]
        far = [max(0, (n - 1) * s + k - size - p) for (size, p, _, s, k), n in zip(rows, count, strict=True)]
        return count, far

    def _window(self, near: Sequence[int] = (0, 0), far: Sequence[int] = (0, 0)) -> dict[str, Any]:
        """The attributes of a pooling node. Pads say which windows there are, so none is rounded."""
        window: dict[str, Any] = {"kernel_shape": list(self.kernel), "strides": list(self.stride)}
        return {**window, "pads": [*near, *far]} if any((*near, *far)) else window

    def _beyond(
        self, graph: OnnxGraph, value: str, count: Sequence[int], number: float, outputs: Sequence[str] | None
    ) -> str:
        """`value` with the windows that lie outside the image, which are all `number`."""
        pads = [0] * 6 + [out - n for out, n in zip(self.sizes, count, strict=True)]
        return graph.node("Pad", [value, graph.constant(pads), graph.constant(number)], outputs)

    def _maximum_to_onnx(self, graph: OnnxGraph, x: str, tops: list[str]) -> None:
        if self.is_global and not self.has_mask:
            graph.node("GlobalMaxPool", [x], tops)
            return
        count, far = self._inside(graph.shape(x)[2:])
        whole = tuple(count) == self.sizes
        outputs = [*(tops[:1] if whole else graph.fresh(1)), *(graph.fresh(1) if self.has_mask else [])]
        graph.node("MaxPool", [x], outputs, **self._window(self.pad, far))
        if not whole:
            self._beyond(graph, outputs[0], count, LOWEST, tops[:1])
        if self.has_mask:
            # ONNX counts places through the whole blob.
            plane = graph.node("Mul", [graph.size(x, 2), graph.size(x, 3)])
            place = graph.node("Mod", [outputs[1], plane])
            place = graph.node("Cast", [place], tops[1:] if whole else None, to=ONNX_FLOAT)
            if not whole:
                self._beyond(graph, place, count, -1.0, tops[1:])

    def _mean_to_onnx(self, graph: OnnxGraph, x: str, tops: list[str]) -> None:
        if self.is_global:
            graph.node("GlobalAveragePool", [x], tops)
            return
        spatial = graph.shape(x)[2:]
        count, far = self._inside(spatial)
        whole = tuple(count) == self.sizes
        outputs = tops if whole else None
        if all(f <= p for f, p in zip(far, self.pad, strict=True)):  # every window counts whole
            counted = {"count_include_pad": 1} if any(self.pad) else {}
            top = graph.node("AveragePool", [x], outputs, **self._window(self.pad, far), **counted)
        else:  # Caffe counts the pads, as zeros of a larger image, but nothing that lies beyond them
            beyond = [max(0, f - p) for f, p in zip(far, self.pad, strict=True)]
            if any(self.pad):
                pads = graph.constant([0, 0, *self.pad, 0, 0, *self.pad])
                x = graph.node("Pad", [x, pads, graph.constant(0.0)])
            top = graph.node("AveragePool", [x], outputs, **self._window(far=beyond))
        if not whole:
            divisor = self._divisor(spatial)
            nowhere = bool((divisor == 0).any())  # the mean of nothing is NaN
            top = self._beyond(graph, top, count, 0.0, None if nowhere else tops)
            if nowhere:
                factor = np.where(divisor.numpy() == 0, math.nan, 1.0)
                graph.node("Mul", [top, graph.constant(factor, name="factor")], tops)

    def _stochastic_to_onnx(self, graph: OnnxGraph, x: str, tops: list[str]) -> None:
        if self.phase == TRAIN:
            self.fail("cannot be exported: in TRAIN it draws a value at random; export the TEST net")
        count, far = self._inside(graph.shape(x)[2:])
        whole = tuple(count) == self.sizes
        # Of whole windows, pads included: the ratio of the two is not changed by what both are divided by.
        window = {**self._window(far=far), **({"count_include_pad": 1} if any(far) else {})}
        top = self._shares_to_onnx(graph, x, window, tops if whole else None)
        if not whole:
            self._beyond(graph, top, count, 0.0, tops)

    def _shares_to_onnx(
        self, graph: OnnxGraph, x: str, window: dict[str, Any], outputs: Sequence[str] | None
    ) -> str:
        """The mean weighted by the values themselves."""
        squares, total = (
            graph.node("AveragePool", [value], **window) for value in (graph.node("Mul", [x, x]), x)
        )
        positive = graph.node("Greater", [total, graph.constant(0.0)])
        divisor = graph.node("Where", [positive, total, graph.constant(1.0)])
        ratio = graph.node("Div", [squares, divisor])
        return graph.node("Where", [positive, ratio, graph.constant(0.0)], outputs)


def _padded(graph: OnnxGraph, x: str, pads: str | list[int], number: float) -> str:
    return graph.node(
        "Pad", [x, pads if isinstance(pads, str) else graph.constant(pads), graph.constant(number)]
    )


def _finite(x: Tensor) -> Tensor:
    """x with everything that never wins in Caffe as -FLT_MAX."""
    return torch.nan_to_num(x, nan=LOWEST, posinf=math.inf, neginf=LOWEST)
