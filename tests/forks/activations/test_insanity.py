"""Insanity: the fixed part against a formula, the drawn one by its bounds and mean."""

import math

import numpy as np
import pytest
import torch

from tests.layers.harness import TEST, Case, Error, cases, errors, make

INSANITY = 'type: "Insanity" insanity_param { lb: 2 ub: 8 }'
SHAPE = (2, 3, 4)


CASES = [
    Case("insanity", INSANITY, [SHAPE], lambda x: np.where(x > 0, x, x * math.log(4) / 6), phase=TEST),
    Case(
        "default", 'type: "Insanity"', [SHAPE], lambda x: np.where(x > 0, x, x * math.log(2) / 5), phase=TEST
    ),
    Case(
        "at-0",
        INSANITY,
        [np.zeros((2, 3))],
        lambda x: x,
        diffs=lambda d, x: d[0] * math.log(4) / 6,
        phase=TEST,
    ),
]

CASES.append(
    Case(
        "other-name",
        'type: "RReLU" rrelu_param { lb: 10 ub: 30 }',
        [SHAPE],
        lambda x: np.where(x > 0, x, x * math.log(3) / 20),
        phase=TEST,
    )
)

ERRORS = [
    Error(INSANITY, [(3,)], r"bottom shape \(3,\) has 1 axes, at least 2 are needed"),
    Error(INSANITY.replace("8", "1"), [SHAPE], "lb is 2 and ub 1; ub must be above lb"),
    Error(INSANITY.replace("2", "0"), [SHAPE], "lb is 0 and ub 8; .* neither of them 0"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_drawn_slopes():
    layer = make(INSANITY, (100, 50))
    x = torch.full((100, 50), -1.0, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(1)
    top = layer(x)
    slopes = -1 / top.detach()
    assert 2 <= slopes.min() < 2.1 and 7.9 < slopes.max() <= 8
    assert float(slopes.mean()) == pytest.approx(5, abs=0.1)
    top.sum().backward()
    np.testing.assert_allclose(x.grad, 1 / slopes)
    assert torch.equal(layer(x.detach().abs()), x.detach().abs())
