"""Interp: sizes by factor and by number, cropping, corners."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors


def resize(height, width, crop=(0, 0)):
    def formula(x):
        begin, end = crop
        x = x[:, :, begin : x.shape[2] - end, begin : x.shape[3] - end]
        for axis, size in ((2, height), (3, width)):
            old = x.shape[axis]
            matrix = np.zeros((size, old))  # row i: the weights of the two neighbours of i's place
            for i in range(size):
                place = i * (old - 1) / (size - 1) if size > 1 else 0.0
                low = min(int(place), old - 1)
                matrix[i, low] += 1 - (place - low)
                matrix[i, min(low + 1, old - 1)] += place - low
            x = np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis)
        return x

    return formula


def param(fields):
    return f'type: "Interp" interp_param {{ {fields} }}'


SHAPE = (2, 3, 4, 5)

CASES = [
    Case("size", param("height: 7 width: 9"), [SHAPE], resize(7, 9)),
    Case("smaller", param("height: 3 width: 2"), [SHAPE], resize(3, 2)),
    Case("one-value", param("height: 1 width: 6"), [SHAPE], resize(1, 6)),
    Case("of-one-value", param("height: 3 width: 4"), [(2, 3, 1, 1)], resize(3, 4)),
    Case("same", param("height: 4 width: 5"), [SHAPE], lambda x: x),
    Case("zoom", param("zoom_factor: 3"), [SHAPE], resize(10, 13)),
    Case("shrink", param("shrink_factor: 2"), [(2, 3, 6, 5)], resize(3, 3)),
    Case("shrink-then-zoom", param("shrink_factor: 2 zoom_factor: 3"), [(2, 3, 6, 5)], resize(7, 7)),
    Case("factor-before-size", param("zoom_factor: 2 height: 2 width: 2"), [SHAPE], resize(7, 9)),
    Case(
        "size-before-factors",
        param("shrink_factor: 2 zoom_factor: 3 height: 2 width: 6"),
        [SHAPE],
        resize(2, 6),
    ),
    Case("crop", param("height: 5 width: 4 pad_beg: -1 pad_end: -2"), [(2, 3, 6, 7)], resize(5, 4, (1, 2))),
    Case(
        "size-of-a-blob",
        param("use_blob_size: true height: 9 width: 2"),
        [SHAPE, (1, 6, 7, 8)],
        lambda x, _: resize(7, 8)(x),
        diffs=None,
    ),
    Case("crop-zoom", param("zoom_factor: 2 pad_beg: -2"), [(2, 3, 6, 7)], resize(7, 9, (2, 0))),
]

ERRORS = [
    Error(param(""), [SHAPE], "no size is given; set zoom_factor, shrink_factor, or both"),
    Error(param("height: 3"), [SHAPE], "no size is given"),
    Error(
        param("use_blob_size: true"), [SHAPE], "has 1 bottom and use_blob_size is true; the size of a second"
    ),
    Error(param("zoom_factor: 2"), [SHAPE, SHAPE], "has 2 bottom and use_blob_size is false"),
    Error(param("zoom_factor: 0"), [SHAPE], "zoom_factor is 0, it must be at least 1"),
    Error(param("shrink_factor: -1"), [SHAPE], "shrink_factor is -1, it must be at least 1"),
    Error(param("zoom_factor: 2 pad_end: 1"), [SHAPE], "pad_end is 1, and only cropping is known; use 0 or"),
    Error(param("zoom_factor: 2 pad_beg: -4"), [SHAPE], r"pad_beg -4 and pad_end 0 leave \(0, 1\) of bottom"),
    Error(param("height: 0 width: 3"), [SHAPE], "height x width is 0 x 3, both must be at least 1"),
    Error(param("zoom_factor: 2"), [(2, 3, 4)], r"\(2, 3, 4\) has 3 axes, 4 are needed"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
