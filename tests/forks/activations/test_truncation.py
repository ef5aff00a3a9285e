"""Truncation."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors

SHAPE = (2, 3, 5)
TRUNCATION = 'type: "Truncation" truncation_param { truncation_min: -0.5 truncation_max: 1 }'


def truncation_diffs(diffs, x):
    d = diffs[0]
    return np.where(x < -0.5, np.maximum(d, 0), np.where(x > 1, np.minimum(d, 0), d))


CASES = [
    Case("truncation", TRUNCATION, [SHAPE], lambda x: x.clip(-0.5, 1), diffs=truncation_diffs),
]

ERRORS = [
    Error(
        'type: "Truncation" truncation_param { truncation_min: 2 }',
        [SHAPE],
        "truncation_min 2 above truncation_max 1",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
