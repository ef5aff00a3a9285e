"""Flip, Reverse."""

from tests.layers.harness import Case, Error, cases, errors

CASES = [
    Case("flip", 'type: "Flip"', [(2, 3, 4, 5)], lambda x: x[..., ::-1]),
    Case(
        "flip-height",
        'type: "Flip" flip_param { flip_width: false flip_height: true }',
        [(2, 3, 4, 5)],
        lambda x: x[:, :, ::-1],
    ),
    Case(
        "flip-both",
        'type: "Flip" flip_param { flip_height: true }',
        [(2, 3, 4, 5)],
        lambda x: x[:, :, ::-1, ::-1],
    ),
    Case("reverse", 'type: "Reverse"', [(4, 3)], lambda x: x[::-1]),
    Case("reverse-axis", 'type: "Reverse" reverse_param { axis: 1 }', [(4, 3, 2)], lambda x: x[:, ::-1]),
]

ERRORS = [
    Error('type: "Flip"', [(2, 3, 4)], r"\(2, 3, 4\) has 3 axes, 4 are needed"),
    Error('type: "Reverse" reverse_param { axis: 2 }', [(2, 3)], r"axis 2 is out of range .* use 0 to 1"),
    Error('type: "Reverse" reverse_param { axis: -1 }', [(2, 3)], "axis -1 is out of range"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
