"""DepthwiseConvolution and ConvolutionDepthwise against a loop over channels and taps."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors, make


def depthwise(stride=(1, 1), pad=(0, 0), dilation=(1, 1)):
    def formula(x, weight, *bias):
        kernel = weight.shape[2:]
        x = np.pad(x, [(0, 0), (0, 0), (pad[0],) * 2, (pad[1],) * 2])
        height, width = (
            (n - d * (k - 1) - 1) // s + 1
            for n, k, s, d in zip(x.shape[2:], kernel, stride, dilation, strict=True)
        )
        top = np.zeros((*x.shape[:2], height, width))
        for c, i, j in np.ndindex(x.shape[1], *kernel):
            rows = slice(i * dilation[0], i * dilation[0] + stride[0] * (height - 1) + 1, stride[0])
            columns = slice(j * dilation[1], j * dilation[1] + stride[1] * (width - 1) + 1, stride[1])
            top[:, c] += weight[c, 0, i, j] * x[:, c, rows, columns]
        return top + (bias[0].reshape(-1, 1, 1) if bias else 0)

    return formula


def param(kind, fields):
    return f'type: "{kind}" convolution_param {{ {fields} }}'


OWN, GROUPED = "ConvolutionDepthwise", "DepthwiseConvolution"
SHAPE = (2, 3, 6, 7)

CASES = [
    Case("own", param(OWN, "kernel_size: 3"), [SHAPE], depthwise()),
    Case(
        "own-window",
        param(OWN, "num_output: 3 kernel_h: 2 kernel_w: 3 stride: 2 pad_h: 1 pad_w: 0 dilation: 2"),
        [SHAPE],
        depthwise((2, 2), (1, 0), (2, 2)),
    ),
    Case("own-ignores", param(OWN, "num_output: 7 group: 2 kernel_size: 2"), [SHAPE], depthwise()),
    Case("own-no-bias", param(OWN, "kernel_size: [2, 4] bias_term: false"), [SHAPE], depthwise()),
    Case(
        "grouped",
        param(GROUPED, "num_output: 3 group: 3 kernel_size: 3 pad: 1 stride: 2"),
        [SHAPE],
        depthwise((2, 2), (1, 1)),
    ),
    Case("grouped-no-bias", param(GROUPED, "num_output: 3 group: 3 kernel_size: 2 bias_term: false"), [SHAPE],
         depthwise()),
]  # fmt: skip

ERRORS = [
    Error(param(OWN, "kernel_size: 3"), [(2, 3, 6)], r"\(2, 3, 6\) has 3 axes, 4 are needed"),
    Error(param(OWN, "kernel_size: 7"), [SHAPE], "gives a top of spatial size"),
    Error(param(OWN, ""), [SHAPE], "kernel_size is given 0 times"),
    Error(param(GROUPED, "num_output: 4 group: 3 kernel_size: 3"), [SHAPE], "group 3 must divide"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_fillers_and_shapes():
    fields = "kernel_size: 3 weight_filler { value: 2 } bias_filler { value: 5 }"
    weight, bias = make(param(OWN, fields), SHAPE).blobs
    assert (weight.shape, bias.shape) == ((3, 1, 3, 3), (3,)) and weight.eq(2).all() and bias.eq(5).all()
