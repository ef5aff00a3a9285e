"""Flatten: any span of axes, Caffe's empty span included."""

from tests.layers.harness import Case, Error, cases, errors, make

CASES = [
    Case("default", 'type: "Flatten"', [(2, 3, 4, 5)], lambda x: x.reshape(2, 60)),
    Case(
        "middle",
        'type: "Flatten" flatten_param { axis: 1 end_axis: 2 }',
        [(2, 3, 4, 5)],
        lambda x: x.reshape(2, 12, 5),
    ),
    Case(
        "negative",
        'type: "Flatten" flatten_param { axis: -3 end_axis: -2 }',
        [(2, 3, 4, 5)],
        lambda x: x.reshape(2, 12, 5),
    ),
    Case("all", 'type: "Flatten" flatten_param { axis: 0 }', [(2, 3, 4)], lambda x: x.reshape(24)),
    Case("one", 'type: "Flatten" flatten_param { axis: 1 end_axis: 1 }', [(2, 3, 4)], lambda x: x),
    Case(
        "none",
        'type: "Flatten" flatten_param { axis: 2 end_axis: 1 }',
        [(2, 3, 4)],
        lambda x: x.reshape(2, 3, 1, 4),
    ),
]

ERRORS = [
    Error(
        'type: "Flatten" flatten_param { axis: 2 end_axis: 0 }', [(2, 3, 4)], "axis 2 comes after end_axis 0"
    ),
    Error('type: "Flatten" flatten_param { axis: 3 }', [(2, 3, 4)], "axis 3 is out of range"),
    Error('type: "Flatten" flatten_param { end_axis: 3 }', [(2, 3, 4)], "end_axis 3 is out of range"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_refuses_in_place():
    assert not make('type: "Flatten"', (3, 4)).in_place
