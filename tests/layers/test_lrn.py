"""LRN: across channels and within them, and Caffe's disregard of k there."""

import numpy as np
import torch

from tests.layers.harness import Case, Error, cases, draws, errors, make

SHAPE = (2, 7, 4, 5)


def across(size=5, alpha=1, beta=0.75, k=1):
    def formula(x):
        padded = np.pad(x**2, [(0, 0), (size // 2, size // 2), (0, 0), (0, 0)])
        total = sum(padded[:, i : i + x.shape[1]] for i in range(size))
        return x * (k + alpha / size * total) ** -beta

    return formula


def within(size=5, alpha=1, beta=0.75):
    def formula(x):
        padded = np.pad(x**2, [(0, 0), (0, 0), (size // 2, size // 2), (size // 2, size // 2)])
        height, width = x.shape[2:]
        total = sum(padded[:, :, i : i + height, j : j + width] for i in range(size) for j in range(size))
        return x * (1 + alpha / size**2 * total) ** -beta

    return formula


def param(fields):
    return f'type: "LRN" lrn_param {{ {fields} }}'


CASES = [
    Case("default", 'type: "LRN"', [SHAPE], across()),
    Case(
        "all-fields",
        param("local_size: 3 alpha: 0.5 beta: 0.25 k: 2 engine: CAFFE"),
        [SHAPE],
        across(3, 0.5, 0.25, 2),
    ),
    Case("size-1", param("local_size: 1 beta: 1"), [SHAPE], across(1, beta=1)),
    Case("size-above-channels", param("local_size: 9"), [(2, 3, 4, 5)], across(9)),
    Case("within", param("norm_region: WITHIN_CHANNEL local_size: 3 alpha: 0.5"), [SHAPE], within(3, 0.5)),
    Case("within-ignores-k", param("norm_region: WITHIN_CHANNEL k: 7"), [SHAPE], within()),
    Case(
        "within-size-above-image",
        param("norm_region: WITHIN_CHANNEL local_size: 11"),
        [(2, 3, 4, 5)],
        within(11),
    ),
]

ERRORS = [
    Error(param("local_size: 4"), [SHAPE], "local_size is 4, it must be odd; use 5"),
    Error(param("norm_region: WITHIN_CHANNEL local_size: 2"), [SHAPE], "local_size is 2, it must be odd"),
    Error('type: "LRN"', [(2, 3)], r"bottom shape \(2, 3\) has 2 axes, 4 are needed"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_input_may_change_channels():
    layer = make('type: "LRN"', SHAPE)
    x = draws((1, 4, 2, 3))
    layer.reshape(x.shape)
    np.testing.assert_allclose(layer(torch.from_numpy(x)), across()(x), rtol=1e-12)
