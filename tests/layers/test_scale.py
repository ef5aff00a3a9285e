"""Scale: learned or from a second bottom, with and without bias, broadcast from any axis."""

import pytest

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, errors, make

SHAPE = (2, 3, 4, 5)


def param(fields):
    return f'type: "Scale" scale_param {{ {fields} }}'


def scaled(start):
    def formula(x, scale, bias=None):
        shape = (*scale.shape, *[1] * (x.ndim - start - scale.ndim))
        return x * scale.reshape(shape) + (0 if bias is None else bias.reshape(shape))

    return formula


CASES = [
    Case("default", 'type: "Scale"', [SHAPE], scaled(1)),
    Case("bias", param("bias_term: true"), [SHAPE], scaled(1)),
    Case("axis-2", param("axis: 2 bias_term: true"), [SHAPE], scaled(2)),
    Case("two-axes", param("axis: 1 num_axes: 2 bias_term: true"), [SHAPE], scaled(1)),
    Case("to-the-end", param("axis: 0 num_axes: -1"), [SHAPE], scaled(0)),
    Case("last", param("axis: -1"), [SHAPE], scaled(3)),
    Case("scalar", param("num_axes: 0 bias_term: true"), [SHAPE], scaled(0)),
    Case("bottom", 'type: "Scale"', [SHAPE, (3, 4)], scaled(1)),
    Case("bottom-bias", param("bias_term: true axis: 0"), [SHAPE, (2,)], scaled(0)),
    Case("bottom-scalar", 'type: "Scale"', [SHAPE, ()], scaled(0)),
    Case("bottom-whole", param("axis: 0"), [SHAPE, SHAPE], scaled(0)),
]

ERRORS = [
    Error(param("axis: 4"), [SHAPE], "axis 4 is out of range"),
    Error(param("num_axes: -2"), [SHAPE], "num_axes is -2; use 0 or more"),
    Error(param("axis: 3 num_axes: 2"), [SHAPE], r"axis 3 \+ num_axes 2 is past the 4 axes"),
    Error(
        'type: "Scale"',
        [SHAPE, (2, 3)],
        r"bottom 1 of shape \(2, 3\) does not fit bottom 0 of shape \(2, 3, 4, 5\)",
    ),
    Error(param("axis: 3 bias_term: true"), [SHAPE, (5, 1)], r"axis 3 \+ num_axes 2 is past the 4 axes"),
    Error(param("axis: 3"), [SHAPE, (5, 1)], r"bottom 1 of shape \(5, 1\) does not fit .* from axis 3 on"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_fillers():
    layer = make(param("bias_term: true"), SHAPE)
    assert [blob.tolist() for blob in layer.blobs] == [[1, 1, 1], [0, 0, 0]]
    layer = make(param("bias_term: true filler { value: 3 } bias_filler { value: 2 }"), SHAPE)
    assert [blob.tolist() for blob in layer.blobs] == [[3, 3, 3], [2, 2, 2]]
    layer = make(param("bias_term: true bias_filler { value: 2 }"), SHAPE, (3, 4))
    assert [tuple(blob.shape) for blob in layer.blobs] == [(3, 4)]


@pytest.mark.parametrize(
    "fields, bottoms, wanted",
    [
        ("bias_term: true", [SHAPE], True),
        ("", [SHAPE], True),
        ("axis: -3", [SHAPE], True),
        ("axis: 2", [SHAPE], False),
        ("num_axes: 2", [SHAPE], False),
        ("num_axes: 0", [SHAPE], False),
        ("", [SHAPE, (3,)], False),
    ],
)
def test_per_channel(fields, bottoms, wanted):
    assert make(param(fields), *bottoms).per_channel is wanted


@pytest.mark.parametrize(
    "fields, bottoms, overwritten",
    [
        ("", [(1, 3, 2)], True),
        ("", [(1, 3)], True),
        ("", [(2, 3)], False),
        ("", [(2, 3, 2)], False),
        ("", [(1, 1, 2)], False),  # one value over several is added to
        ("", [(1, 1)], True),
        ("axis: 0", [(3, 2)], True),
        ("axis: 0", [(3,)], True),
        ("axis: 0 num_axes: 0", [(3, 2)], False),
        ("axis: 0 num_axes: 0", [(1, 1)], True),
        ("axis: 0", [(3, 2), (3,)], False),  # a bottom's diff is written always
    ],
)
def test_gradient_that_backward_overwrites(fields, bottoms, overwritten):
    layer = make(param(f"bias_term: true {fields}"), *bottoms)
    assert layer.overwritten_diffs() == ((0,) if overwritten else ())


def test_other_channels_refused():
    layer = make('type: "Scale"', SHAPE)
    with pytest.raises(
        LayerError, match=r"the scale of shape \(3,\) does not fit bottom 0 of shape \(2, 4\)"
    ):
        layer.reshape((2, 4))
    layer = make(param("bias_term: true"), SHAPE, (3, 4))
    with pytest.raises(
        LayerError, match=r"the bias of shape \(3, 4\) does not fit bottom 0 of shape \(2, 5, 4\)"
    ):
        layer.reshape((2, 5, 4), (5, 4))
