"""ROIPooling, PSROIPooling, ROIAlign."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, draws, errors, make, run

# record, left, top, right, bottom; inside, over the edges, upside down, of one pixel, outside, halves
ROIS = np.array(
    [
        [0, 0, 0, 13, 9],
        [1, 2.5, 1, 9, 7.5],
        [1, -6, -4, 30, 22],
        [0, 9, 6, 3, 2],
        [1, 5, 3, 5, 3],
        [0, 40, 30, 50, 44],
        [1, 0.5, 4.5, 6.5, 5.5],
    ]
)


def away(x):
    return math.copysign(math.floor(abs(x) + 0.5), x)


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


def psroi_pooling(dim, group, scale):
    def formula(data, rois):
        _, _, height, width = data.shape
        top = np.zeros((len(rois), dim, group, group))
        for r, (record, x0, y0, x1, y1) in enumerate(rois):
            x0, y0, x1, y1 = (
                away(x0) * scale,
                away(y0) * scale,
                (away(x1) + 1) * scale,
                (away(y1) + 1) * scale,
            )
            for i in range(group):
                for j in range(group):
                    h, w = max(y1 - y0, 0.1) / group, max(x1 - x0, 0.1) / group
                    h0, h1 = (
                        min(max(v, 0), height) for v in (math.floor(i * h + y0), math.ceil((i + 1) * h + y0))
                    )
                    w0, w1 = (
                        min(max(v, 0), width) for v in (math.floor(j * w + x0), math.ceil((j + 1) * w + x0))
                    )
                    if h1 > h0 and w1 > w0:
                        channels = (np.arange(dim) * group + i) * group + j
                        top[r, :, i, j] = data[int(record), channels, h0:h1, w0:w1].mean((1, 2))
        return top

    return formula


def between(map_, y, x):
    """`map_` (C, H, W) at one point, linear between positions; the edge's value beyond the edge."""
    height, width = map_.shape[1:]
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    h, w = math.floor(y), math.floor(x)
    h1, w1 = min(h + 1, height - 1), min(w + 1, width - 1)
    top = map_[:, h, w] * (1 - x + w) + map_[:, h, w1] * (x - w)
    bottom = map_[:, h1, w] * (1 - x + w) + map_[:, h1, w1] * (x - w)
    return top * (1 - y + h) + bottom * (y - h)


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


DATA = (2, 3, 5, 7)
POOL = 'type: "ROIPooling" roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.5'
PS = 'type: "PSROIPooling" psroi_pooling_param { output_dim: 3 group_size: 2 spatial_scale: 0.5 }'
GRID = 'type: "ROIAlign" roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.5'
MEAN = 'type: "ROIAlign" roi_align_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.5'

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
    Case("position-sensitive", PS, [(2, 12, 3, 4), ROIS], psroi_pooling(3, 2, 0.5), gradient=(0,)),
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

WARP = 'type: "ROIWarping" roi_warping_param { pooled_h: 3 pooled_w: 4 spatial_scale: 0.5 }'


def warped(shift=None):
    """Between positions at start + i (end - start) / n; `shift` (R, 4) moves the rounded corners."""

    def formula(data, rois):
        top = np.zeros((len(rois), data.shape[1], 3, 4))
        height, width = data.shape[2:]
        for r, (record, *corners) in enumerate(rois):
            left, up, right, down = (math.copysign(math.floor(abs(c) / 2 + 0.5), c) for c in corners)
            if shift is not None:
                left, up, right, down = np.array([left, up, right, down]) + shift[r]
            maps = data[int(record)]
            for i, j in np.ndindex(3, 4):
                y, x = up + i * max(down - up, 0) / 3, left + j * max(right - left, 0) / 4
                if not (-0.5 <= y <= height - 0.5 and -0.5 <= x <= width - 0.5):
                    continue
                y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
                y0, x0 = int(y), int(x)
                y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
                a, b = y - y0, x - x0
                top[r, :, i, j] = (1 - a) * ((1 - b) * maps[:, y0, x0] + b * maps[:, y0, x1]) + a * (
                    (1 - b) * maps[:, y1, x0] + b * maps[:, y1, x1]
                )
        return top

    return formula


CASES.append(Case("warped", WARP, [DATA, ROIS], warped(), gradient=(0,)))


def test_warped_regions_learn():
    """Their gradient is that of the corners, at half a position a pixel, as if they had not been rounded."""
    data, rois = draws(DATA), np.array([[0, 1.2, 2.4, 7.1, 6.6], [1, 2.9, 0.2, 9.3, 5.1]])
    layer = make(WARP, data.shape, rois.shape)
    assert [layer.allow_force_backward(i) for i in range(2)] == [True, True]
    leaf = torch.tensor(rois, requires_grad=True)
    weight = draws((2, 3, 3, 4), 4)
    (layer(torch.from_numpy(data), leaf) * torch.from_numpy(weight)).sum().backward()
    step, wanted = 1e-6, np.zeros((2, 5))
    for r, c in np.ndindex(2, 4):
        # Some points stand on positions, where the slope jumps to that of the next interval: look to that side only.
        ends = []
        for far in (1, 2):
            shift = np.zeros((2, 4))
            shift[r, c] = far * step
            ends.append((warped(shift)(data, rois) * weight).sum())
        wanted[r, c + 1] = 0.5 * (ends[1] - ends[0]) / step
    np.testing.assert_allclose(leaf.grad, wanted, rtol=1e-5, atol=1e-7)


ERRORS = [
    Error(WARP.replace("pooled_h: 3", ""), [DATA, (4, 5)], "pooled_h is 0 and pooled_w is 4"),
    Error(POOL + "}", [DATA, (4, 6)], r"bottom 1 of shape \(4, 6\) has 6 numbers a region and must have 5"),
    Error(POOL + "}", [DATA, (5,)], r"bottom 1 of shape \(5,\) has 1 numbers"),
    Error(
        'type: "ROIPooling" roi_pooling_param { pooled_w: 3 }',
        [DATA, (4, 5)],
        "pooled_h is 0 and pooled_w is 3",
    ),
    Error('type: "PSROIPooling"', [DATA, (4, 5)], "output_dim is 0 and group_size is 0"),
    Error(
        'type: "PSROIPooling" psroi_pooling_param { output_dim: 3 group_size: 2 }',
        [DATA, (4, 5)],
        "spatial_scale must be set",
    ),
    Error(PS, [DATA, (4, 5)], "has 3 channels, but output_dim 3 x group_size 2 x 2 is 12"),
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
