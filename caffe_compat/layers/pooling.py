"""Pooling: the greatest, the mean or a drawn value of every window."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.layers.base import TRAIN, Layer, OnnxGraph, Shape, layer
from caffe_compat.layers.common.pooling_nodes import LOWEST, PoolingNodes
from caffe_compat.proto import PoolingParameter


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
    One size an axis, and a dilation, are a fork's: forks/video/pooling_3d.py, PoolingOverAxes.
    """

    drawn_as = "window"
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
        self.pad: Shape = (p.pad_h, p.pad_w) if p.HasField("pad_h") else (p.pad, p.pad)
        self.stride: Shape = (p.stride_h, p.stride_w) if p.HasField("stride_h") else (p.stride, p.stride)
        self.kernel: Shape = (
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
            )  # type: ignore[call-overload]  # torch tells two constants apart, and takes a bool
        else:
            x = F.pad(x, self.edges, value=LOWEST)
            top = F.max_pool2d(x, self.kernel, self.stride, return_indices=mask)  # type: ignore[call-overload]
        return top if mask else (top,)

    def _mean(self, x: Tensor) -> Tensor:
        # Compiled by torch 2.13, avg_pool2d's gradient is wrong where a window reaches beyond the picture and its pad.
        beyond = self.edges[1] > self.pad[1] or self.edges[3] > self.pad[0]
        if self.native and not (beyond and torch.compiler.is_compiling()):
            return F.avg_pool2d(x, self.kernel, self.stride, self.pad, ceil_mode=self.ceil)
        total = F.avg_pool2d(F.pad(x, self.edges), self.kernel, self.stride, divisor_override=1)
        return total / self.divisor(x.shape[2:], x.device).to(x.dtype)

    def divisor(self, spatial: Sequence[int], device: torch.device | None = None) -> Tensor:
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
        PoolingNodes(self).write(graph, bottoms[0], tops)


def _finite(x: Tensor) -> Tensor:
    """x with everything that never wins in Caffe as -FLT_MAX."""
    return torch.nan_to_num(x, nan=LOWEST, posinf=math.inf, neginf=LOWEST)
