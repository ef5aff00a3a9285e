"""Reduction."""

import math

import numpy as np

from tests.layers.harness import Case, Error, cases, errors


def reduction(fold, start=0, coeff=1.0):
    return lambda x: coeff * fold(x.reshape(*x.shape[:start], math.prod(x.shape[start:])), axis=-1)


def asum(x, axis):
    return np.abs(x).sum(axis)


def sumsq(x, axis):
    return (x * x).sum(axis)


def case(name, params, shape, formula):
    return Case(name, f'type: "Reduction" reduction_param {{ {params} }}', [shape], formula)


CASES = [
    case("default", "", (2, 3, 4), reduction(np.sum)),
    case("sum", "operation: SUM axis: 1 coeff: 2.5", (2, 3, 4), reduction(np.sum, 1, 2.5)),
    case("asum", "operation: ASUM axis: 2", (2, 3, 4, 5), reduction(asum, 2)),
    case("sumsq", "operation: SUMSQ axis: -1 coeff: -0.5", (2, 3, 4), reduction(sumsq, 2, -0.5)),
    case("mean", "operation: MEAN axis: 1 coeff: 3", (2, 3, 4), reduction(np.mean, 1, 3)),
    case("mean_all", "operation: MEAN", (2, 3, 4), reduction(np.mean)),
    Case(
        "asum_at_zero",
        'type: "Reduction" reduction_param { operation: ASUM axis: 1 }',
        [np.array([[0.0, -2], [3, 0], [0, 0]])],
        reduction(asum, 1),
        lambda top, x: top[0][:, None] * np.sign(x),
    ),
]

ERRORS = [
    Error('type: "Reduction" reduction_param { axis: 3 }', [(2, 3, 4)], "axis 3 is out of range"),
    Error('type: "Reduction"', [()], "axis 0 is out of range for the 0-axis shape"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
