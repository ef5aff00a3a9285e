"""Normalize."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, errors, make, run


def unit(axes, eps=1e-10):
    def formula(x, scale):
        norm = np.sqrt((x**2).sum(axes, keepdims=True) + np.float32(eps))
        return x / norm * scale.reshape((-1, *(1,) * (x.ndim - 2)) if scale.ndim else ())

    return formula


CASES = [
    Case("an-item", 'type: "Normalize"', [(2, 3, 4, 5)], unit((1, 2, 3))),
    Case("a-position", 'type: "Normalize" norm_param { across_spatial: false }', [(2, 3, 4, 5)], unit(1)),
    Case(
        "a-scale-a-channel",
        'type: "Normalize" norm_param { across_spatial: false channel_shared: false eps: 0.25 }',
        [(2, 3, 4, 5)],
        unit(1, 0.25),
    ),
    Case(
        "an-item-a-scale-a-channel",
        'type: "Normalize" norm_param { channel_shared: false }',
        [(2, 3)],
        unit(1),
    ),
]

ERRORS = [
    Error('type: "Normalize"', [(4,)], r"shape \(4,\) has 1 axes and needs at least 2"),
    Error('type: "Normalize"', [(1, 2, 3, 4, 5)], "at most 4 axes"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_scale_is_1_unless_filled():
    assert make('type: "Normalize"', (2, 3)).blobs[0].item() == 1
    filled = make('type: "Normalize" norm_param { channel_shared: false scale_filler { value: 20 } }', (2, 3))
    assert filled.blobs[0].tolist() == [20, 20, 20]


def test_zeros_stay_zeros():
    bottom = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    (top,) = run(make('type: "Normalize"', (2, 3)), bottom)
    top.sum().backward()
    assert not top.any() and bottom.grad.isfinite().all()


def test_another_number_of_channels():
    layer = make('type: "Normalize" norm_param { channel_shared: false }', (2, 3, 4))
    with pytest.raises(LayerError, match="has 5 channels, but the scale was made for 3"):
        layer.reshape((2, 5, 4))
