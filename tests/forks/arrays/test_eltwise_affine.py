"""EltwiseAffine: per channel and shared."""

import pytest

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, errors, make

SHARED = 'type: "EltwiseAffine" eltwise_affine_param { channel_shared: true slope_filler { value: 3 } }'


def affine(x, slope, bias):
    spread = (-1, *[1] * (x.ndim - 2))
    return x * slope.reshape(spread) + bias.reshape(spread)


CASES = [
    Case("channels", 'type: "EltwiseAffine"', [(2, 3, 4, 5)], affine),
    Case("matrix", 'type: "EltwiseAffine"', [(4, 3)], affine),
    Case("shared", SHARED, [(2, 3, 4)], lambda x, slope, bias: slope * x + bias),
]

test_case = cases(CASES)
test_error = errors([Error('type: "EltwiseAffine"', [(3,)], r"\(3,\) has 1 axes, at least 2 are needed")])


def test_fillers_and_channels():
    layer = make('type: "EltwiseAffine"', (2, 3))
    assert [blob.tolist() for blob in layer.blobs] == [
        pytest.approx([1.0001] * 3),
        pytest.approx([0.0001] * 3),
    ]
    assert [blob.tolist() for blob in make(SHARED, (2, 3)).blobs] == [3, pytest.approx(0.0001)]
    with pytest.raises(LayerError, match=r"\(2, 4\) has 4 channels, but the blobs were made for 3"):
        layer.reshape((2, 4))
