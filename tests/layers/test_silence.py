"""Silence: takes any number of bottoms, gives nothing."""

import torch

from tests.layers.harness import make


def test_no_tops():
    layer = make('type: "Silence"', (2, 3), (4,))
    assert layer.reshape((2, 3), (4,)) == []
    assert layer(torch.zeros(2, 3), torch.zeros(4)) == ()
    assert layer.num_top == 0
