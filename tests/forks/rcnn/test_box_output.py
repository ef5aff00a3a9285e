"""BoxOutput, BoxGroupOutput."""

import math

import numpy as np
import pytest

from tests.forks.rcnn.bbox_reg import REG, best_of, denormalised, outputs
from tests.layers.harness import Error, draws, errors

pytestmark = pytest.mark.gpu(entered=True)


def field_box(offset, size, x, y, stride, whr, xyr):
    move = np.clip(offset[:2], -1 / xyr, 1 / xyr)
    w, h = size * np.exp(np.clip(offset[2:], -math.log(whr), math.log(whr)))
    left, top = move * size + (np.array([x, y]) + 0.5) * stride - np.array([w, h]) / 2
    return left, top, w, h


FIELDS = [((40, 24), 8), ((72, 48), 16)]


def box_output(bottoms, threshold, least, most, limit, post, mode):
    rows = []
    for n in range(len(bottoms[0])):
        found = []
        for x, (size, rate) in zip(bottoms, FIELDS, strict=True):
            height, width = x.shape[2:]
            for i, j in np.ndindex(height, width):
                score = x[n, 1:-4, i, j].max() - x[n, 0, i, j]
                left, top, w, h = field_box(denormalised(x[n, -4:, i, j]), np.array(size), j, i, rate, 2, 2)
                left, top = max(left, 0), max(top, 0)
                w, h = min(w, width * rate - left), min(h, height * rate - top)
                if score >= threshold and w >= least and h >= least:
                    found.append((score, [left, top, left + w, top + h]))
        rows += [[n, *box, score] for score, box in best_of(found, most, limit, post, mode, 1)]
    return np.array(rows)


MAPS = [draws((2, 7, 5, 6), 1), draws((2, 7, 3, 4), 2)]
BOXES = (
    'type: "BoxOutput" top: "a" top: "b" box_output_param { field_w: 40 field_w: 72 field_h: 24 field_h: 48 '
    "downsample_rate: 8 downsample_rate: 16 field_whr: 2 field_xyr: 2 %s } " + REG
)


@pytest.mark.parametrize(
    "fields, options",
    [
        ("fg_thr: 0.2 iou_thr: 0.3 min_size: 12", (0.2, 12, 0, 0.3, 0, "IOU")),
        ("fg_thr: -9 iou_thr: 0.5 max_nms_num: 20 max_post_nms_num: 4", (-9, 15, 20, 0.5, 4, "IOU")),
        ('fg_thr: 0 iou_thr: 0.6 nms_type: "IOMU"', (0, 15, 0, 0.6, 0, "IOMU")),
        ('fg_thr: 0 iou_thr: 0.6 nms_type: "IOFU"', (0, 15, 0, 0.6, 0, "IOFU")),
    ],
)
def test_box_output(fields, options):
    layer, (regions, scored) = outputs(BOXES % fields, MAPS)
    wanted = box_output(MAPS, *options)
    np.testing.assert_allclose(scored[:, :, 0, 0], wanted, rtol=1e-6)
    np.testing.assert_array_equal(regions, scored[:, :5])
    assert len(wanted) > 5 and layer.reshape(*(m.shape for m in MAPS)) == [(1, 5, 1, 1), (1, 6, 1, 1)]


def test_no_proposals():
    _, (regions, scored) = outputs(BOXES % "fg_thr: 99", MAPS)
    assert (
        regions[:, :, 0, 0].tolist() == [[0, 1, 1, 10, 10]]
        and not scored.any()
        and scored.shape == (1, 6, 1, 1)
    )


GROUPS = (
    'type: "BoxGroupOutput" top: "a" top: "b" box_group_output_param { field_whr: 2 field_xyr: 2 %s '
    "box_group_param { field_w: 40 field_w: 30 field_w: 20 field_h: 24 field_h: 36 field_h: 20 stride: 8 } "
    "box_group_param { field_w: 72 field_h: 48 stride: 16 } } " + REG
)
GROUPED = [
    np.abs(draws((6, 2, 4, 5), 3)) / 2,
    draws((6, 4, 4, 5), 4),
    np.abs(draws((2, 2, 2, 3), 5)) / 2,
    draws((2, 4, 2, 3), 6),
]


def test_box_group_output():
    _, (regions, scored) = outputs(
        GROUPS % "fg_thr: 0.3 iou_thr: 0.4 max_nms_num: 50 max_post_nms_num: 9", GROUPED
    )
    rows = []
    groups = [([(40, 24), (30, 36), (20, 20)], 8), ([(72, 48)], 16)]
    for n in range(2):
        found = []
        for g, (sizes, stride) in enumerate(groups):
            probability, offsets = GROUPED[2 * g : 2 * g + 2]
            height, width = offsets.shape[2:]
            for k, i, j in np.ndindex(len(sizes), height, width):
                at = n * len(sizes) + k
                left, top, w, h = field_box(
                    denormalised(offsets[at, :, i, j]), np.array(sizes[k]), j, i, stride, 2, 2
                )
                box = [
                    max(left, 0),
                    max(top, 0),
                    min(left + w - 1, width * stride),
                    min(top + h - 1, height * stride),
                ]
                score = 1 - probability[at, 0, i, j]
                if score >= 0.3 and box[2] - box[0] + 1 >= 15 and box[3] - box[1] + 1 >= 15:
                    found.append((score, box))
        rows += [[n, *box, score] for score, box in best_of(found, 50, 0.4, 9, "IOU", 0)]
    np.testing.assert_allclose(scored[:, :, 0, 0], rows, rtol=1e-6)
    np.testing.assert_array_equal(regions, scored[:, :5])


ERRORS = [
    Error(
        'type: "BoxOutput" box_output_param { field_w: 9 field_h: 9 }',
        [(2, 7, 5, 6)],
        "has 1 field_w, 1 field_h and 0 downsample_rate for 1 bottoms",
    ),
    Error(
        'type: "BoxOutput" box_output_param { field_w: 9 field_h: 9 downsample_rate: 8 }',
        [(2, 5, 5, 6)],
        r"bottom 0 of shape \(2, 5, 5, 6\) must be 2 x \(classes \+ 4\)",
    ),
    Error(
        'type: "BoxOutput" box_output_param { field_w: 9 field_h: 9 downsample_rate: 8 field_xyr: 0 }',
        [(2, 7, 5, 6)],
        "field_whr is 2 and field_xyr is 0; both must be above 0",
    ),
    Error('type: "BoxGroupOutput"', [(2, 2, 4, 5), (2, 4, 4, 5)], "has 2 bottoms for 0 box_group_param"),
    Error(
        'type: "BoxGroupOutput" box_group_output_param { box_group_param { field_w: 3 } }',
        [(2, 2, 4, 5), (2, 4, 4, 5)],
        "has 1 field_w and 0 field_h",
    ),
    Error(
        GROUPS % "",
        [(6, 2, 4, 5), (6, 5, 4, 5), (2, 2, 2, 3), (2, 4, 2, 3)],
        r"bottoms 0 and 1 of shapes .* must have 6 rows \(2 records x 3 fields\)",
    ),
]
test_error = errors(ERRORS)
