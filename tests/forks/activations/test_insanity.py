"""Insanity and GuidedDropout: the fixed parts against formulas, the drawn ones by their bounds and means."""

import math

import numpy as np
import pytest
import torch

from tests.layers.harness import TEST, Case, Error, cases, errors, make

INSANITY = 'type: "Insanity" insanity_param { lb: 2 ub: 8 }'
SHAPE = (2, 3, 4)
GUIDE = np.array([[1.0, -1.0, 0.5], [-1.0, -2.0, -0.25]])  # nothing of item 1 is kept


def guided(fields):
    return f'type: "GuidedDropout" guided_dropout_param {{ {fields} }}'


def kept(threshold):
    def formula(x, guidance):
        top = np.zeros_like(x)
        for n, c in np.ndindex(x.shape[:2]):
            count = (guidance[n] > threshold).sum() or x.shape[1]
            if guidance[n, c] > threshold:
                top[n, c] = x[n, c] * x.shape[1] / count
        return top

    return formula


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
    Case("deterministic", guided('type: "deterministic"'), [SHAPE, GUIDE], kept(0), gradient=[0]),
    Case(
        "threshold",
        guided('type: "deterministic" guidance_threshold: 0.75'),
        [SHAPE, GUIDE],
        kept(0.75),
        gradient=[0],
        phase=TEST,
    ),
    Case(
        "stochastic-test",
        guided('type: "stochastic"'),
        [SHAPE, (2, 3, 1)],
        lambda x, _: x,
        gradient=[0],
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
    Error(guided(""), [SHAPE, (2, 3)], 'type is ""; it must be "deterministic" or "stochastic"'),
    Error(guided('type: "stochastic"'), [SHAPE, (2, 4)], r"\(2, 4\) must hold one value a channel"),
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


def test_channels_are_dropped_by_their_guidance():
    layer = make(guided('type: "stochastic" sigmoid_scaler: 2'), (4000, 2, 3), (4000, 2))
    guidance = torch.tensor([[0.5, -0.5]], dtype=torch.float64).expand(4000, 2)
    torch.manual_seed(1)
    top = layer(torch.ones(4000, 2, 3, dtype=torch.float64), guidance)
    assert torch.equal(top, top[..., :1].expand_as(top))  # channels as a whole
    chance = torch.sigmoid(2 * guidance[0])
    assert set(top.unique().tolist()) == {0, 2 / float(chance.sum())}
    np.testing.assert_allclose((top[..., 0] > 0).double().mean(0), chance, atol=0.03)
