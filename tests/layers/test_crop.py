"""Crop."""

import numpy as np
import torch

from tests.layers.harness import Case, Error, cases, errors, make


def crop(axis, *offsets):
    def formula(x, like):
        axes = range(axis, x.ndim)
        starts = list(offsets) if len(offsets) == len(axes) else list(offsets or [0]) * len(axes)
        for a, start in zip(axes, starts, strict=True):
            x = np.take(x, range(start, start + like.shape[a]), a)
        return x

    return formula


def case(name, params, shape, like, formula):
    return Case(name, f'type: "Crop" crop_param {{ {params} }}', [shape, like], formula, gradient=(0,))


CASES = [
    case("default", "", (2, 3, 7, 8), (1, 5, 4, 6), crop(2)),
    case("one_offset", "offset: 2", (2, 3, 7, 8), (1, 5, 4, 6), crop(2, 2)),
    case("offsets", "offset: 3 offset: 1", (2, 3, 7, 8), (1, 5, 4, 6), crop(2, 3, 1)),
    case("channels", "axis: 1 offset: 1 offset: 0 offset: 2", (2, 5, 7, 8), (9, 3, 6, 4), crop(1, 1, 0, 2)),
    case("last_axis", "axis: -1 offset: 5", (2, 3, 4, 8), (1, 1, 1, 3), crop(3, 5)),
    case("everything", "axis: 0 offset: 1", (3, 4, 5), (2, 1, 3), crop(0, 1)),
    case("extra_axis_of_the_reference", "", (2, 3, 7), (1, 1, 4, 6), crop(2)),
]

LIKE = (2, 3, 4, 6)
ERRORS = [
    Error('type: "Crop" crop_param { axis: 4 }', [(2, 3, 7, 8), LIKE], "axis 4 is out of range"),
    Error(
        'type: "Crop" crop_param { offset: [1, 2, 3] }', [(2, 3, 7, 8), LIKE], "3 offsets for 2 cropped axes"
    ),
    Error(
        'type: "Crop" crop_param { offset: [1, 3] }',
        [(2, 3, 7, 8), LIKE],
        "axis 3: size 6 from offset 3 on ends beyond the bottom's 8; use an offset of at most 2",
    ),
    Error('type: "Crop"', [(2, 3, 7, 8), (2, 3, 4)], r"bottom 1 of shape \(2, 3, 4\) has fewer axes"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_the_reference_gets_no_gradient():
    layer = make('type: "Crop"', (2, 3, 7, 8), LIKE)
    like = torch.ones(LIKE, requires_grad=True)
    assert not layer(torch.ones(2, 3, 7, 8), like).requires_grad
