"""Eltwise: SUM with coefficients, PROD, MAX, and Caffe's rules for ties and zeros."""

import numpy as np

from tests.layers.harness import Case, Error, cases, draws, errors

SHAPE = (2, 3, 4)
# Pairs and triples that are equal in places.
A = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
B = np.array([1.0, 3.0, 3.0, 4.0, 4.0])
C = np.array([1.0, 2.0, 4.0, 4.0, 5.0])
ZERO = np.where(np.arange(24).reshape(SHAPE) % 7 == 0, 0.0, draws(SHAPE, 4))


def param(fields):
    return f'type: "Eltwise" eltwise_param {{ {fields} }}'


def tied_two(d, a, b):
    return d[0] * (a > b), d[0] * (a <= b)


def tied_three(d, a, b, c):
    third = c > np.maximum(a, b)
    return d[0] * (a > b) * ~third, d[0] * (a <= b) * ~third, d[0] * third


def divided(d, a, b):
    with np.errstate(all="ignore"):
        return d[0] * (a * b / a), d[0] * (a * b / b)


CASES = [
    Case("sum", 'type: "Eltwise"', [SHAPE] * 2, lambda a, b: a + b),
    Case("sum-one", 'type: "Eltwise"', [SHAPE], lambda a: a),
    Case("sum-one-coeff", param("coeff: -3"), [SHAPE], lambda a: -3 * a),
    Case("sum-three", param("operation: SUM"), [SHAPE] * 3, lambda a, b, c: a + b + c),
    Case(
        "sum-coeff", param("coeff: -1 coeff: 0.5 coeff: 3"), [SHAPE] * 3, lambda a, b, c: -a + b / 2 + 3 * c
    ),
    Case("sum-first-1", param("coeff: 1 coeff: -2"), [SHAPE] * 2, lambda a, b: a - 2 * b),
    Case("prod", param("operation: PROD"), [SHAPE] * 2, lambda a, b: a * b),
    Case("prod-three", param("operation: PROD"), [SHAPE] * 3, lambda a, b, c: a * b * c),
    Case(
        "prod-of-zeros",
        param("operation: PROD"),
        [ZERO, SHAPE],
        lambda a, b: a * b,
        diffs=lambda d, a, b: (d[0] * b, d[0] * a),
    ),
    Case(
        "prod-unstable",
        param("operation: PROD stable_prod_grad: false"),
        [SHAPE] * 3,
        lambda a, b, c: a * b * c,
    ),
    Case(
        "prod-unstable-of-zeros",
        param("operation: PROD stable_prod_grad: false"),
        [ZERO, SHAPE],
        lambda a, b: a * b,
        diffs=divided,
    ),
    Case("max", param("operation: MAX"), [SHAPE] * 2, np.maximum),
    Case("max-three", param("operation: MAX"), [SHAPE] * 3, lambda a, b, c: np.maximum(np.maximum(a, b), c)),
    Case("max-tie", param("operation: MAX"), [A, B], np.maximum, diffs=tied_two),
    Case("max-tie-three", param("operation: MAX"), [A, B, C], lambda *x: np.max(x, 0), diffs=tied_three),
]

ERRORS = [
    Error(
        param("operation: MAX"),
        [(2, 3)],
        "takes 2 or more bottom blob.s. and has 1, which only SUM can do with",
    ),
    Error(param("coeff: 1"), [(2, 3), (2, 3)], "1 coeff for 2 bottoms"),
    Error(param("operation: PROD coeff: 1 coeff: 2"), [(2, 3), (2, 3)], "2 coeff with operation PROD"),
    Error('type: "Eltwise"', [(2, 3), (2, 1)], r"bottom 1 has shape \(2, 1\) and bottom 0 has \(2, 3\)"),
    Error('type: "Eltwise"', [(2, 3), (2, 3), (2, 3, 1)], r"bottom 2 has shape \(2, 3, 1\)"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
