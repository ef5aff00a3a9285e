"""SmoothL1Loss, SmoothL1LossOHEM."""

import numpy as np
import pytest
import torch

from tests.layers.harness import Case, Error, cases, draws, errors, make, run

WEIGHTS = np.where(draws((4, 3), 9) > 0, 1.0, 0.0)
SHAPE = (4, 3)
MAP = (2, 5, 3, 4)


def smooth(x, sigma=1.0):
    near = np.abs(x) < 1 / sigma**2
    return np.where(near, (sigma * x) ** 2 / 2, np.abs(x) - 0.5 / sigma**2)


def slope(x):
    return np.where(np.abs(x) < 1, x, np.sign(x))


def loss(sigma=1.0, divisor=None, instances=False):
    def formula(a, b, inside=1.0, outside=1.0):
        errors = smooth(inside * (a - b), sigma) * outside
        top = np.array(errors.sum() / (divisor or len(a)))
        return (
            (top, errors.sum(1, keepdims=True).reshape(len(a), 1, *(a.shape[2:] or (1, 1))))
            if instances
            else top
        )

    return formula


def unweighted(divisor=None):
    def diffs(d, a, b, w):
        return tuple(sign * d[0] * slope(w * (a - b)) / (divisor or len(a)) for sign in (1, -1))

    return diffs


L1 = 'type: "SmoothL1Loss"'
OHEM = 'type: "SmoothL1LossOHEM" top: "loss" top: "each"'

CASES = [
    Case("two-bottoms", L1, [SHAPE, SHAPE], loss()),
    Case("maps", L1, [MAP, MAP], loss(), gradient=(0, 1)),
    Case("sigma", f"{L1} smooth_l1_loss_param {{ sigma: 3 }}", [SHAPE, SHAPE], loss(3)),
    Case("three-bottoms", L1, [SHAPE, SHAPE, SHAPE], loss(), diffs=unweighted(), gradient=(0, 1)),
    Case("weights-of-0-and-1", L1, [SHAPE, SHAPE, WEIGHTS], loss(), gradient=(0, 1)),
    Case(
        "four-bottoms",
        f"{L1} smooth_l1_loss_param {{ sigma: 2 }}",
        [SHAPE, SHAPE, SHAPE, SHAPE],
        loss(2),
        gradient=(0, 1),
    ),
    Case("positions", f"{L1} loss_param {{ normalization: FULL }}", [MAP, MAP], loss(1, 24), gradient=(0,)),
    Case("ohem", OHEM, [MAP, MAP, MAP], loss(1, 24, True), diffs=unweighted(24), gradient=(0, 1)),
    Case("ohem-rows", OHEM, [SHAPE, SHAPE], loss(1, 4, True), gradient=(0, 1)),
    Case(
        "ohem-batch-size",
        f"{OHEM} loss_param {{ normalize: false }}",
        [MAP, MAP],
        loss(1, 2, True),
        gradient=(),
    ),
    Case(
        "ohem-none", f"{OHEM} loss_param {{ normalization: NONE }}", [MAP, MAP], loss(1, 1, True), gradient=()
    ),
    Case(
        "ohem-pre-fixed",
        f"{OHEM} loss_param {{ normalization: PRE_FIXED pre_fixed_normalizer: 128 }}",
        [MAP, MAP],
        loss(1, 128, True),
        gradient=(0,),
    ),
    Case(
        "a-normalizer-below-1",
        f"{OHEM} loss_param {{ normalization: PRE_FIXED pre_fixed_normalizer: 0.5 }}",
        [MAP, MAP],
        loss(1, 1, True),
        gradient=(),
    ),
]

ERRORS = [
    Error(L1, [(4, 3), (5, 3)], "differ in their first dimension"),
    Error(L1, [(4, 3), (4, 2)], r"bottom 1 of shape \(4, 2\) and bottom 0 of shape \(4, 3\) differ"),
    Error(L1, [(4, 3), (4, 3), (4, 3), (4, 3, 2)], r"bottom 3 of shape \(4, 3, 2\)"),
    Error(f"{L1} smooth_l1_loss_param {{ sigma: 0 }}", [(4, 3), (4, 3)], "sigma is 0 and must be above 0"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_weights_take_no_gradient():
    layer = make(L1, *[SHAPE] * 4)
    assert [layer.allow_force_backward(i) for i in range(4)] == [True, True, False, False]
    bottoms = [torch.from_numpy(draws(SHAPE, i)).requires_grad_() for i in range(4)]
    (top,) = run(layer, *bottoms)
    top.backward()
    assert [b.grad is None for b in bottoms] == [False, False, True, True]


def test_the_loss_of_each_takes_no_gradient():
    each = run(make(OHEM, SHAPE, SHAPE), torch.ones(SHAPE, requires_grad=True), torch.zeros(SHAPE))[1]
    assert not each.requires_grad and each.flatten().tolist() == pytest.approx([1.5] * 4)
