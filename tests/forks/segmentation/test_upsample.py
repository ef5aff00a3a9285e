"""Upsample: max pooling undone by its mask, and values repeated."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, compiling, draws, errors, make

SHAPE = (2, 3, 4, 5)


def place(height, width):
    def formula(x, mask):
        top = np.zeros((*x.shape[:2], height * width))
        for n, c, y, z in np.ndindex(x.shape):
            top[n, c, int(mask[n, c, y, z])] = x[n, c, y, z]
        return top.reshape(*x.shape[:2], height, width)

    return formula


def take(diffs, x, mask):
    flat = diffs[0].reshape(*x.shape[:2], -1)
    return np.take_along_axis(flat, mask.astype(int).reshape(*x.shape[:2], -1), 2).reshape(x.shape)


def mask(places, shape=SHAPE):
    """Distinct places in each plane."""
    random = np.random.default_rng(3)
    planes = [random.permutation(places)[: shape[2] * shape[3]] for _ in range(shape[0] * shape[1])]
    return np.array(planes, np.float64).reshape(shape)


def param(fields=""):
    return f'type: "Upsample" upsample_param {{ {fields} }}'


TWICE = np.array([0.0, 2, 2, 5, 1, 2]).reshape(1, 1, 2, 3)  # place 2 three times

CASES = [
    Case("default", param(), [SHAPE, mask(80)], place(8, 10), gradient=[0]),
    Case("scale", param("scale: 3"), [SHAPE, mask(180)], place(12, 15), gradient=[0]),
    Case("scales", param("scale_h: 2 scale_w: 3"), [SHAPE, mask(120)], place(8, 15), gradient=[0]),
    Case("pad-out", param("scale: 2 pad_out_h: true"), [SHAPE, mask(70)], place(7, 10), gradient=[0]),
    Case("pad-out-w", param("scale: 2 pad_out_w: true"), [SHAPE, mask(72)], place(8, 9), gradient=[0]),
    Case(
        "size", param("scale: 2 upsample_h: 7 upsample_w: 11"), [SHAPE, mask(77)], place(7, 11), gradient=[0]
    ),
    Case("same-place", param(), [(1, 1, 2, 3), TWICE], place(4, 6), diffs=take, gradient=[0]),
    Case("no-mask", param("scale: 3"), [SHAPE], lambda x: x.repeat(3, 2).repeat(3, 3)),
    Case("no-mask-default", 'type: "Upsample"', [SHAPE], lambda x: x),
    Case("no-mask-matrix", param("scale: 2"), [(3, 4)], lambda x: x.repeat(2, 0).repeat(2, 1)),
]

ERRORS = [
    Error(
        param("upsample_h: 4 upsample_w: 5"), [SHAPE], "upsample_h, upsample_w needs the mask .* as bottom 1"
    ),
    Error(param("upsample_h: 1 upsample_w: 5"), [SHAPE] * 2, "is 1 x 5, both must be above 1"),
    Error(param("scale_h: 2"), [SHAPE] * 2, "the size is upsample_h and upsample_w, or scale, or .* set one"),
    Error(param("scale: 2 scale_h: 2 scale_w: 2"), [SHAPE] * 2, "set one of the forms"),
    Error(param("scale: 1"), [SHAPE] * 2, r"scale is \(1, 1\), both must be above 1"),
    Error(param("scale: 0"), [SHAPE], r"scale is \(0, 0\), both must be above 0"),
    Error(param("scale: 3 pad_out_h: true"), [SHAPE] * 2, "pad_out_h is for scale 2 and the scale is 3; use"),
    Error(param(), [SHAPE, (2, 3, 4, 6)], r"bottom 1, the mask, has \(2, 3, 4, 6\); they must be equal"),
    Error(param(), [(2, 3, 4)] * 2, "has 3 axes, 4 are needed"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


@pytest.mark.parametrize("index", [24, -1])
def test_a_place_outside_the_plane(index):
    layer = make(param(), (1, 1, 2, 3), (1, 1, 2, 3))
    bottom, places = torch.ones(1, 1, 2, 3), torch.full((1, 1, 2, 3), float(index))
    with pytest.raises(LayerError, match=rf"place {index} of a plane of 4 x 6, which has 24; set upsample_h"):
        layer(bottom, places)


@compiling
def test_a_place_outside_the_plane_where_nobody_waits():
    layer = make(param(), (1, 1, 2, 3), (1, 1, 2, 3))
    torch.compiler.reset()
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    bottom = torch.from_numpy(draws((1, 1, 2, 3)))
    assert not compiled(bottom, torch.from_numpy(TWICE)).isnan().any()
    layer.verify()
    assert compiled(bottom, torch.full((1, 1, 2, 3), 30.0)).isnan().all()
    with pytest.raises(LayerError, match="place 30 of a plane of 4 x 6"):
        layer.verify()
