"""Bias: learned or from a second bottom, broadcast from any axis."""

import pytest

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, errors, make

SHAPE = (2, 3, 4, 5)


def param(fields):
    return f'type: "Bias" bias_param {{ {fields} }}'


def added(start):
    return lambda x, b: x + b.reshape(*b.shape, *[1] * (x.ndim - start - b.ndim))


CASES = [
    Case("default", 'type: "Bias"', [SHAPE], added(1)),
    Case("axis-2", param("axis: 2 num_axes: 1"), [SHAPE], added(2)),
    Case("two-axes", param("axis: 1 num_axes: 2"), [SHAPE], added(1)),
    Case("to-the-end", param("axis: 0 num_axes: -1"), [SHAPE], added(0)),
    Case("last", param("axis: -1"), [SHAPE], added(3)),
    Case("scalar", param("num_axes: 0"), [SHAPE], added(0)),
    Case("bottom", 'type: "Bias"', [SHAPE, (3, 4)], added(1)),
    Case("bottom-axis-0", param("axis: 0"), [SHAPE, (2,)], added(0)),
    Case("bottom-scalar", param("axis: 9"), [SHAPE, ()], added(0)),
]

ERRORS = [
    Error(param("axis: 4"), [SHAPE], "axis 4 is out of range"),
    Error(param("num_axes: -2"), [SHAPE], "num_axes is -2; use 0 or more"),
    Error(param("axis: 3 num_axes: 2"), [SHAPE], r"axis 3 \+ num_axes 2 is past the 4 axes"),
    Error(
        'type: "Bias"',
        [SHAPE, (2, 3)],
        r"bottom 1 of shape \(2, 3\) does not fit bottom 0 of shape \(2, 3, 4, 5\)",
    ),
    Error(param("axis: 3"), [SHAPE, (5, 1)], r"bottom 1 of shape \(5, 1\) does not fit .* from axis 3 on"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_fillers():
    assert (make('type: "Bias"', SHAPE).blobs[0] == 0).all()
    layer = make(param("filler { value: 2 }"), SHAPE)
    assert layer.blobs[0].tolist() == [2, 2, 2]
    assert not len(make('type: "Bias"', SHAPE, (3,)).blobs)


def test_other_channels_refused():
    layer = make('type: "Bias"', SHAPE)
    with pytest.raises(LayerError, match=r"the bias of shape \(3,\) does not fit bottom 0 of shape \(2, 4\)"):
        layer.reshape((2, 4))
