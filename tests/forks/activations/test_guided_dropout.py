"""GuidedDropout: the fixed parts against a formula, the drawn ones by their means."""

import numpy as np
import torch

from tests.layers.harness import TEST, Case, Error, cases, errors, make

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

ERRORS = [
    Error(guided(""), [SHAPE, (2, 3)], 'type is ""; it must be "deterministic" or "stochastic"'),
    Error(guided('type: "stochastic"'), [SHAPE, (2, 4)], r"\(2, 4\) must hold one value a channel"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_channels_are_dropped_by_their_guidance():
    layer = make(guided('type: "stochastic" sigmoid_scaler: 2'), (4000, 2, 3), (4000, 2))
    guidance = torch.tensor([[0.5, -0.5]], dtype=torch.float64).expand(4000, 2)
    torch.manual_seed(1)
    top = layer(torch.ones(4000, 2, 3, dtype=torch.float64), guidance)
    assert torch.equal(top, top[..., :1].expand_as(top))  # channels as a whole
    chance = torch.sigmoid(2 * guidance[0])
    assert set(top.unique().tolist()) == {0, 2 / float(chance.sum())}
    np.testing.assert_allclose((top[..., 0] > 0).double().mean(0), chance, atol=0.03)
