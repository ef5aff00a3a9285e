"""SigmoidCrossEntropyLoss."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, draws, errors, make

TARGETS = np.abs(draws((3, 5, 2), 2)) / 2  # fractions between 0 and 1
MARKED = np.where(draws((3, 5, 2), 3) > 0.4, -1, (TARGETS > 0.5).astype(float))


def cross_entropy(divide, ignore=None):
    """`divide` maps (how many targets count, how many there are, batch size) to the normalizer."""

    def formula(x, target):
        loss, count = 0.0, 0
        for value, t in zip(x.flat, target.flat, strict=True):
            if ignore is not None and int(t) == ignore:
                continue
            p = 1 / (1 + np.exp(-value))
            loss -= t * np.log(p) + (1 - t) * np.log(1 - p)
            count += 1
        return np.float64(loss / max(1, divide(count, x.size, len(x))))

    return formula


def valid(count, full, batch):
    return count


def full(count, full, batch):
    return full


def batch(count, full, batch):
    return batch


def case(name, params, bottoms, formula):
    return Case(name, f'type: "SigmoidCrossEntropyLoss" {params}', bottoms, formula, gradient=(0,))


def weighed(x, target, weight):
    p = 1 / (1 + np.exp(-x))
    loss = -(target * np.log(p) + (1 - target) * np.log(1 - p))
    return np.float64((loss * weight).sum() / weight.sum() if weight.sum() > 0 else 0)


CASES = [
    case("weights", "", [(3, 5, 2), TARGETS, TARGETS**2], weighed),
    case("no-weights", "", [(3, 5, 2), TARGETS, TARGETS * 0], weighed),
    case("default", "", [(3, 5, 2), TARGETS], cross_entropy(batch)),
    case("other_shape", "", [(3, 5, 2), TARGETS.reshape(3, 2, 5)], cross_entropy(batch)),
    case("ignore", "loss_param { ignore_label: -1 }", [(3, 5, 2), MARKED], cross_entropy(batch, -1)),
    # A fraction truncates to 0, so ignoring 0 leaves only whole ones.
    case(
        "ignore_0",
        "loss_param { ignore_label: 0 normalize: true }",
        [(3, 5, 2), TARGETS],
        cross_entropy(valid, 0),
    ),
    case(
        "normalize",
        "loss_param { normalize: true ignore_label: -1 }",
        [(3, 5, 2), MARKED],
        cross_entropy(valid, -1),
    ),
    case(
        "normalize_false",
        "loss_param { normalize: false }",
        [(3, 5, 2), MARKED.clip(0)],
        cross_entropy(batch),
    ),
    case(
        "normalization_wins",
        "loss_param { normalize: false normalization: FULL ignore_label: -1 }",
        [(3, 5, 2), MARKED],
        cross_entropy(full, -1),
    ),
    case(
        "valid_without_ignore",
        "loss_param { normalization: VALID }",
        [(3, 5, 2), TARGETS],
        cross_entropy(full),
    ),
    case("none", "loss_param { normalization: NONE }", [(3, 5, 2), TARGETS], cross_entropy(lambda *_: 1)),
    case(
        "all_ignored",
        "loss_param { normalization: VALID ignore_label: 5 }",
        [(3, 4), np.full((3, 4), 5)],
        cross_entropy(valid, 5),
    ),
]

ERRORS = [
    Error(
        'type: "SigmoidCrossEntropyLoss"',
        [(3, 5), (3, 5), (3, 4)],
        r"has 15 values and bottom 2 of shape \(3, 4\) has 12; give one weight a value",
    ),
    Error('type: "SigmoidCrossEntropyLoss"', [(3, 4), (2, 6)], "differ in their first dimension"),
    Error(
        'type: "SigmoidCrossEntropyLoss"',
        [(3, 4), (3, 5)],
        r"has 12 values and bottom 1 of shape \(3, 5\) has 15",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_large_inputs_stay_finite():
    layer = make('type: "SigmoidCrossEntropyLoss"', (2, 3), (2, 3), dtype=torch.float32)
    x = torch.tensor([[1000.0, -1000.0, 0.0], [-500.0, 500.0, 1.0]], requires_grad=True)
    loss = layer(x, torch.tensor([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]]))
    loss.backward()
    assert loss.item() == pytest.approx((2000 + np.log(2) + np.log(1 + np.e)) / 2)
    assert torch.isfinite(x.grad).all()


def test_targets_take_no_gradient():
    layer = make('type: "SigmoidCrossEntropyLoss"', (2, 3), (2, 3))
    assert not layer.allow_force_backward(1)
    with pytest.raises(LayerError, match="cannot backpropagate to label inputs"):
        layer(torch.ones(2, 3), torch.ones(2, 3, requires_grad=True))
