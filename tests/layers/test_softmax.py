"""Softmax: along any axis, safe for great scores."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors


def softmax(axis):
    def formula(x):
        e = np.exp(x - x.max(axis, keepdims=True))
        return e / e.sum(axis, keepdims=True)

    return formula


CASES = [
    Case("default-axis", 'type: "Softmax"', [(2, 3, 4, 5)], softmax(1)),
    Case("axis-0", 'type: "Softmax" softmax_param { axis: 0 engine: CAFFE }', [(4, 3)], softmax(0)),
    Case("last", 'type: "Softmax" softmax_param { axis: -1 }', [(2, 3, 4)], softmax(2)),
    Case("great", 'type: "Softmax"', [np.array([[1e4, -1e4, 9999.0], [-1e30, 0, 1]])], softmax(1)),
]

ERRORS = [
    Error('type: "Softmax"', [(3,)], r"axis 1 is out of range for the 1-axis shape \(3,\); use -1 to 0"),
    Error('type: "Softmax" softmax_param { axis: -4 }', [(2, 3, 4)], "axis -4 is out of range"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
