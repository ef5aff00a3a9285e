"""ScaleRoute, HardMining."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from tests.forks.rcnn.bbox_reg import outputs
from tests.layers.harness import Error, draws, errors

pytestmark = pytest.mark.gpu(entered=True)


def boxes_of(*sizes):
    """Regions of these widths and heights, both ends included."""
    return np.array([[n % 2, 5, 7, 5 + w - 1, 7 + h - 1] for n, (w, h) in enumerate(sizes)], float)


ROUTE = 'type: "ScaleRoute" top: "a" top: "b" scale_route_param { %s }'


@pytest.mark.parametrize(
    "fields, sizes, kept",
    [
        (
            "low_scale: 10 high_scale: 20",
            [(10, 10), (9, 11), (20, 20), (19, 21), (40, 5), (0, 90)],
            [0, 3, 4],
        ),
        ("low_scale: 10", [(10, 10), (9, 11), (200, 20)], [0, 2]),
        ("high_scale: 10", [(10, 10), (9, 11), (3, -7)], [1, 2]),
        ("", [(10, 10), (9, 11)], [0, 1]),
        ("low_scale: 10 high_scale: 40", [(90, 90), (4, 4), (6, 6), (1, 1)], [2]),  # the middle is 20
        ("low_scale: 100", [(20, 20), (60, 60), (50, 50)], [1]),
        ("high_scale: 4", [(20, 20), (10, 11), (10, 10)], [2]),
    ],
)
def test_scale_route(fields, sizes, kept):
    regions, others = boxes_of(*sizes), draws((len(sizes), 3, 2), 5)
    layer, tops = outputs(ROUTE % fields, [regions, others])
    np.testing.assert_array_equal(tops[0], regions[kept])
    np.testing.assert_array_equal(tops[1], others[kept])
    assert layer.reshape(regions.shape, others.shape) == [(1, 5), (1, 3, 2)]


MINING = 'type: "HardMining" top: "a" top: "b" hard_mining_param { num_image: %d num_roi_per_image: %d }'


@pytest.mark.parametrize(
    "records, images, each, kept",
    [
        ([0, 1, 0, 1, 0, 1, 0], 2, 2, [1, 2, 3, 6]),
        ([0, 1, 0, 0, 0, 0, 0], 2, 2, [1, 2, 5, 6]),  # what record 0 has left fills up
        ([2, 2, 2, 2, 0, 0, 0], 3, 1, [3, 4, 6]),  # of two equal ones the later fills up
        ([0, 1, 0, 1, 0, 1, 0], 2, 9, [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_hard_mining(records, images, each, kept):
    scores = np.array([0.1, 0.5, 0.7, 0.4, 0.6, 0.3, 0.65])
    if images == 2 and sum(records) == 1:
        scores[[5, 2]] = 0.9, 0.8
    if images == 3:
        scores[2:4] = 0.6, 0.9
    regions, others = np.column_stack((records, draws((7, 4)))), draws((7, 2, 3), 5)
    layer, tops = outputs(MINING % (images, each), [scores[:, None], regions, others])
    np.testing.assert_array_equal(tops[0], regions[kept])
    np.testing.assert_array_equal(tops[1], others[kept])
    count = min(images * each, 7)
    assert layer.reshape((7, 1), (7, 5), (7, 2, 3)) == [(count, 5), (count, 2, 3)] and len(kept) == count


def test_hard_mining_of_equal_scores_and_of_a_wrong_record():
    regions = np.column_stack((np.zeros(4), draws((4, 4))))
    text = MINING.replace('top: "b"', "")
    _, (top,) = outputs(text % (1, 2), [np.zeros((4, 1)), regions])
    np.testing.assert_array_equal(top, regions[2:])
    regions[1, 0] = 2
    with pytest.raises(LayerError, match="a region is of record 2, and num_image is 1; use 0 to 0"):
        outputs(text % (1, 2), [np.zeros((4, 1)), regions])


ERRORS = [
    Error(ROUTE % "low_scale: 0", [(4, 5), (4, 2)], "low_scale 0 and high_scale inf; use 0 < low <= high"),
    Error(ROUTE % "low_scale: 9 high_scale: 8", [(4, 5), (4, 2)], "low_scale 9 and high_scale 8"),
    Error(
        ROUTE % "",
        [(4, 5), (3, 2)],
        r"bottom 1 of shape \(3, 2\) has not the 4 rows of the regions, bottom 0",
    ),
    Error(ROUTE % "", [(4, 6), (4, 2)], r"bottom 0 of shape \(4, 6\) must hold regions"),
    Error(MINING % (0, 2), [(4, 1), (4, 5), (4, 2)], "num_image is 0 and num_roi_per_image 2"),
    Error(MINING % (1, 2), [(4, 1), (4, 5)], "has 2 bottoms and 2 tops; give one top less"),
    Error(MINING % (1, 2), [(4, 2), (4, 5), (4, 2)], r"bottom 0 of shape \(4, 2\) must hold one score a row"),
    Error(
        MINING % (1, 2), [(5, 1), (4, 5), (4, 2)], "bottom 0 .* has not the 4 rows of the regions, bottom 1"
    ),
]
test_error = errors(ERRORS)
