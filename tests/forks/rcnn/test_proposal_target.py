"""ProposalTarget."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.forks.rcnn.bbox_reg import REG, REG_ALIKE, denormalised, moved, shared
from tests.layers.harness import Error, errors, make

GT = np.array(
    [
        [0, 10, 10, 40, 30, 2, 0],
        [0, 100, 100, 140, 150, 1, 1],  # ignored
        [1, 30, 2, 60, 24, 1, 0],
        [-1, 0, 0, 9, 9, 1, 0],
    ],
    float,
)
CANDIDATES = np.array(
    [
        [0, 10, 12, 40, 30],  # of the first box
        [0, 102, 101, 140, 150],  # of the ignored one
        [0, 20, 10, 60, 40],  # some overlap: background
        [1, 10, 40, 25, 60],  # another record
        [1, 30, 2, 60, 20],  # of the third box
        [0, 200, 200, 220, 230],  # nothing
    ],
    float,
)
TOPS = " ".join(f'top: "t{i}"' for i in range(7))
TARGET = f'type: "ProposalTarget" {TOPS} proposal_target_param {{ cls_num: 3 img_height: 70 %s }} ' + REG


def targets(fields, regions=CANDIDATES, truth=GT, reg=REG):
    text = (TARGET % fields).replace(REG, reg)
    layer = make(text, regions.shape, truth.shape)
    tops = layer(torch.from_numpy(regions), torch.from_numpy(truth))
    return layer, [top[:, :, 0, 0].numpy() for top in tops]


def test_all_proposals():
    layer, (regions, label, target, inside, outside, boxes, weight) = targets(
        "batch_size: -1 fg_fraction: 0.25"
    )
    # Foreground: two regions and the two boxes that are not ignored themselves; background: the third.
    np.testing.assert_array_equal(
        regions[:, 1:], [*CANDIDATES[[0, 4], 1:], *GT[[0, 2], 1:5], CANDIDATES[2, 1:]]
    )
    assert label[:, 0].tolist() == [2, 1, 2, 1, 0]
    assert layer.reshape(CANDIDATES.shape, GT.shape)[2] == (6, 12, 1, 1)
    for i, (slot, box) in enumerate([(2, GT[0]), (1, GT[2]), (2, GT[0]), (1, GT[2])]):
        np.testing.assert_allclose(boxes[i], [slot, *box[1:5], shared(regions[i, 1:], box[1:5])])
        own = target[i].reshape(3, 4)
        assert (own[[k for k in range(3) if k != slot]] == 0).all()
        np.testing.assert_allclose(moved(regions[i, 1:], denormalised(own[slot])), box[1:5], atol=1e-9)
        assert inside[i].reshape(3, 4).sum(1).tolist() == [4.0 * (k == slot) for k in range(3)]
    assert not boxes[4].any() and not target[4].any() and not inside[4].any()
    np.testing.assert_array_equal(inside, outside)
    np.testing.assert_allclose(weight[:, 0], [0.25 * 5 / 4] * 4 + [0.75 * 5])


def test_classes_alike_and_overlaps_that_do_not_count():
    _, (_, _, target, inside, _, boxes, weight) = targets(
        "batch_size: -1 bbox_thr_hg: 0.99 iou_weighted: true", reg=REG_ALIKE
    )
    assert target.shape == (5, 8) and inside[:, 4:].any(1).tolist() == [True, True, False, False, False]
    assert (target[:4, 4:] != 0).any() and not target[:, :4].any()
    np.testing.assert_allclose(weight[:4, 0], boxes[:4, 5] * 0.25 * 5 / boxes[:4, 5].sum())


def test_a_batch_is_drawn():
    torch.manual_seed(1)
    seen = set()
    for _ in range(20):
        _, tops = targets("batch_size: 4 fg_fraction: 0.5")
        assert tops[1][:, 0].astype(bool).tolist() == [True, True, False, False]
        # One background region, and the first of the rest.
        np.testing.assert_array_equal(tops[0][2:, 1:], CANDIDATES[[2, 3], 1:])
        seen.add(tuple(tops[0][:2, 1]))
    assert len(seen) > 2
    assert len(targets("batch_size: 4 fg_fraction: 0.5 pickup_discard: false")[1][0]) == 3
    assert len(targets("batch_size: -1 append_gtbox: false")[1][0]) == 3


def test_nothing_to_sample():
    torch.manual_seed(1)
    fields = "batch_size: -1 pickup_discard: false append_gtbox: false"
    _, (regions, label, *_) = targets(fields + " img_width: 90", CANDIDATES[5:])
    left, top, right, bottom = regions[0, 1:]
    assert (
        len(regions) == 1 and not label.any() and 0 <= left < right < 90 + 32 and 0 <= top < bottom < 70 + 32
    )
    assert right - left >= 31 and bottom - top >= 31
    with pytest.raises(LayerError, match="img_width x img_height is 0 x 70"):
        targets(fields, CANDIDATES[5:])


def test_a_label_beyond_the_classes():
    truth = GT.copy()
    truth[0, 5] = 3
    with pytest.raises(LayerError, match="a box has label 3, but proposal_target_param.cls_num is 3"):
        targets("batch_size: -1", truth=truth)


ERRORS = [
    Error(f'type: "ProposalTarget" {TOPS}', [(6, 5), (4, 7)], "cls_num must be set"),
    Error(TARGET % "batch_size: 0", [(6, 5), (4, 7)], "batch_size is 0 and must be above 0, or -1"),
    Error(TARGET % "fg_thr: 0.4", [(6, 5), (4, 7)], "fg_thr 0.4 is below bg_thr_hg 0.5"),
    Error(TARGET % "", [(6, 5), (4, 6)], "has 6 numbers a box and must have at least 7"),
]
test_error = errors(ERRORS)
