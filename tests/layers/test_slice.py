"""Slice: equal parts or at given points, old and new fields."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors

TWO = 'top: "a" top: "b"'
THREE = f'{TWO} top: "c"'


def cut(points, axis):
    return lambda x: tuple(np.split(x, points, axis))


CASES = [
    Case("equal", f'type: "Slice" {THREE}', [(2, 6, 4)], cut(3, 1)),
    Case(
        "points",
        f'type: "Slice" {THREE} slice_param {{ slice_point: 1 slice_point: 4 }}',
        [(2, 6, 4)],
        cut([1, 4], 1),
    ),
    Case("axis-0", f'type: "Slice" {TWO} slice_param {{ axis: 0 }}', [(4, 3)], cut(2, 0)),
    Case("last", f'type: "Slice" {TWO} slice_param {{ axis: -1 slice_point: 3 }}', [(2, 3, 5)], cut([3], 2)),
    Case(
        "slice_dim",
        f'type: "Slice" {TWO} slice_param {{ slice_dim: 2 slice_point: 2 }}',
        [(2, 3, 5)],
        cut([2], 2),
    ),
    Case("one-top", 'type: "Slice" top: "a"', [(2, 3, 4)], lambda x: x),
]

ERRORS = [
    Error(
        f'type: "Slice" {TWO} slice_param {{ axis: 1 slice_dim: 2 }}',
        [(2, 4)],
        "axis 1 and slice_dim 2 are both set",
    ),
    Error(f'type: "Slice" {TWO} slice_param {{ axis: 2 }}', [(2, 4)], "axis 2 is out of range"),
    Error(f'type: "Slice" {TWO} slice_param {{ slice_dim: 2 }}', [(2, 4)], "slice_dim 2 is out of range"),
    Error(f'type: "Slice" {TWO}', [(2, 5)], "2 tops do not divide axis 1 of size 5"),
    Error(
        f'type: "Slice" {THREE} slice_param {{ slice_point: 1 }}', [(2, 5)], "1 slice_point for 3 tops; .* 2"
    ),
    Error(
        f'type: "Slice" {THREE} slice_param {{ slice_point: 3 slice_point: 3 }}',
        [(2, 5)],
        r"slice_point \[3, 3\] must rise from above 0 to below 5",
    ),
    Error(f'type: "Slice" {TWO} slice_param {{ slice_point: 5 }}', [(2, 5)], r"slice_point \[5\] must rise"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
