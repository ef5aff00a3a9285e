"""DeformableConvolution against loops over windows and kernel points."""

import numpy as np

from tests.layers.harness import Case, Error, cases, draws, errors

TEXT = 'type: "DeformableConvolution" deformable_convolution_param { num_output: %d kernel_size: %d %s }'


def at(plane, y, x):
    """plane between its positions; 0 outside, and the last row and column reach up to one position further."""
    height, width = plane.shape
    if not (0 <= y < height and 0 <= x < width):
        return 0.0
    y, x = min(y, height - 1), min(x, width - 1)
    j, i = int(y), int(x)
    b, a = y - j, x - i
    k, m = min(j + 1, height - 1), min(i + 1, width - 1)
    top, low = (1 - a) * plane[j, i] + a * plane[j, m], (1 - a) * plane[k, i] + a * plane[k, m]
    return (1 - b) * top + b * low


def deformed(stride=1, pad=0, dilation=1, group=1, parts=1):
    def formula(x, moves, weight, bias=None):
        n, channels, _, _ = x.shape
        outputs, per_group, kh, kw = weight.shape
        rows, columns = moves.shape[2:]
        top = np.zeros((n, outputs, rows, columns))
        for i, c, r, s, u, v in np.ndindex(n, channels, rows, columns, kh, kw):
            part = c // (channels // parts)
            point = 2 * (part * kh * kw + u * kw + v)
            y = r * stride - pad + u * dilation + moves[i, point, r, s]
            z = s * stride - pad + v * dilation + moves[i, point + 1, r, s]
            g = c // per_group
            outs = slice(g * (outputs // group), (g + 1) * (outputs // group))
            top[i, outs, r, s] += weight[outs, c % per_group, u, v] * at(x[i, c], y, z)
        return top if bias is None else top + bias[:, None, None]

    return formula


CASES = [
    Case(
        "plain",
        TEXT % (3, 2, "deformable_group: 1"),
        [(2, 1, 4, 5), 1.5 * draws((2, 8, 3, 4), 3)],
        deformed(),
    ),
    Case(
        "all",
        TEXT % (4, 3, "pad: 2 stride: 2 dilation: 2 group: 2 deformable_group: 3 bias_term: false"),
        [(1, 6, 5, 7), 2.5 * draws((1, 54, 3, 4), 5)],
        deformed(2, 2, 2, 2, 3),
    ),
]

ERRORS = [
    Error(
        TEXT % (3, 2, "deformable_group: 1"),
        [(2, 1, 4, 5), (2, 8, 4, 5)],
        r"must have \(2, 8, 3, 4\): 2 for each",
    ),
    Error(TEXT % (3, 2, ""), [(2, 3, 4, 5), (2, 8, 3, 4)], "deformable_group 4 must divide the 3 channels"),
    Error(TEXT % (3, 2, "group: 2"), [(2, 4, 4, 5), (2, 8, 3, 4)], "group 2 must divide both the 4 channels"),
    Error(TEXT % (0, 2, ""), [(2, 4, 4, 5), (2, 8, 3, 4)], "num_output is 0, it must be set"),
    Error(TEXT % (4, 2, "axis: 2"), [(2, 4, 4, 5), (2, 8, 3, 4)], "axis is 2; only axis 1 is known"),
    Error(TEXT % (4, 6, ""), [(2, 4, 4, 5), (2, 8, 3, 4)], "gives a top of -1 x 0 with kernel"),
    Error(
        TEXT % (4, 2, "kernel_h: 3"),
        [(2, 4, 4, 5), (2, 8, 3, 4)],
        "kernel_size and kernel_h, kernel_w are both set",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
