"""ReLU: plain and leaky, and Caffe's gradient at exactly 0."""

import numpy as np

from tests.layers.harness import Case, cases

ZERO = np.array([[-1.0, 0.0, 2.0], [0.0, 3.0, -4.0]])

CASES = [
    Case("plain", 'type: "ReLU"', [(2, 3, 4, 5)], lambda x: np.maximum(x, 0)),
    Case(
        "leaky",
        'type: "ReLU" relu_param { negative_slope: 0.125 }',
        [(4, 3)],
        lambda x: np.where(x > 0, x, 0.125 * x),
    ),
    Case(
        "falling",
        'type: "ReLU" relu_param { negative_slope: -0.5 }',
        [(4, 3)],
        lambda x: np.where(x > 0, x, -x / 2),
    ),
    Case("at-0", 'type: "ReLU"', [ZERO], lambda x: np.maximum(x, 0), diffs=lambda d, x: d[0] * (x > 0)),
    Case(
        "leaky-at-0",
        'type: "ReLU" relu_param { negative_slope: 0.125 engine: CUDNN }',
        [ZERO],
        lambda x: np.where(x > 0, x, 0.125 * x),
        diffs=lambda d, x: d[0] * np.where(x > 0, 1, 0.125),
    ),
]

test_case = cases(CASES)
