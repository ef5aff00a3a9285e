"""ChannelReduce, GRN and ScaleFilter."""

import numpy as np
import pytest
import torch

from tests.layers.harness import TEST, Case, Error, cases, draws, errors, make

SHAPE = (2, 6, 3, 4)
SCALE = 'type: "ScaleFilter" scale_filter_param { min_scale: 0.5 max_scale: 2 }'


def unit(bias):
    return lambda x: x / np.sqrt((x**2).sum(1, keepdims=True) + bias)


def runs(count):
    return lambda x: x.reshape(2, count, 6 // count, 3, 4)


CASES = [
    Case(
        "max",
        'type: "ChannelReduce" channel_reduce_param { num_channels: 2 }',
        [SHAPE],
        lambda x: runs(2)(x).max(2),
    ),
    Case("max-of-all", 'type: "ChannelReduce"', [SHAPE], lambda x: x.max(1, keepdims=True)),
    Case(
        "sum",
        'type: "ChannelReduce" channel_reduce_param { num_channels: 3 operation: SUM }',
        [SHAPE],
        lambda x: runs(3)(x).sum(2),
    ),
    Case("grn", 'type: "GRN" grn_param { bias: 0.25 }', [SHAPE], unit(0.25)),
    Case("grn-rows", 'type: "GRN" grn_param { bias: 0.25 }', [(3, 5)], unit(0.25)),
    Case("grn-default", 'type: "GRN"', [SHAPE], unit(float(np.float32(1e-7)))),
    Case(
        "grn-dummy",
        'type: "GRN" grn_param { bias: 0.25 dummy_backward: true }',
        [SHAPE],
        unit(0.25),
        diffs=lambda d, x: d[0],
    ),
    Case("scales-in-test", SCALE, [SHAPE], lambda x: x, phase=TEST),
]

ERRORS = [
    Error(
        'type: "ChannelReduce" channel_reduce_param { num_channels: 4 }',
        [SHAPE],
        "num_channels 4 must divide the 6",
    ),
    Error('type: "ChannelReduce"', [(2, 6)], r"\(2, 6\) has 2 axes, 4 are needed"),
    Error('type: "GRN"', [(5,)], r"\(5,\) has 1 axes, 2 to 4 are needed"),
    Error('type: "GRN" grn_param { bias: -1 }', [SHAPE], "bias is -1 and must be at least 0"),
    Error('type: "ScaleFilter"', [SHAPE], "min_scale 0 and max_scale 0; use 0 < min_scale < max_scale"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_scales_are_drawn_a_channel():
    layer = make(SCALE, (40, 50, 2, 3))
    x = torch.from_numpy(draws((40, 50, 2, 3))).requires_grad_()
    top = layer(x)
    scale = (top / x).detach()
    torch.testing.assert_close(scale, scale[:, :, :1, :1].expand_as(scale))
    assert 0.5 <= scale.min() < 0.52 and 1.98 < scale.max() <= 2 and abs(scale.mean() - 1.25) < 0.05
    top.sum().backward()
    torch.testing.assert_close(x.grad, scale)
    with pytest.raises(Exception, match="in TRAIN it draws scales at random"):
        layer.to_onnx(None, [], [])
