"""ROIAlign, as corners of bins and as means."""

import math

import numpy as np
import torch

from tests.forks.rcnn.roi import DATA, ROIS, between
from tests.layers.harness import Case, Error, cases, draws, errors, make, run


def corners(ph, pw, scale, pad=0.0):
    def formula(data, rois):
        _, channels, height, width = data.shape
        top = np.zeros((len(rois), channels, ph + 1, pw + 1))
        for r, (record, x0, y0, x1, y1) in enumerate(rois):
            px, py = (x1 - x0 + 1) * pad, (y1 - y0 + 1) * pad
            x0, y0, x1, y1 = ((v * scale) - 0.5 for v in (x0 - px, y0 - py, x1 + px, y1 + py))
            if x1 <= x0 or y1 <= y0:
                continue
            for i, j in np.ndindex(ph + 1, pw + 1):
                y, x = y0 + i * ((y1 - y0) / ph), x0 + j * ((x1 - x0) / pw)
                if -0.5 <= y <= height - 0.5 and -0.5 <= x <= width - 0.5:
                    top[r, :, i, j] = between(data[int(record)], y, x)
        return top

    return formula


def averages(ph, pw, scale, sampling):
    def formula(data, rois):
        _, channels, height, width = data.shape
        top = np.zeros((len(rois), channels, ph, pw))
        for r, (record, *box) in enumerate(rois):
            x0, y0, x1, y1 = (v * scale for v in box)
            h, w = max(y1 - y0, 1) / ph, max(x1 - x0, 1) / pw
            ny, nx = sampling or math.ceil(h), sampling or math.ceil(w)
            for i, j, a, b in np.ndindex(ph, pw, ny, nx):
                y, x = y0 + i * h + (a + 0.5) * h / ny, x0 + j * w + (b + 0.5) * w / nx
                if -1 <= y <= height and -1 <= x <= width:
                    top[r, :, i, j] += between(data[int(record)], y, x) / (ny * nx)
        return top

    return formula


GRID = 'type: "ROIAlign" roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.5'
MEAN = 'type: "ROIAlign" roi_align_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.5'

CASES = [
    Case(
        "align-corners-of-bins",
        GRID + "}",
        [DATA, ROIS],
        corners(2, 3, 0.5),
        gradient=(0,),
    ),
    Case(
        "align-padded",
        GRID + " pad_ratio: 0.25 }",
        [DATA, ROIS],
        corners(2, 3, 0.5, 0.25),
        gradient=(),
    ),
    Case("align-points", MEAN + " sampling_ratio: 2 }", [DATA, ROIS], averages(2, 3, 0.5, 2), gradient=(0,)),
]


ERRORS = [
    Error('type: "ROIAlign"', [DATA, (4, 5)], "needs either roi_align_param .* or roi_pooling_param"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_as_many_points_as_positions():
    layer = make(MEAN + "}", DATA, ROIS.shape)
    data = draws(DATA)
    (top,) = run(layer, torch.from_numpy(data), torch.from_numpy(ROIS))
    np.testing.assert_allclose(top, averages(2, 3, 0.5, 0)(data, ROIS), rtol=1e-9, atol=1e-12)
    assert layer.dynamic and not make(MEAN + " sampling_ratio: 2 }", DATA, ROIS.shape).dynamic
