"""MVN."""

import numpy as np
import torch

from tests.layers.harness import Case, Error, cases, errors, make


def mvn(across=False, variance=True, eps=1e-9):
    def formula(x):
        x = x.reshape(*x.shape, *[1] * (4 - x.ndim))
        axes = (1, 2, 3) if across else (2, 3)
        centred = x - x.mean(axes, keepdims=True)
        return centred / (np.sqrt(np.mean(centred**2, axes, keepdims=True)) + eps) if variance else centred

    return formula


def caffe_diffs(eps):
    """Caffe's gradient leaves eps out of account, except in the scale."""

    def formula(top, x):
        y, axes = mvn(eps=eps)(x), (2, 3)
        scale = np.sqrt(x.var(axes, keepdims=True)) + eps
        (dy,) = top
        return (dy - dy.mean(axes, keepdims=True) - y * (y * dy).mean(axes, keepdims=True)) / scale

    return formula


CASES = [
    Case("channels", 'type: "MVN"', [(2, 3, 4, 5)], mvn()),
    Case("across", 'type: "MVN" mvn_param { across_channels: true }', [(2, 3, 4, 5)], mvn(across=True)),
    Case(
        "mean_only",
        'type: "MVN" mvn_param { normalize_variance: false }',
        [(2, 3, 4, 5)],
        mvn(variance=False),
    ),
    Case(
        "mean_only_across",
        'type: "MVN" mvn_param { normalize_variance: false across_channels: true }',
        [(2, 3, 5)],
        mvn(across=True, variance=False),
    ),
    Case("two_axes", 'type: "MVN" mvn_param { across_channels: true }', [(2, 6)], mvn(across=True)),
    Case("eps", 'type: "MVN" mvn_param { eps: 0.5 }', [(2, 3, 4, 5)], mvn(eps=0.5), caffe_diffs(0.5)),
]

ERRORS = [Error('type: "MVN"', [(2, 3, 4, 5, 6)], "at most 4 axes .* which has 5")]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_equal_values_have_a_finite_gradient():
    layer = make('type: "MVN"', (2, 3, 4, 5))
    x = torch.full((2, 3, 4, 5), 3.0, dtype=torch.float64, requires_grad=True)
    top = layer(x)
    top.backward(torch.rand_like(top))
    assert torch.equal(top, torch.zeros_like(top))
    assert torch.isfinite(x.grad).all()
