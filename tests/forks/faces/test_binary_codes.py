"""K1_EuclideanLoss, K2_EuclideanLoss, ScaleTanH."""

import numpy as np
import torch

from caffe_compat.layers.base import TEST
from tests.layers.harness import Case, Error, cases, errors, make

STEEP = 'type: "ScaleTanH" scale_tanh_param { init_scale: 2 step_size: %d gamma: 0.5 power: 0.5 }'

HASHING = 'type: "HashingLoss" hashing_loss_param { bi_margin: 4 tradeoff: 0.25 }'
CODES = np.array([[1.3, -0.4, 0.2], [0.5, 0.6, -1.7], [-0.3, 2.1, 0.4], [1.1, -0.2, 0.3]])
CLASSES, SETS = np.array([2.0, 1.0, 2.0, 1.0]), np.array([[1, 0], [0, 1], [1, 1], [0, 0]], float)


def alike(label, i, j):
    return label[i] == label[j] if label.ndim == 1 else label[i] @ label[j] > 0


def hashing(x, label):
    n, total = len(x), 0.0
    for i in range(n):
        for j in range(i + 1, n):
            square = ((x[i] - x[j]) ** 2).sum()
            total += square if alike(label, i, j) else max(0, 4 - square)
    return total / (n * (n - 1)) + 0.25 * np.abs(np.abs(x) - 1).sum() / n


def hashing_diffs(diffs, x, label):
    n, found = len(x), np.zeros_like(x)
    for i in range(n):
        for j in range(n):
            gap = x[i] - x[j]
            if alike(label, i, j):
                found[i] += gap / (n * (n - 1))
            elif (gap**2).sum() < 4:
                found[i] -= gap / (n * (n - 1))
    found += 0.25 / n * np.where((x >= 1) | ((x <= 0) & (x >= -1)), 1, -1)
    return (diffs[0] * found,)


CASES = [
    Case("hash", HASHING, [CODES, CLASSES], hashing, diffs=hashing_diffs, gradient=(0,)),
    Case("hash-sets", HASHING, [CODES, SETS], hashing, diffs=hashing_diffs, gradient=(0,)),
    Case(
        "k1",
        'type: "K1_EuclideanLoss"',
        [(3, 4), (3, 4)],
        lambda x, y: -((x - 0.5) ** 2).sum() / 24,
        gradient=(0,),
    ),
    Case(
        "k2",
        'type: "K2_EuclideanLoss"',
        [(3, 4), (3, 4)],
        lambda x, y: ((x - 0.5) ** 2).sum() / 24,
        gradient=(0,),
    ),
    Case(
        "first",
        STEEP % 1000,
        [(3, 4)],
        lambda x: np.tanh(2 * x),
        onnx="in TRAIN its scale grows; export the TEST net",
    ),
    Case("test", STEEP % 1000, [(3, 4)], lambda x: np.tanh(2 * x), phase=TEST),
]

ERRORS = [
    Error(HASHING, [(1, 3), (1,)], r"bottom 0 of shape \(1, 3\) has 1 items; a pair needs two"),
    Error(
        'type: "K1_EuclideanLoss"', [(3, 4), (3, 5)], r"bottom 0 has shape \(3, 4\) and bottom 1 has \(3, 5\)"
    ),
    Error(STEEP % 0, [(3, 4)], "step_size is 0; set it to a number of passes"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_grows_steeper():
    layer, x = make(STEEP % 3, (2,)), torch.tensor([0.1, -0.2], dtype=torch.float64)
    scales = [(torch.atanh(layer(x)) / x)[0].item() for _ in range(6)]
    third, sixth = 2 * (1 + 0.5 * 3) ** 0.5, 2 * (1 + 0.5 * 6) ** 0.5
    np.testing.assert_allclose(scales, [2, third, third, third, sixth, sixth])  # passes 2 to 7
