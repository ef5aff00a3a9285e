"""NormalizedSigmoidCrossEntropyLoss."""

import numpy as np

from tests.layers.harness import Case, Error, cases, draws, errors
from tests.layers.test_sigmoid_cross_entropy_loss import cross_entropy

CASES = [
    Case(
        "positions",
        'type: "NormalizedSigmoidCrossEntropyLoss"',
        [(2, 3, 5, 4), np.abs(draws((2, 3, 5, 4), 2)) / 2],
        cross_entropy(lambda count, full, batch: full // 3),
        gradient=(0,),
    ),
]

ERRORS = [
    Error('type: "NormalizedSigmoidCrossEntropyLoss"', [(3, 5), (3, 5)], "has 2 axes, 4 are needed"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
