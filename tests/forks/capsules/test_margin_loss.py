"""MarginLoss, with the gradient that is the fork's own."""

import numpy as np
import pytest
import torch

from tests.forks.capsules.capsules import lengths, param
from tests.layers.harness import Case, Error, cases, draws, errors, make


def margin(x, label):
    total = 0
    for r, own in zip(lengths(x), label.ravel(), strict=True):
        for k in range(3):
            total += max(0, 0.875 - r[k]) ** 2 if k == own else 0.5 * max(0, r[k] - 0.125) ** 2
    return total / len(x)


def margin_diff(diffs, x, label):
    """Of the sum: the fork does not divide by the batch size."""
    grad = np.zeros((len(x), 3, x[0].size // 3))
    for n, k in np.ndindex(len(x), 3):
        capsule, r = x.reshape(grad.shape)[n, k], lengths(x)[n, k]
        slope = -2 * max(0, 0.875 - r) if k == label[n] else max(0, r - 0.125)
        grad[n, k] = slope * capsule / r
    return grad.reshape(x.shape) * diffs[0]


MARGIN = param(
    "MarginLoss", "margin_param", "num_class: 3 m_upper_bound: 0.875 m_lower_bound: 0.125 lambda: 0.5"
)
LABELS = np.array([2.0, 0.0])

CASES = [
    Case("margin", MARGIN, [(2, 3, 4), LABELS], margin, diffs=margin_diff, gradient=[0]),
]

ERRORS = [
    Error(MARGIN, [(2, 4), (2,)], "a multiple of num_class 3"),
    Error(MARGIN, [(2, 6), (2, 2)], "has 4 labels for 2 items"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_a_label_that_is_no_class_counts_as_none():
    layer = make(MARGIN, (1, 3, 4), (1,))
    x = draws((1, 3, 4))
    wanted = sum(0.5 * max(0, r - 0.125) ** 2 for r in lengths(x)[0])
    assert float(layer(torch.from_numpy(x), torch.tensor([7.0]))) == pytest.approx(wanted)
