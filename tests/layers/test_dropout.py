"""Dropout: inverted scaling in TRAIN, nothing in TEST."""

import numpy as np
import pytest
import torch

from tests.layers.harness import TEST, Case, Error, cases, errors, make

CASES = [
    Case(
        "test", 'type: "Dropout" dropout_param { dropout_ratio: 0.9 }', [(3, 4, 5)], lambda x: x, phase=TEST
    ),
    Case(
        "test-of-any-ratio",  # which says nothing there
        'type: "Dropout" dropout_param { dropout_ratio: 1 }',
        [(3, 4, 5)],
        lambda x: x,
        phase=TEST,
    ),
    Case(
        "test-unscaled",
        'type: "Dropout" dropout_param { dropout_ratio: 0.25 scale_train: false }',
        [(3, 4, 5)],
        lambda x: 0.75 * x,
        phase=TEST,
    ),
    Case(
        "nothing-dropped",
        'type: "Dropout" dropout_param { dropout_ratio: 0 }',
        [(3, 4, 5)],
        lambda x: x,
        onnx="sets values to 0 at random",
    ),
]

ERRORS = [
    Error(
        'type: "Dropout" dropout_param { dropout_ratio: 1 }',
        [(3,)],
        "dropout_ratio is 1, it must be at least 0",
    ),
    Error('type: "Dropout" dropout_param { dropout_ratio: -0.5 }', [(3,)], "dropout_ratio is -0.5"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


@pytest.mark.parametrize("ratio, param", [(0.5, ""), (0.2, "dropout_param { dropout_ratio: 0.2 }")])
def test_train(ratio, param):
    layer = make(f'type: "Dropout" {param}', (100, 90))
    bottom = torch.full((100, 90), 3.0, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(1)
    top = layer(bottom)
    kept = top != 0
    assert 1 - kept.double().mean() == pytest.approx(ratio, abs=0.02)
    np.testing.assert_allclose(top[kept].detach(), 3 / (1 - ratio))
    top.sum().backward()
    np.testing.assert_allclose(bottom.grad, top.detach() / 3)  # the same mask and scale
    torch.manual_seed(1)
    assert torch.equal(layer(bottom), top)
    assert not torch.equal(layer(bottom), top)


def test_scale_train_false_leaves_what_is_kept():
    layer = make('type: "Dropout" dropout_param { dropout_ratio: 0.25 scale_train: false }', (30, 40))
    top = layer(torch.full((30, 40), 3.0, dtype=torch.float64))
    np.testing.assert_allclose(top[top != 0], 3)
    assert 0.15 < (top == 0).double().mean() < 0.35


def test_sample_weights_test_drops_in_test():
    layer = make('type: "Dropout" dropout_param { sample_weights_test: true }', (30, 40), phase=TEST)
    top = layer(torch.ones(30, 40, dtype=torch.float64))
    assert set(top.unique().tolist()) == {0, 2}
