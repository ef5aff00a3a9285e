"""Input: blobs that the caller fills."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.data_harness import CPU, load, make

TWO = 'type: "Input" input_param { shape { dim: 2 dim: 3 } shape { dim: 5 } }'


def test_shapes():
    assert make(TWO).reshape() == [(2, 3), (5,)]
    assert make('type: "Input" input_param { shape { dim: 2 dim: 3 } }').reshape() == [(2, 3), (2, 3)]
    assert make('type: "Input"').reshape() == [(0,), (0,)]


def test_zeros_at_first_then_what_was_written():
    layer = make(TWO, dtype=torch.float64)
    for top, shape in zip(load(layer)[0], [(2, 3), (5,)], strict=True):
        np.testing.assert_array_equal(top, np.zeros(shape))
    layer.tops[0][1, 2] = 7
    layer.tops[1] = torch.arange(4.0, dtype=torch.float64)
    assert layer.reshape() == [(2, 3), (4,)]
    first, second = layer.load(CPU)
    assert first[1, 2] == 7 and second.tolist() == [0, 1, 2, 3]


def test_nothing_to_resume():
    layer = make(TWO)
    layer.set_state(layer.get_state())
    assert layer.get_state() == {}


def test_too_many_shapes():
    with pytest.raises(
        LayerError,
        match=r"layer 'd' \(Input\): 2 shapes for 3 tops; give none, one for all tops, or one a top",
    ):
        make(TWO, top=3)
