"""Squash, with the gradient that is the fork's own."""

import numpy as np

from tests.forks.capsules.capsules import SHAPE, param
from tests.layers.harness import Case, Error, cases, errors


def squash(x):
    capsules = x.reshape(-1, 4)
    radius = np.sqrt((capsules**2).sum(1, keepdims=True) + 2e-7)
    return (capsules * (1 - np.exp(-radius)) / radius).reshape(x.shape)


def squash_diff(diffs, x):
    """d top_i / d x_i alone."""
    capsules = x.reshape(-1, 4)
    r = np.sqrt((capsules**2).sum(1, keepdims=True) + 2e-7)
    slope = (np.exp(-r) * r - (1 - np.exp(-r))) / r**2  # of (1 - exp(-r)) / r
    return diffs[0] * ((1 - np.exp(-r)) / r + slope * capsules**2 / r).reshape(x.shape)


CASES = [
    Case("squash", param("Squash", "squash_param", "capsule_dim: 4"), [(2, 3, 4)], squash, diffs=squash_diff),
]

ERRORS = [
    Error(param("Squash", "squash_param", ""), [SHAPE], "capsule_dim is 0, it must be set and above 0"),
    Error(
        param("Squash", "squash_param", "capsule_dim: 7"),
        [SHAPE],
        "has 60 values, .* a multiple of capsule_dim 7",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
