"""ChannelNorm."""

import math

import numpy as np
import torch

from tests.layers.harness import Case, cases, make

IMAGE = (2, 3, 4, 5)
CASES = [
    Case("channelnorm", 'type: "ChannelNorm"', [IMAGE], lambda x: np.sqrt((x**2).sum(1, keepdims=True))),
]

test_case = cases(CASES)


def test_the_norm_of_zeros_has_gradient_0():
    x = torch.zeros(1, 2, 3, 4, requires_grad=True)
    make('type: "ChannelNorm"', (1, 2, 3, 4))(x).sum().backward()
    assert not x.grad.any() and not math.isnan(x.grad.sum())
