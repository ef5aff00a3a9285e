"""Axpy: both shapes of the scale."""

from tests.layers.harness import Case, Error, cases, errors

SHAPE = (2, 3, 4, 5)

CASES = [
    Case("squeezed", 'type: "Axpy"', [(2, 3, 1, 1), SHAPE, SHAPE], lambda a, x, y: a * x + y),
    Case("matrix", 'type: "Axpy"', [(2, 3), SHAPE, SHAPE], lambda a, x, y: a[..., None, None] * x + y),
    Case("no-space", 'type: "Axpy"', [(2, 3), (2, 3), (2, 3)], lambda a, x, y: a * x + y),
]

ERRORS = [
    Error(
        'type: "Axpy"',
        [(2, 3, 4, 1), SHAPE, SHAPE],
        r"\(2, 3, 4, 1\) must hold one value a channel of bottom 1",
    ),
    Error(
        'type: "Axpy"',
        [(2, 4), SHAPE, SHAPE],
        r"bottom 0 of shape \(2, 4\) must hold .*: \(2, 3, 1, 1\); pool",
    ),
    Error('type: "Axpy"', [(2, 3), SHAPE, (2, 3, 5, 4)], r"bottom 2 has \(2, 3, 5, 4\); they must be equal"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
