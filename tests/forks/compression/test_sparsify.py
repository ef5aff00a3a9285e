"""Sparsify."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors

SPARSIFY = 'type: "Sparsify" sparsify_param { %s }'


def shrunk(by):
    return lambda x: np.sign(x) * np.maximum(np.abs(x) - by, 0)


def pulled(coef, threshold=0.0):
    def diffs(top, x):
        return ((top[0] + coef * np.sign(x)) * (np.abs(x) > threshold),)

    return diffs


CASES = [
    Case("shrinks", SPARSIFY % "thre: 0.5", [(3, 4)], shrunk(0.5)),
    Case("pulls", SPARSIFY % "coef: 0.25", [(3, 4)], lambda x: x, diffs=pulled(0.25)),
    Case("both", SPARSIFY % "coef: 0.25 thre: 0.5", [(3, 4)], shrunk(0.5), diffs=pulled(0.25, 0.5)),
]

ERRORS = [
    Error(SPARSIFY % "thre: -1", [(3, 4)], "has thre -1 and coef 0; both must be at least 0"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
