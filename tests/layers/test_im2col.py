"""Im2col: columns in Caffe's order, in one to three spatial axes."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, errors, make
from tests.layers.test_convolution import taps, window


def columns(kernel, stride=1, pad=0, dilation=1, axis=1):
    def formula(x):
        s, p, d = window(len(kernel), stride, pad, dilation)
        x = np.pad(x, [*[(0, 0)] * (axis + 1), *zip(p, p, strict=True)])
        sizes = [
            (n - dd * (k - 1) - 1) // ss + 1
            for n, k, ss, dd in zip(x.shape[axis + 1 :], kernel, s, d, strict=True)
        ]
        parts = [x[(..., *where)] for _, where in taps(kernel, s, d, sizes)]
        return np.stack(parts, axis + 1).reshape(*x.shape[:axis], -1, *sizes)

    return formula


def param(fields):
    return f'type: "Im2col" convolution_param {{ {fields} }}'


CASES = [
    Case("plain", param("kernel_size: 2"), [(2, 3, 4, 5)], columns((2, 2))),
    Case(
        "all-fields",
        param("kernel_h: 2 kernel_w: 3 stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 0 dilation: 2 dilation: 1"),
        [(2, 3, 6, 5)],
        columns((2, 3), (2, 1), (1, 0), (2, 1)),
    ),
    Case("1-d", param("kernel_size: 3 stride: 2"), [(2, 3, 8)], columns((3,), 2)),
    Case("3-d", param("kernel_size: 2 pad: 1 stride: 2"), [(2, 3, 3, 5, 2)], columns((2, 2, 2), 2, 1)),
    Case(
        "window-past-the-end",
        param("kernel_h: 2 kernel_w: 5 pad_w: 1 stride: 3"),
        [(2, 3, 5, 2)],
        lambda x: columns((2, 5), 3)(np.pad(x, [(0, 0), (0, 0), (0, 0), (1, 2)])),
    ),
    Case("axis-2", param("kernel_size: 2 axis: 2"), [(2, 3, 2, 4, 5)], columns((2, 2), axis=2)),
]

ERRORS = [
    Error(param("kernel_size: 2"), [(2, 3)], r"axis 1 leaves 0 spatial axes of bottom \(2, 3\)"),
    Error(param("kernel_size: 5"), [(2, 3, 4, 5)], r"a top of spatial size \(0, 1\) with kernel \(5, 5\)"),
    Error(param(""), [(2, 3, 4, 5)], "kernel_size is given 0 times"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_axes_cannot_change():
    layer = make(param("kernel_size: 2"), (2, 3, 4, 5))
    assert layer.reshape((7, 2, 3, 6)) == [(7, 8, 2, 5)]
    with pytest.raises(LayerError, match=r"\(2, 3, 4\) has 3 axes, but the layer was set up for 4"):
        layer.reshape((2, 3, 4))
