"""BboxAccuracy."""

import numpy as np

from tests.forks.rcnn.bbox_reg import REG, REG_ALIKE, ROIS, denormalised, moved, shared
from tests.layers.harness import Case, Error, cases, errors


def bbox_accuracy(tops=2, alike=False):
    def formula(offsets, regions, truth):
        after, before = [], []
        for o, r, (label, *box, at) in zip(offsets, regions, truth, strict=True):
            if label > 0 and at <= 0.975:
                slot = 1 if alike else int(label)
                after.append(shared(moved(r[1:], denormalised(o[4 * slot : 4 * slot + 4])), box))
                before.append(shared(r[1:], box))
        return tuple(np.array(np.mean(x) if x else -1.0).reshape(1, 1, 1, 1) for x in (after, before))[:tops]

    return formula


TRUTH = np.array(
    [[2, 12, 10, 38, 33, 0.7], [0, 0, 0, 0, 0, 0], [1, 28, 4, 66, 22, 0.6], [1, 3, 4, 20, 33, 0.98]]
)
ACCURACY = 'type: "BboxAccuracy" top: "a" top: "b" '
NONE = np.where([[1, 0, 0, 0, 0, 0]], 0, TRUTH)

CASES = [
    Case("by-class", ACCURACY + REG, [(4, 12), ROIS, TRUTH], bbox_accuracy(), gradient=()),
    Case("alike", ACCURACY + REG_ALIKE, [(4, 8), ROIS, TRUTH], bbox_accuracy(alike=True), gradient=()),
    Case("one-top", 'type: "BboxAccuracy" ' + REG, [(4, 12), ROIS, TRUTH], bbox_accuracy(1), gradient=()),
    Case("nothing-counts", ACCURACY + REG, [(4, 12), ROIS, NONE], bbox_accuracy(), gradient=()),
]
test_case = cases(CASES)


ERRORS = [
    Error(ACCURACY + REG_ALIKE, [(4, 12), (4, 5), (4, 6)], "has 12 numbers a row and must have 8"),
]
test_error = errors(ERRORS)
