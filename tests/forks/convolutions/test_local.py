"""Local, against loops over places."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, errors, make


def text(fields):
    return f'type: "Local" local_param {{ {fields} }}'


def formula(kernel, stride, pad):
    def local(x, weight, *bias):
        x = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
        rows, columns = ((n - kernel) // stride + 1 for n in x.shape[2:])
        top = np.zeros((len(x), len(weight), rows, columns))
        for row in range(rows):
            for column in range(columns):
                here = x[
                    :, :, row * stride : row * stride + kernel, column * stride : column * stride + kernel
                ]
                place = row * columns + column
                top[:, :, row, column] = here.reshape(len(x), -1) @ weight[:, 0, :, place].T
                if bias:
                    top[:, :, row, column] += bias[0][0, 0, :, place]
        return top

    return local


CASES = [
    Case("plain", text("num_output: 2 kernel_size: 2"), [(3, 2, 4, 3)], formula(2, 1, 0)),
    Case("padded", text("num_output: 2 kernel_size: 3 stride: 2 pad: 1"), [(1, 2, 4, 5)], formula(3, 2, 1)),
    Case("no-bias", text("num_output: 4 kernel_size: 2 bias_term: false"), [(3, 1, 2, 4)], formula(2, 1, 0)),
]

ERRORS = [
    Error(text("num_output: 2"), [(3, 2, 4, 5)], "num_output 2, kernel_size 0 and stride 1 must be set"),
    Error(text("num_output: 2 kernel_size: 2"), [(3, 2, 4)], "has 3 axes, 4 are needed"),
    Error(
        text("num_output: 2 kernel_size: 5"), [(3, 2, 4, 6)], r"\(3, 2, 4, 6\) is smaller than kernel_size 5"
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_size_stays():
    layer = make(text("num_output: 2 kernel_size: 2"), (3, 2, 4, 5))
    assert [tuple(blob.shape) for blob in layer.blobs] == [(2, 1, 8, 12), (1, 1, 2, 12)]
    with pytest.raises(LayerError, match=r"are \(2, 5, 4\), but the blobs were made for \(2, 4, 5\)"):
        layer.reshape((3, 2, 5, 4))
