"""MergeCrop: stacked, added, and which bottom learns."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors


def text(fields=""):
    return f'type: "MergeCrop" mergecrop_param {{ {fields} }}'


def stacked(a, b):
    return np.concatenate([a, b[:, :, 1:4, 0:4]], 1)


def stack_diffs(diffs, a, b):
    return (diffs[0][:, :2],)


CASES = [
    Case("stack", text(), [(2, 2, 3, 4), (2, 3, 5, 5)], stacked, diffs=stack_diffs, gradient=(0,)),
    Case("stack-both", text("backward: [true, true]"), [(2, 2, 3, 4), (2, 3, 5, 5)], stacked),
    Case(
        "add", text("operation: ADD backward: [true, true]"), [(2, 3, 4), (2, 3, 7)],
        lambda a, b: a + b[:, :, 1:5],
    ),
]  # fmt: skip

ERRORS = [
    Error(text(), [(2, 3, 4, 5), (3, 3, 4, 5)], "must have as many axes and records$"),
    Error(text("operation: ADD"), [(2, 3, 4, 5), (2, 4, 4, 5)], "records, and channels for operation ADD"),
    Error(text(), [(2, 3, 4, 5), (2, 3, 3, 5)], "cut to bottom 0's .* and smaller; exchange the bottoms"),
    Error(text("forward: [true, false]"), [(2, 3, 4, 5), (2, 3, 4, 5)], "forward is false for a bottom"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
