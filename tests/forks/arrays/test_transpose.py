"""Transpose, Convert."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors

CASES = [
    Case(
        "transpose",
        'type: "Transpose" transpose_param { dim: [2, 0, 1] }',
        [(2, 3, 4)],
        lambda x: x.transpose(2, 0, 1),
    ),
    Case(
        "convert",
        'type: "Convert" top: "a" top: "b"',
        [(2, 3, 4)],
        lambda x: (
            np.array([[[x[n, c, w] for c in range(3)] for n in range(2)] for w in range(4)]),
            np.array([[w > 0] * 2 for w in range(4)], float),
        ),
    ),
    Case("convert-row", 'type: "Convert"', [(2, 3, 1, 4)], lambda x: np.moveaxis(x[:, :, 0], 2, 0)),
]

ERRORS = [
    Error(
        'type: "Convert"', [(2, 3, 2, 4)], r"bottom shape \(2, 3, 2, 4\) must be N x C x W or N x C x 1 x W"
    ),
    Error('type: "Convert"', [(2, 3)], r"bottom shape \(2, 3\) must be N x C x W"),
    Error(
        'type: "Transpose" transpose_param { dim: [1, 1] }',
        [(2, 3)],
        r"dim \[1, 1\] must name each of the 2 axes",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
