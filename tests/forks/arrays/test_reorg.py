"""Reorg: every value to its place."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors


def reorg(stride, reverse):
    """Index by index, as darknet's loop has it."""

    def formula(x):
        num, channels, height, width = x.shape
        few = channels // stride**2
        flat, top = x.reshape(num, -1), np.zeros((num, x[0].size))
        for k, j, i in np.ndindex(channels, height, width):
            here = i + width * (j + height * k)
            column, row = i * stride + k // few % stride, j * stride + k // few // stride
            there = column + width * stride * (row + height * stride * (k % few))
            if reverse:
                top[:, there] = flat[:, here]
            else:
                top[:, here] = flat[:, there]
        if reverse:
            return top.reshape(num, few, height * stride, width * stride)
        return top.reshape(num, channels * stride**2, height // stride, width // stride)

    return formula


def reorg_param(fields):
    return f'type: "Reorg" reorg_param {{ {fields} }}'


CASES = [
    Case("reorg", reorg_param("stride: 2"), [(3, 8, 4, 6)], reorg(2, False)),
    Case("reorg-three", reorg_param("stride: 3"), [(2, 18, 3, 6)], reorg(3, False)),
    Case("reorg-reverse", reorg_param("stride: 2 reverse: true"), [(2, 12, 3, 5)], reorg(2, True)),
]

ERRORS = [
    Error(reorg_param(""), [(2, 4, 6, 8)], "reorg_param.stride is 0, it must be set and above 0"),
    Error(reorg_param("stride: 2"), [(2, 4, 6)], "has 3 axes, 4 are needed"),
    Error(reorg_param("stride: 2"), [(2, 6, 4, 8)], r"6 channels .* must be a multiple of stride\^2, 4"),
    Error(reorg_param("stride: 2"), [(2, 4, 3, 8)], r"height and width .* must be multiples of stride 2"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
