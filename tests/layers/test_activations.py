"""The elementwise layers: formula, gradient (Caffe's at the kinks), refusals."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import TEST, Case, Error, cases, draws, errors, make, run

SHAPE = (2, 3, 4, 5)
POSITIVE = np.abs(draws((3, 7, 2), 9)) + 0.1
KINKS = np.array([[-1.5, 0.0, 0.5], [2.0, -0.5, 3.0]])  # what is 0, or a bound of Clip below


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


CASES = [
    Case("sigmoid", 'type: "Sigmoid"', [SHAPE], sigmoid),
    Case("tanh", 'type: "TanH"', [SHAPE], np.tanh),
    Case("abs", 'type: "AbsVal"', [SHAPE], np.abs),
    Case("abs-at-0", 'type: "AbsVal"', [KINKS], np.abs, diffs=lambda d, x: d[0] * np.sign(x)),
    Case("bnll", 'type: "BNLL"', [SHAPE], lambda x: np.log1p(np.exp(x))),
    Case(
        "bnll-far",
        'type: "BNLL"',
        [60 * draws((5, 3))],
        lambda x: np.logaddexp(0, x),
        diffs=lambda d, x: d[0] * sigmoid(x),
    ),
    Case("elu", 'type: "ELU"', [SHAPE], lambda x: np.where(x > 0, x, np.expm1(x))),
    Case(
        "elu-alpha-at-0",
        'type: "ELU" elu_param { alpha: 0.5 }',
        [KINKS],
        lambda x: np.where(x > 0, x, 0.5 * np.expm1(np.minimum(x, 0))),
        diffs=lambda d, x: d[0] * np.where(x > 0, 1, 0.5 * np.exp(x)),
    ),
    Case("exp", 'type: "Exp"', [SHAPE], np.exp),
    Case(
        "exp-base-scale-shift",
        'type: "Exp" exp_param { base: 2 scale: 0.5 shift: -1 }',
        [SHAPE],
        lambda x: 2 ** (0.5 * x - 1),
    ),
    Case("exp-of-1", 'type: "Exp" exp_param { base: 1 }', [SHAPE], np.ones_like),
    Case("exp-shift-e", 'type: "Exp" exp_param { shift: 2 }', [SHAPE], lambda x: np.exp(2 + x)),
    Case("log", 'type: "Log"', [POSITIVE], np.log),
    Case(
        "log-base-scale-shift",
        'type: "Log" log_param { base: 10 scale: 2 shift: 0.5 }',
        [POSITIVE],
        lambda x: np.log10(2 * x + 0.5),
    ),
    Case("power-default", 'type: "Power"', [SHAPE], lambda x: x),
    Case("power-linear", 'type: "Power" power_param { scale: -2 shift: 3 }', [SHAPE], lambda x: 3 - 2 * x),
    Case(
        "power-2",
        'type: "Power" power_param { power: 2 scale: 0.5 shift: 1 }',
        [SHAPE],
        lambda x: (1 + x / 2) ** 2,
    ),
    Case("power-3", 'type: "Power" power_param { power: 3 }', [SHAPE], lambda x: x**3),
    Case(
        "power-root",
        'type: "Power" power_param { power: 0.5 shift: 2.5 }',
        [SHAPE],
        lambda x: (x + 2.5) ** 0.5,
    ),
    Case("power-minus", 'type: "Power" power_param { power: -1.5 }', [POSITIVE], lambda x: x**-1.5),
    Case(
        "power-infinite",
        'type: "Power" power_param { power: -1 scale: 0 }',
        [SHAPE],
        lambda x: np.full_like(x, np.inf),
        gradient=(),
    ),
    Case("power-0", 'type: "Power" power_param { power: 0 shift: 4 }', [SHAPE], np.ones_like, gradient=()),
    Case(
        "power-scale-0",
        'type: "Power" power_param { power: 3 scale: 0 shift: 2 }',
        [SHAPE],
        lambda x: np.full_like(x, 8),
        gradient=(),
    ),
    Case("swish", 'type: "Swish"', [SHAPE], lambda x: x * sigmoid(x)),
    Case("swish-beta", 'type: "Swish" swish_param { beta: 1.5 }', [SHAPE], lambda x: x * sigmoid(1.5 * x)),
    Case("clip", 'type: "Clip" clip_param { min: -1 max: 0.625 }', [SHAPE], lambda x: x.clip(-1, 0.625)),
    Case(
        "clip-at-its-bounds",
        'type: "Clip" clip_param { min: -0.5 max: 2 }',
        [KINKS],
        lambda x: x.clip(-0.5, 2),
        diffs=lambda d, x: d[0] * ((x >= -0.5) & (x <= 2)),
    ),
    Case(
        "clip-min-above-max",
        'type: "Clip" clip_param { min: 1 max: 0.5 }',
        [SHAPE],
        lambda x: np.full_like(x, 1),
        diffs=lambda d, x: np.zeros_like(x),
    ),
    Case("threshold", 'type: "Threshold"', [KINKS], lambda x: 1.0 * (x > 0), gradient=()),
    Case(
        "threshold-strictly-above",
        'type: "Threshold" threshold_param { threshold: 0.5 }',
        [KINKS],
        lambda x: 1.0 * (x > 0.5),
        gradient=(),
    ),
    Case("scalar", 'type: "Sigmoid"', [np.array(0.3)], sigmoid),
    Case("test-phase", 'type: "TanH"', [SHAPE], np.tanh, phase=TEST),
]

ERRORS = [
    Error('type: "Exp" exp_param { base: 0 }', [SHAPE], "base is 0, it must be above 0"),
    Error('type: "Exp" exp_param { base: -2 }', [SHAPE], "base is -2, it must be above 0"),
    Error('type: "Exp" exp_param { base: inf }', [SHAPE], "base is inf, it must be above 0 and finite"),
    Error('type: "Log" log_param { base: -3 }', [SHAPE], "base is -3, it must be above 0"),
    Error('type: "Log" log_param { base: 1 }', [SHAPE], r"base is 1, and log\(1\) = 0 divides"),
    Error('type: "Clip"', [SHAPE], "clip_param is not set; give its min and max"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


@pytest.mark.parametrize("param", ["power_param { power: 0 }", "power_param { power: 2 scale: 0 shift: 1 }"])
def test_power_constant_ignores_nan(param):
    layer = make(f'type: "Power" {param}', (3,))
    (top,) = run(layer, torch.tensor([torch.nan, torch.inf, 2.0], dtype=torch.float64))
    assert top.tolist() == [1, 1, 1]


def test_threshold_refuses_a_gradient_that_is_wanted():
    layer = make('type: "Threshold"', (3,))
    top = layer(torch.tensor([-1.0, 0, 2], dtype=torch.float64, requires_grad=True))
    assert top.tolist() == [0, 0, 1]
    assert not layer.allow_force_backward(0)
    with pytest.raises(
        LayerError, match=r"layer 'l' \(Threshold\): has no gradient; take it out of the loss"
    ):
        top.sum().backward()


def test_absval_refuses_in_place():
    assert not make('type: "AbsVal"', (3,)).in_place
