"""Winograd: a convolution that learns its weights as Winograd's fast algorithm multiplies them."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caffe_compat.layers.base import OnnxGraph, Shape, layer
from caffe_compat.layers.convolution import Convolution, Convolving, convolve

_OUT = 4  # a tile of the top is 4 x 4

# For a kernel size the points that polynomials are taken at, the last one being infinity, and what their values are
# multiplied with in the weights and in the top: the fork's choice, in which it stores weights.
_POINTS: dict[int, tuple[list[float], list[float], list[float]]] = {
    3: ([0, 1, -1, 2, -2], [1 / 4, -1 / 6, -1 / 6, 1 / 24, 1 / 24, 1], [1] * 6),
    5: (
        [0, 1, -1, 2, -2, 1 / 2, -1 / 2],
        [1, -2 / 9, -2 / 9, 1 / 90, 1 / 90, 4 / 45, 4 / 45, 1],
        [1, 1, 1, 1, 1, 8, 8, 1],
    ),
}


@functools.cache
def matrices(kernel: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(A, B, G) with A^T ((G w) * (B^T x)) = the 4 values of the correlation of x with w of `kernel` values.

    Source: Lavin and Gray, arXiv 1509.09308.
    """
    points, of_weights, of_tops = _POINTS[kernel]

    def powers(count: int, factors: list[float]) -> np.ndarray:
        rows = [[point**i for i in range(count)] for point in points] + [[0.0] * (count - 1) + [1.0]]
        return np.array(rows) * np.array(factors)[:, None]

    a, g = powers(_OUT, of_tops), powers(kernel, of_weights)
    size = len(a)
    # Value o of the top takes x_j times w_k where j = o + k.
    products = (a[:, :, None] * g[:, None, :]).reshape(size, -1).T
    wanted = np.array([[j == o + k for j in range(size)] for o in range(_OUT) for k in range(kernel)], float)
    b = np.linalg.lstsq(products, wanted, rcond=None)[0].T
    return a, b, g


@layer("Winograd")
class Winograd(Convolving):
    """top = Convolution's with weights blobs[0] = G w G^T for a kernel w, or those that training made of them

    Fork: IntelLabs/SkimCaffe, src/caffe/layers/winograd_layer.cpp
    Blobs: 0 weight (T, T, num_output, channels / group), T = kernel + 3, born as a filler's w; 1 bias (num_output,).
    Each 4 x 4 values of the top are A^T (sum over channels of blobs[0] * (B^T x B)) A of the T x T values x below them.
    kernel_size is 3 or 5, stride and dilation are 1.
    """

    sizes = Convolution.sizes
    a: Tensor
    b: Tensor

    def setup(self, *bottom: Shape) -> None:
        self.check_pictures(bottom[0])
        super().setup(*bottom)
        w = self.window
        if w.kernel not in ((3, 3), (5, 5)) or w.stride != (1, 1) or w.dilation != (1, 1) or self.start != 1:
            self.fail(
                f"kernel_size is {w.kernel}, stride {w.stride}, dilation {w.dilation} and axis {self.start}; only a kernel "
                "of 3 x 3 or 5 x 5, stride 1, dilation 1 and axis 1 are known"
            )
        a, b, g = (torch.from_numpy(m) for m in matrices(w.kernel[0]))
        for name, value in (("a", a), ("b", b), ("g", g)):
            self.register_buffer(name, value.to(self.context.dtype), persistent=False)
        kernels = self.blobs[0].detach()
        g = g.to(kernels)
        self.blobs[0] = nn.Parameter(torch.einsum("iu,jv,ocuv->ijoc", g, g, kernels).contiguous())

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return sum(map(math.prod, top)) * math.prod(self.window.kernel) * self.blobs[0].shape[3]

    def compute(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Shape, pad: Shape, dilation: Shape
    ) -> Tensor:
        a, b = self.a, self.b
        size = b.shape[0]
        sizes = [n + 2 * p - k + 1 for n, p, k in zip(x.shape[2:], pad, self.window.kernel, strict=True)]
        tiles = [-(-n // _OUT) for n in sizes]
        after = [_OUT * (t - 1) + size - n - p for t, n, p in zip(tiles, x.shape[2:], pad, strict=True)]
        x = F.pad(x, [pad[1], after[1], pad[0], after[0]])
        x = x.unfold(2, size, _OUT).unfold(3, size, _OUT)
        x = torch.einsum("yi,xj,nctsyx->nijcts", b, b, x)
        # One 1 x 1 convolution for each value of a tile.
        rows, columns = tiles
        x = x.reshape(len(x), -1, rows, columns)
        weight = weight.reshape(size * size * self.outputs, -1, 1, 1)
        top = convolve(x, weight, None, (1, 1), (0, 0), (1, 1), size * size * self.group)
        top = top.reshape(len(top), size, size, self.outputs, rows, columns)
        top = torch.einsum("iy,jx,nijots->notysx", a, a, top)
        top = top.reshape(*top.shape[:2], rows * _OUT, columns * _OUT)[:, :, : sizes[0], : sizes[1]]
        return top if bias is None else top + bias[:, None, None]

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        self.fail(
            "cannot be exported: its weights are no kernel's; export the net with Convolution in its place, or name blobs "
            "before it with --outputs"
        )
