"""L1Loss: value, both gradients, and the one at 0."""

import numpy as np

from tests.layers.harness import Case, Error, cases, draws, errors

SHAPE = (3, 4, 2)
NEAR = draws(SHAPE, 4)


def loss(a, b):
    return np.abs(a - b.reshape(a.shape)).sum() / len(a)


CASES = [
    Case("same-shape", 'type: "L1Loss"', [SHAPE, SHAPE], loss),
    Case("other-shape", 'type: "L1Loss"', [SHAPE, (3, 8)], loss),
    Case("equal", 'type: "L1Loss"', [NEAR, NEAR], loss, diffs=lambda d, a, b: (0 * a, 0 * b)),
]

CASES.append(Case("other-name", 'type: "ManhattanLoss"', [SHAPE, SHAPE], loss))

ERRORS = [
    Error('type: "L1Loss"', [SHAPE, (2, 4, 2)], "differ in their first dimension"),
    Error('type: "L1Loss"', [SHAPE, (3, 4)], r"has 8 values an item and bottom 1 of shape \(3, 4\) has 4"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
