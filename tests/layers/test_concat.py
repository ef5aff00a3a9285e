"""Concat: along any axis, old and new fields."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors


def joined(axis):
    return lambda *x: np.concatenate(x, axis)


CASES = [
    Case("default-axis", 'type: "Concat"', [(2, 3, 4), (2, 1, 4), (2, 5, 4)], joined(1)),
    Case("axis-0", 'type: "Concat" concat_param { axis: 0 }', [(2, 3), (4, 3)], joined(0)),
    Case("last", 'type: "Concat" concat_param { axis: -1 }', [(2, 3), (2, 4)], joined(1)),
    Case("concat_dim", 'type: "Concat" concat_param { concat_dim: 2 }', [(2, 3, 4), (2, 3, 5)], joined(2)),
    Case("one-bottom", 'type: "Concat"', [(2, 3, 4)], lambda x: x),
]

ERRORS = [
    Error(
        'type: "Concat" concat_param { axis: 1 concat_dim: 2 }',
        [(2, 3, 4)],
        "axis 1 and concat_dim 2 are both set",
    ),
    Error('type: "Concat" concat_param { axis: 2 }', [(2, 3), (2, 3)], "axis 2 is out of range"),
    Error('type: "Concat" concat_param { concat_dim: 2 }', [(2, 3), (2, 3)], "concat_dim 2 is out of range"),
    Error(
        'type: "Concat"',
        [(2, 3, 4), (2, 3, 5)],
        r"bottom 1 has shape \(2, 3, 5\) and bottom 0 has \(2, 3, 4\)",
    ),
    Error('type: "Concat"', [(2, 3, 4), (2, 3)], r"bottom 1 has shape \(2, 3\) .* may differ in axis 1 only"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
