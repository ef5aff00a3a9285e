"""GRN."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors

SHAPE = (2, 6, 3, 4)


def unit(bias):
    return lambda x: x / np.sqrt((x**2).sum(1, keepdims=True) + bias)


CASES = [
    Case("grn", 'type: "GRN" grn_param { bias: 0.25 }', [SHAPE], unit(0.25)),
    Case("grn-rows", 'type: "GRN" grn_param { bias: 0.25 }', [(3, 5)], unit(0.25)),
    Case("grn-default", 'type: "GRN"', [SHAPE], unit(float(np.float32(1e-7)))),
    Case(
        "grn-dummy",
        'type: "GRN" grn_param { bias: 0.25 dummy_backward: true }',
        [SHAPE],
        unit(0.25),
        diffs=lambda d, x: d[0],
    ),
]

ERRORS = [
    Error('type: "GRN"', [(5,)], r"\(5,\) has 1 axes, 2 to 4 are needed"),
    Error('type: "GRN" grn_param { bias: -1 }', [SHAPE], "bias is -1 and must be at least 0"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
