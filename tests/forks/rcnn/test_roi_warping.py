"""ROIWarping."""

import math

import numpy as np
import torch

from tests.forks.rcnn.roi import DATA, ROIS
from tests.layers.harness import Case, Error, cases, draws, errors, make

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


test_case = cases([Case("warped", WARP, [DATA, ROIS], warped(), gradient=(0,))])


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
]
test_error = errors(ERRORS)
