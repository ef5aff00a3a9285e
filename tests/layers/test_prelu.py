"""PReLU: a slope for each channel or one for all, its gradient at 0 and its refusals."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, draws, errors, make

ZERO = np.where(np.arange(24).reshape(2, 3, 4) % 5 == 0, 0.0, draws((2, 3, 4)))


def by_channel(x, slope):
    slope = np.broadcast_to(slope, (x.shape[1],)).reshape(-1, *[1] * (x.ndim - 2))
    return np.where(x > 0, x, slope * x)


def diffs(d, x, slope):
    return d[0] * by_channel(np.where(x > 0, 1.0, -1.0), -np.asarray(slope))


CASES = [
    Case("channels", 'type: "PReLU"', [(2, 3, 4, 5)], by_channel),
    Case("two-axes", 'type: "PReLU"', [(4, 3)], by_channel),
    Case("shared", 'type: "PReLU" prelu_param { channel_shared: true }', [(2, 3, 4, 5)], by_channel),
    Case("at-0", 'type: "PReLU"', [ZERO], by_channel, diffs=diffs),
]

ERRORS = [Error('type: "PReLU"', [(5,)], r"bottom shape \(5,\) has 1 axes, at least 2 are needed")]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_slopes_are_born_as_a_quarter():
    assert (make('type: "PReLU"', (2, 3)).blobs[0] == 0.25).all()
    assert (
        make('type: "PReLU" prelu_param { filler { value: 0.5 } channel_shared: true }', (2, 3)).blobs[0]
        == 0.5
    )
    assert make('type: "PReLU" prelu_param { channel_shared: true }', (2, 3)).blobs[0].shape == ()


def test_other_channels_refused():
    layer = make('type: "PReLU"', (2, 3))
    with pytest.raises(LayerError, match=r"\(2, 4\) has 4 channels, but the slopes were made for 3"):
        layer.reshape((2, 4))
    assert layer.reshape((5, 3, 7)) == [(5, 3, 7)]
