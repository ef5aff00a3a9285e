"""Resample, Downsample."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, draws, errors, make

IMAGE = (2, 3, 4, 5)


def triangle(d):
    return max(0, 1 - d)


def cubic(d):
    if d <= 1:
        return d * d * (1.5 * d - 2.5) + 1
    return d * (d * (-0.5 * d + 2.5) - 4) + 2 if d < 2 else 0


def resampled(height, width, weight=triangle, antialias=True):
    def formula(x, like=None):
        fy, fx = x.shape[2] / height, x.shape[3] / width
        a = (1 / fy, 1 / fx) if antialias and (fx > 1 or fy > 1) else (1, 1)
        top = np.zeros((*x.shape[:2], height, width))
        for i, j in np.ndindex(height, width):
            y, z = i * fy + fx / 2 - 0.5, j * fx + fy / 2 - 0.5
            w = np.array(
                [
                    [weight(a[0] * abs(y - r)) * weight(a[1] * abs(z - c)) for c in range(x.shape[3])]
                    for r in range(x.shape[2])
                ]
            )
            top[:, :, i, j] = (x * w).sum((2, 3)) / (w.sum() or 1)
        return top

    return formula


def nearest(x):
    return x[:, :, [0, 2]][..., [1, 2, 4]]  # rows 0.33, 2.33 and columns 0.5, 2.17, 3.83


def downsampled(height, width):
    def formula(x, like=None):
        top = np.zeros((*x.shape[:2], height, width))
        scales = [(x.shape[axis] - 1) / (size - 1) for axis, size in ((2, height), (3, width))]
        for n, c, i, j in np.ndindex(top.shape):
            w = np.array(
                [
                    [triangle(abs(r - i * scales[0]) / scales[0]) * triangle(abs(k - j * scales[1]) / scales[1])
                     for k in range(x.shape[3])] for r in range(x.shape[2])
                ]
            )  # fmt: skip
            plane = x[n, c]
            there = ~np.isnan(plane)
            few = w[~there].sum() > 0.5 * w[there].sum()
            top[n, c, i, j] = np.nan if few else (plane[there] * w[there]).sum() / w[there].sum()
        return top

    return formula


GAPS = draws((2, 3, 5, 7), 5)
GAPS[0, 1, 0, :3] = GAPS[1, 2, 3, 3] = np.nan

RESAMPLE = 'type: "Resample" resample_param { %s }'
DOWN = 'type: "Downsample" downsample_param { top_height: 3 top_width: 4 }'


CASES = [
    Case("larger", RESAMPLE % "height: 7 width: 9", [IMAGE], resampled(7, 9), gradient=()),
    Case("smaller", RESAMPLE % "height: 2 width: 3", [(2, 3, 5, 7)], resampled(2, 3), gradient=()),
    Case(
        "smaller-cubic",
        RESAMPLE % "height: 2 width: 4 type: CUBIC",
        [(2, 3, 5, 7)],
        resampled(2, 4, cubic),
        gradient=(),
    ),
    Case(
        "smaller-sharp",
        RESAMPLE % "height: 2 width: 8 antialias: false type: CUBIC",
        [(2, 3, 5, 7)],
        resampled(2, 8, cubic, antialias=False),
        gradient=(),
    ),
    Case("as-another", 'type: "Resample"', [IMAGE, (1, 2, 6, 7)], resampled(6, 7), gradient=()),
    Case("nearest", RESAMPLE % "height: 2 width: 3 type: NEAREST", [(2, 3, 4, 5)], nearest, gradient=()),
    Case("downsample", DOWN, [(2, 3, 5, 7)], downsampled(3, 4), gradient=()),
    Case("downsample-gaps", DOWN, [GAPS], downsampled(3, 4), gradient=(), onnx=False),
    Case(
        "downsample-same",
        'type: "Downsample"',
        [(2, 3, 5, 7), (1, 2, 5, 7)],
        lambda x, like: x,
        gradient=(0,),
    ),
]

ERRORS = [
    Error(
        RESAMPLE % "height: 3",
        [IMAGE],
        "the top is 3 x 0; set resample_param.height and resample_param.width",
    ),
    Error(RESAMPLE % "type: AREA", [IMAGE], "type AREA is not known to the fork's layer; use NEAREST"),
    Error(DOWN, [(2, 3, 1, 7)], "a top of 3 x 4: corners need at least 2 x 2"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_a_picture_that_learns_gets_no_gradient():
    layer = make(RESAMPLE % "height: 2 width: 3", (2, 3, 5, 7))
    top = layer(torch.from_numpy(draws((2, 3, 5, 7))).requires_grad_())
    with pytest.raises(LayerError, match="has no gradient; take it out of the loss's path"):
        top.sum().backward()
