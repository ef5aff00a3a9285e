"""Correlation and Correlation1D."""

import math

import numpy as np

from tests.layers.harness import Case, Error, cases, errors

TEXT = 'type: "Correlation1D" correlation_param { kernel_size: %d max_displacement: %d %s }'
FLAT = 'type: "Correlation" correlation_param { kernel_size: %d max_displacement: %d %s }'
SHAPES = [(2, 3, 5, 11), (2, 3, 5, 11)]
SMALL = [(2, 3, 4, 5), (2, 3, 4, 5)]


def correlation(kernel, reach, pad=0, stride=1, step=1, direction=0, subtract=False):
    def formula(a, b):
        n, channels, height, width = a.shape
        a, b = (np.pad(x, ((0, 0), (0, 0), (0, 0), (pad, pad))) for x in (a, b))
        r = reach // step
        moves = {0: range(-r, r + 1), 1: range(r + 1), -1: range(-r - 1, 0)}[direction]
        wide = width + 2 * pad
        rows = math.ceil((height - kernel + 1) / stride)
        columns = math.ceil((wide - 2 * reach - kernel + 1) / stride)
        top = np.zeros((n, len(moves), rows, columns))
        for o, y, x, j, i in np.ndindex(len(moves), rows, columns, kernel, kernel):
            at, row = x * stride + reach + i, y * stride + j
            other = at + moves[o] * step
            one = a[:, :, row, at]
            two = b[:, :, row, other] if 0 <= other < wide else np.zeros_like(one)
            top[:, o, y, x] += (np.abs(one - two) if subtract else one * two).sum(1)
        return top / (kernel**2 * channels)

    return formula


def correlation2(kernel, reach, pad=0, stride=1, step=1, subtract=False):
    def formula(a, b):
        n, channels, height, width = a.shape
        a, b = (np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))) for x in (a, b))
        moves = [step * i for i in range(-(reach // step), reach // step + 1)]
        border = reach + (kernel - 1) // 2
        rows, columns = (math.ceil((size + 2 * pad - 2 * border) / stride) for size in (height, width))
        top = np.zeros((n, len(moves) ** 2, rows, columns))
        for o, p, y, x, j, i in np.ndindex(len(moves), len(moves), rows, columns, kernel, kernel):
            row, column = y * stride + reach + j, x * stride + reach + i
            one, two = a[:, :, row, column], b[:, :, row + moves[o], column + moves[p]]
            top[:, o * len(moves) + p, y, x] += (np.abs(one - two) if subtract else one * two).sum(1)
        return top / (kernel**2 * channels)

    return formula


CASES = [
    Case("one-pixel", TEXT % (1, 2, ""), SHAPES, correlation(1, 2)),
    Case("window-and-pad", TEXT % (3, 4, "pad: 3 stride_2: 2"), SHAPES, correlation(3, 4, pad=3, step=2)),
    Case("strides", TEXT % (1, 3, "pad: 4 stride_1: 2"), SHAPES, correlation(1, 3, pad=4, stride=2)),
    Case("right", TEXT % (1, 3, "single_direction: 1"), SHAPES, correlation(1, 3, direction=1)),
    Case(
        "left", TEXT % (3, 2, "single_direction: -1 pad: 1"), SHAPES, correlation(3, 2, pad=1, direction=-1)
    ),
    Case(
        "subtract",
        TEXT % (1, 2, "pad: 2 correlation_type: SUBTRACT"),
        SHAPES,
        correlation(1, 2, pad=2, subtract=True),
    ),
    Case("two-ways", FLAT % (1, 1, "pad: 1"), SMALL, correlation2(1, 1, pad=1)),
    Case(
        "two-ways-steps",
        FLAT % (3, 2, "pad: 3 stride_1: 2 stride_2: 2"),
        SMALL,
        correlation2(3, 2, pad=3, stride=2, step=2),
    ),
    Case(
        "two-ways-subtract",
        FLAT % (1, 1, "correlation_type: SUBTRACT"),
        SMALL,
        correlation2(1, 1, subtract=True),
    ),
]

ERRORS = [
    Error(
        'type: "Correlation1D" correlation_param { kernel_size: 1 }',
        SHAPES,
        "kernel_size and max_displacement must be",
    ),
    Error(TEXT % (2, 1, ""), SHAPES, "kernel_size is 2 and must be odd"),
    Error(TEXT % (1, 1, "stride_2: 0"), SHAPES, "stride_1 1 and stride_2 0; both must be above 0"),
    Error(TEXT % (1, 1, "single_direction: 2"), SHAPES, "single_direction is 2; use -1, 0 or 1"),
    Error(FLAT % (1, 1, "single_direction: 1"), SMALL, "single_direction is 1; only Correlation1D has one"),
    Error(
        FLAT % (1, 3, "pad: 1"),
        SMALL,
        "gives a top of 0 x 1 with kernel_size 1, max_displacement 3 and pad 1",
    ),
    Error(TEXT % (1, 1, ""), [SHAPES[0], (2, 3, 5, 10)], "must be of one shape"),
    Error(
        TEXT % (1, 6, ""), SHAPES, "gives a top of 5 x -1 with kernel_size 1, max_displacement 6 and pad 0"
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
