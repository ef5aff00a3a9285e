"""DecodeBBox."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.forks.rcnn.bbox_reg import REG, ROIS, denormalised, moved
from tests.layers.harness import TEST, Error, draws, errors, make

OFFSETS = draws((4, 8), 7)


def test_decode_bbox():
    wanted = [[r[0], *moved(r[1:], denormalised(o[4:]))] for r, o in zip(ROIS, OFFSETS, strict=True)]
    layer = make(f'type: "DecodeBBox" {REG}', (4, 8), (4, 5), phase=TEST)
    np.testing.assert_allclose(layer(torch.from_numpy(OFFSETS), torch.from_numpy(ROIS)), wanted)
    flipped = OFFSETS.copy()
    flipped[2, 6] = -40  # no width at all is left
    matched = torch.tensor([[0.0] * 5 + [o] for o in (0.9, 0.96, 0.5, 0.7)])
    train = make(f'type: "DecodeBBox" {REG} decode_bbox_param {{ gt_iou_thr: 0.95 }}', (4, 8), (4, 5), (4, 6))
    top = train(torch.from_numpy(flipped), torch.from_numpy(ROIS), matched)
    np.testing.assert_allclose(top, [wanted[0], wanted[3]])
    with pytest.raises(LayerError, match="none of the 4 regions stay"):
        train(torch.from_numpy(flipped), torch.from_numpy(ROIS), torch.ones(4, 6))


ERRORS = [
    Error('type: "DecodeBBox"', [(4, 8), (3, 5)], r"bottom 1 of shape \(3, 5\) has 3 rows and bottom 0"),
    Error('type: "DecodeBBox"', [(4, 9), (4, 5)], "has 9 numbers a row and must have 8"),
    Error(
        'type: "DecodeBBox" bbox_reg_param { bbox_mean: 1 bbox_std: 1 }',
        [(4, 8), (4, 5)],
        "give four of each",
    ),
    Error(
        'type: "DecodeBBox"',
        [(4, 8), (4, 5), (4, 6)],
        "has a third bottom, which only TRAIN uses",
        phase=TEST,
    ),
]
test_error = errors(ERRORS)
