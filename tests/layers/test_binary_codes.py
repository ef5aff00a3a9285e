"""K1_EuclideanLoss, K2_EuclideanLoss, ScaleTanH."""

import numpy as np
import torch

from caffe_compat.layers.base import TEST
from tests.layers.harness import Case, Error, cases, errors, make

STEEP = 'type: "ScaleTanH" scale_tanh_param { init_scale: 2 step_size: %d gamma: 0.5 power: 0.5 }'

CASES = [
    Case(
        "k1",
        'type: "K1_EuclideanLoss"',
        [(3, 4), (3, 4)],
        lambda x, y: -((x - 0.5) ** 2).sum() / 24,
        gradient=(0,),
    ),
    Case(
        "k2",
        'type: "K2_EuclideanLoss"',
        [(3, 4), (3, 4)],
        lambda x, y: ((x - 0.5) ** 2).sum() / 24,
        gradient=(0,),
    ),
    Case(
        "first",
        STEEP % 1000,
        [(3, 4)],
        lambda x: np.tanh(2 * x),
        onnx="in TRAIN its scale grows; export the TEST net",
    ),
    Case("test", STEEP % 1000, [(3, 4)], lambda x: np.tanh(2 * x), phase=TEST),
]

ERRORS = [
    Error(
        'type: "K1_EuclideanLoss"', [(3, 4), (3, 5)], r"bottom 0 has shape \(3, 4\) and bottom 1 has \(3, 5\)"
    ),
    Error(STEEP % 0, [(3, 4)], "step_size is 0; set it to a number of passes"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_grows_steeper():
    layer, x = make(STEEP % 3, (2,)), torch.tensor([0.1, -0.2], dtype=torch.float64)
    scales = [(torch.atanh(layer(x)) / x)[0].item() for _ in range(6)]
    third, sixth = 2 * (1 + 0.5 * 3) ** 0.5, 2 * (1 + 0.5 * 6) ** 0.5
    np.testing.assert_allclose(scales, [2, third, third, third, sixth, sixth])  # passes 2 to 7
