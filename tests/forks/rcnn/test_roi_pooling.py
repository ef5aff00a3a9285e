"""ROIPooling, and what all layers with regions share."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.forks.rcnn.roi import DATA, ROIS, away
from tests.forks.rcnn.test_roi_align import GRID, MEAN
from tests.layers.harness import Case, Error, cases, draws, errors, make, run


def bin_limits(start, end, count, size):
    step = max(end - start + 1, 1) / count
    for k in range(count):
        lo, hi = math.floor(k * step) + start, math.ceil((k + 1) * step) + start
        yield int(min(max(lo, 0), size)), int(min(max(hi, 0), size))


def roi_pooling(ph, pw, scale, pad=0.0):
    def formula(data, rois):
        _, channels, height, width = data.shape
        top = np.zeros((len(rois), channels, ph, pw))
        for r, (record, x0, y0, x1, y1) in enumerate(rois.reshape(len(rois), 5)):
            px, py = (x1 - x0 + 1) * pad, (y1 - y0 + 1) * pad
            x0, y0, x1, y1 = (away(v * scale) for v in (x0 - px, y0 - py, x1 + px, y1 + py))
            for i, (h0, h1) in enumerate(bin_limits(y0, y1, ph, height)):
                for j, (w0, w1) in enumerate(bin_limits(x0, x1, pw, width)):
                    if h1 > h0 and w1 > w0:
                        top[r, :, i, j] = data[int(record), :, h0:h1, w0:w1].max((1, 2))
        return top

    return formula


POOL = 'type: "ROIPooling" roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.5'

CASES = [
    Case("pooling", POOL + "}", [DATA, ROIS], roi_pooling(2, 3, 0.5), gradient=(0,)),
    Case(
        "pooling-padded",
        POOL + " pad_ratio: 0.25 }",
        [DATA, ROIS],
        roi_pooling(2, 3, 0.5, 0.25),
        gradient=(),
    ),
    Case(
        "pooling-regions-of-four-axes",
        POOL + "}",
        [DATA, ROIS.reshape(7, 5, 1, 1)],
        roi_pooling(2, 3, 0.5),
        gradient=(),
    ),
    Case(
        "pooling-large-bins",
        'type: "ROIPooling" roi_pooling_param { pooled_h: 1 pooled_w: 2 }',
        [(2, 3, 13, 21), np.array([[0, 0, 0, 20, 12], [1, 1, 2, 19, 4], [1, 3, 1, 6, 11]])],
        roi_pooling(1, 2, 1),
        gradient=(),
    ),
]


ERRORS = [
    Error(POOL + "}", [DATA, (4, 6)], r"bottom 1 of shape \(4, 6\) has 6 numbers a region and must have 5"),
    Error(POOL + "}", [DATA, (5,)], r"bottom 1 of shape \(5,\) has 1 numbers"),
    Error(
        'type: "ROIPooling" roi_pooling_param { pooled_w: 3 }',
        [DATA, (4, 5)],
        "pooled_h is 0 and pooled_w is 3",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


@pytest.mark.parametrize("text", [POOL + "}", GRID + "}", MEAN + "}"])
def test_no_regions(text):
    data = torch.from_numpy(draws(DATA)).requires_grad_()
    (top,) = run(make(text, DATA, (0, 5)), data, torch.zeros(0, 5, dtype=torch.float64))
    assert top.shape[:2] == (0, 3)


def test_of_equal_values_the_first_takes_the_gradient():
    data = torch.zeros(1, 1, 5, 6, dtype=torch.float64)
    data[0, 0, 1, 4] = data[0, 0, 2, 0] = 1
    data.requires_grad_()
    layer = make('type: "ROIPooling" roi_pooling_param { pooled_h: 1 pooled_w: 1 }', data.shape, (1, 5))
    layer(data, torch.tensor([[0.0, 0, 0, 5, 4]])).sum().backward()
    assert data.grad.nonzero().tolist() == [[0, 0, 1, 4]]


@pytest.mark.parametrize("record", [2, -1])
def test_a_record_outside_the_batch(record):
    layer = make(POOL + "}", DATA, (2, 5))
    regions = torch.tensor([[0.0, 0, 0, 3, 3], [record, 0, 0, 3, 3]])
    match = rf"layer 'l' \(ROIPooling\): a region is of record {record}, but bottom 0 has 2; use 0 to 1"
    with pytest.raises(LayerError, match=match):
        layer(torch.zeros(DATA), regions)


def test_regions_take_no_gradient():
    layer = make(POOL + "}", DATA, ROIS.shape)
    assert [layer.allow_force_backward(i) for i in range(2)] == [True, False]
