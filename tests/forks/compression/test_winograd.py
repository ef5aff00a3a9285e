"""Winograd: its weights' own domain, and that it is a convolution where they come from a kernel."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from caffe_compat.forks.compression.winograd import matrices
from tests.layers.harness import Case, Error, cases, draws, errors, make

TEXT = 'type: "Winograd" convolution_param { num_output: 4 kernel_size: %d %s }'
# F(4 x 4, 3 x 3) as Lavin and Gray print it, signs of the second and third point changed.
B = np.array(
    [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0], [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0],
     [0, 4, 0, -5, 0, 1]]
).T  # fmt: skip
A = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]).T


def tiled(pad, group):
    def formula(x, weight, bias):
        n, channels, height, width = x.shape
        rows, columns = height + 2 * pad - 2, width + 2 * pad - 2
        x = np.pad(x, ((0, 0), (0, 0), (pad, pad + 6), (pad, pad + 6)))
        top = np.zeros((n, 4, rows + 4, columns + 4))
        per = channels // group
        for i, o, s, t in np.ndindex(n, 4, -(-rows // 4), -(-columns // 4)):
            total = 0
            for c in range(per):
                tile = x[i, (o // (4 // group)) * per + c, 4 * s : 4 * s + 6, 4 * t : 4 * t + 6]
                total = total + weight[:, :, o, c] * (B.T @ tile @ B)
            top[i, o, 4 * s : 4 * s + 4, 4 * t : 4 * t + 4] = A.T @ total @ A + bias[o]
        return top[:, :, :rows, :columns]

    return formula


CASES = [
    Case(
        "tiles", TEXT % (3, "pad: 1"), [(2, 3, 5, 6)], tiled(1, 1), onnx="its weights are no kernel's; export"
    ),
    Case(
        "groups",
        TEXT % (3, "group: 2"),
        [(1, 6, 7, 6)],
        tiled(0, 2),
        onnx="its weights are no kernel's; export",
    ),
]

ERRORS = [
    Error(
        TEXT % (4, ""),
        [(2, 3, 8, 9)],
        r"kernel_size is \(4, 4\), stride \(1, 1\), dilation \(1, 1\) and axis 1; only",
    ),
    Error(TEXT % (3, "stride: 2"), [(2, 3, 8, 9)], r"stride \(2, 2\)"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_matrices_of_kernels_of_3():
    a, b, _ = matrices(3)
    np.testing.assert_allclose(a, A, atol=1e-12)
    np.testing.assert_allclose(b, B, atol=1e-12)


@pytest.mark.parametrize("kernel, pad", [(3, 1), (5, 2)])
def test_a_kernels_weights_give_its_convolution(kernel, pad):
    text = TEXT % (kernel, f"pad: {pad} group: 2 weight_filler {{ type: 'gaussian' }}")
    layer = make(text, (2, 6, 7, 9))
    w = torch.from_numpy(draws((4, 3, kernel, kernel), 5))
    g = torch.from_numpy(matrices(kernel)[2])
    layer.blobs[0].data.copy_(torch.einsum("iu,jv,ocuv->ijoc", g, g, w))
    x = torch.from_numpy(draws((2, 6, 7, 9), 6))
    torch.testing.assert_close(layer(x), F.conv2d(x, w, padding=pad, groups=2), rtol=1e-9, atol=1e-10)


def test_it_is_born_as_a_fillers_kernel():
    text = TEXT % (3, "weight_filler { type: 'constant' value: 2 } pad: 1")
    layer = make(text, (1, 3, 5, 6))
    assert layer.blobs[0].shape == (6, 6, 4, 3)
    x = torch.from_numpy(draws((1, 3, 5, 6), 6))
    torch.testing.assert_close(layer(x), F.conv2d(x, torch.full((4, 3, 3, 3), 2.0, dtype=x.dtype), padding=1))
