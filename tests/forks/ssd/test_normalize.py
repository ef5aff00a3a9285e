"""Normalize."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, draws, errors, make, run


def unit(axes, eps=1e-10):
    def formula(x, scale):
        norm = np.sqrt((x**2).sum(axes, keepdims=True) + np.float32(eps))
        return x / norm * scale.reshape((-1, *(1,) * (x.ndim - 2)) if scale.ndim else ())

    return formula


def bare(kind="L2", tops=1):
    """NormFace's: over the channels, in four axes, with the length as a second top."""

    def formula(x):
        x = x.reshape(*x.shape, *[1] * (4 - x.ndim))
        total = (np.abs(x) if kind == "L1" else x**2).sum(1, keepdims=True) + 1e-6
        norm = total if kind == "L1" else np.sqrt(total)
        return (x / norm, norm)[:tops] if tops > 1 else x / norm

    return formula


def unit_diff(d, x):
    """L2's gradient of top 0 alone."""
    length = np.sqrt((x**2).sum(1, keepdims=True) + 1e-6)
    return (d[0] - x / length * (d[0] * x / length).sum(1, keepdims=True)) / length


SHAPE = (2, 3, 4, 5)

CASES = [
    Case("bare", 'type: "Normalize" normalize_param { }', [SHAPE], bare()),
    Case("bare-l1", 'type: "Normalize" normalize_param { normalize_type: "L1" }', [SHAPE], bare("L1")),
    Case("bare-two-axes", 'type: "Normalize" softmax_param { normalize_type: "L2" }', [(4, 3)], bare()),
    Case("length", 'type: "Normalize" top: "y" top: "n"', [SHAPE], bare(tops=2), diffs=unit_diff),
    Case(
        "length-with-its-gradient",
        'type: "Normalize" top: "y" top: "n" normalize_param { bp_norm: true normalize_type: "L1" }',
        [SHAPE],
        bare("L1", 2),
    ),
    Case(
        "l2", 'type: "NormalizationL2"', [(2, 3, 4)], lambda x: x / np.sqrt((x**2).sum((1, 2), keepdims=True))
    ),
    Case(
        "other-name", 'type: "Normalization"', [(2, 3)], lambda x: x / np.sqrt((x**2).sum(1, keepdims=True))
    ),
    Case(
        "nearly-1",
        'type: "NormL2"',
        [1e-3 * draws((2, 3, 4))],
        lambda x: x / np.sqrt((x**2).sum((1, 2), keepdims=True) + 1e-7),
    ),
    Case(
        "zeros",
        'type: "L2Normalize"',
        [np.zeros((2, 3))],
        lambda x: x,
        diffs=lambda d, x: (d[0] / np.sqrt(1e-7),),
    ),
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
    Error('type: "NormalizationL2"', [(3,)], r"bottom shape \(3,\) has 1 axes, at least 2 are needed"),
    Error(
        'type: "Normalize" normalize_param { normalize_type: "L3" }',
        [(2, 3)],
        "normalize_type is 'L3'; use L1 or",
    ),
    Error(
        'type: "Normalize" normalize_param { } norm_param { }',
        [(2, 3)],
        "has norm_param of SSD's Normalize and what NormFace's has; keep the fields of one form",
    ),
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
