"""BilinearInterpolation."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors


def bilinear(x, like):
    height, width = like.shape[2:]
    top = np.zeros((*x.shape[:2], height, width))
    for i, j in np.ndindex(height, width):
        y, u = i * (x.shape[2] - 1) / (height - 1), j * (x.shape[3] - 1) / (width - 1)
        for k in range(x.shape[2]):
            for m in range(x.shape[3]):
                top[:, :, i, j] += max(0, 1 - abs(y - k)) * max(0, 1 - abs(u - m)) * x[:, :, k, m]
    return top


INTERPOLATION = 'type: "BilinearInterpolation"'

CASES = [
    Case("larger", INTERPOLATION, [(2, 3, 4, 5), (2, 1, 7, 11)], bilinear, gradient=[0]),
    Case("smaller", INTERPOLATION, [(2, 3, 7, 6), (2, 1, 4, 5)], bilinear, gradient=[0]),
]

ERRORS = [
    Error(INTERPOLATION, [(2, 3, 4, 5), (2, 3)], r"\(2, 3\) has 2 axes"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
