"""Duplicate."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors

DUPLICATE = 'type: "Duplicate" duplicate_param { %s }'

CASES = [
    Case(
        "duplicate",
        DUPLICATE % "height: 4 width: 5",
        [(2, 3, 1, 1)],
        lambda x: np.broadcast_to(x, (2, 3, 4, 5)),
    ),
    Case(
        "duplicate-matrix",
        DUPLICATE % "height: 4 width: 5",
        [(2, 3)],
        lambda x: np.broadcast_to(x[:, :, None, None], (2, 3, 4, 5)),
    ),
]

ERRORS = [
    Error(DUPLICATE % "height: 0 width: 5", [(2, 3, 1, 1)], "is 0 x 5; height and width must be above 0"),
    Error(DUPLICATE % "height: 4 width: 5", [(2, 3, 1, 2)], r"\(2, 3, 1, 2\) must be N x C x 1 x 1"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
