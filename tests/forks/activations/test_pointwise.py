"""Layers of one formula an element, of forks."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors

SHAPE = (2, 3, 5)
NEAR = np.array([[0.2, 0.4, -0.3], [0.9, -1.4, 1.3]])

CASES = [
    Case("mish", 'type: "Mish"', [SHAPE], lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    Case("negrelu", 'type: "NegReLU"', [SHAPE], lambda x: np.minimum(x, 0)),
    Case(
        "negrelu-slope",
        'type: "NegReLU" relu_param { negative_slope: 0.25 }',
        [SHAPE],
        lambda x: np.minimum(x, 0) + 0.25 * np.maximum(x, 0),
    ),
    Case(
        "brelu",
        'type: "BReLU" brelu_param { minval: -0.25 maxval: 1 }',
        [NEAR],
        lambda x: np.clip(x, -0.25, 1),
    ),
    Case("cos", 'type: "Cos"', [SHAPE], np.cos),
    Case(
        "signedsqrt",
        'type: "SignedSqrt"',
        [SHAPE],
        lambda x: np.sign(x) * np.sqrt(np.abs(x)),
        diffs=lambda d, x: (d[0] * 0.5 / (np.sqrt(np.abs(x)) + 0.03),),
    ),
]

ERRORS = [
    Error('type: "BReLU" brelu_param { maxval: 1 }', [SHAPE], "has minval 0 and maxval 1; set both"),
    Error(
        'type: "BReLU" brelu_param { minval: 2 maxval: 1 }', [SHAPE], "has minval 2 and maxval 1; set both"
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
