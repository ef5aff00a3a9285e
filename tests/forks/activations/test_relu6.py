"""ReLU6: both bends, and the gradient exactly there."""

import numpy as np

from tests.layers.harness import Case, cases, draws

WIDE = 5 * draws((2, 3, 4), 2)
BENDS = np.array([[-1.0, 0.0, 2.0], [6.0, 7.0, 5.9]])


def leaky(slope):
    return lambda x: np.minimum(np.where(x > 0, x, slope * x), 6)


def slopes(slope):
    return lambda d, x: d[0] * np.where(x > 0, 1, slope) * (x < 6)


LEAKY = 'type: "ReLU6" relu6_param { negative_slope: 0.125 }'

CASES = [
    Case("plain", 'type: "ReLU6"', [WIDE], leaky(0)),
    Case("leaky", LEAKY, [WIDE], leaky(0.125)),
    Case("bends", 'type: "ReLU6"', [BENDS], leaky(0), diffs=slopes(0)),
    Case("leaky-bends", LEAKY, [BENDS], leaky(0.125), diffs=slopes(0.125)),
]

test_case = cases(CASES)
