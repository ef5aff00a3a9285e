"""InnerDistance."""

import numpy as np
import pytest
import torch

from tests.layers.harness import Case, Error, cases, draws, errors, make

INNER = 'type: "InnerDistance" inner_distance_param { %s }'
LABELS = np.array([1.0, 0.0, 3.0])


def squared(x, w, axis=1):
    items = x.reshape(*x.shape[:axis], 1, -1)
    return ((items - w.reshape(len(w), -1)) ** 2).sum(-1)


def own_items(diffs, x, centers, label):
    items = x.reshape(len(x), -1)
    gap = items[:, None] - centers.reshape(len(centers), -1)
    of_items = 2 * (diffs[0][..., None] * gap).sum(1).reshape(x.shape)
    mine = np.eye(len(centers))[label.astype(int)]
    return of_items, -2 * ((diffs[0] * mine)[..., None] * gap).sum(0).reshape(centers.shape)


CASES = [
    Case("L2", INNER % "num_output: 4 weight_filler { type: 'xavier' }", [(3, 2, 5)], squared),
    Case("axis", INNER % "num_output: 4 axis: 2", [(3, 2, 5)], lambda x, w: squared(x, w, 2)),
    Case(
        "L1",
        INNER % 'num_output: 4 distance_type: "L1"',
        [(3, 5)],
        lambda x, w: np.abs(x[:, None] - w).sum(-1),
    ),
    Case("centers-below", INNER % "", [(3, 5), (4, 5)], squared),
    Case(
        "own-centers",
        INNER % "update_center_only: true",
        [(3, 5), (4, 5), LABELS],
        lambda x, w, label: squared(x, w),
        diffs=own_items,
        gradient=[0, 1],
    ),
]  # fmt: skip

ERRORS = [
    Error(
        INNER % 'num_output: 4 distance_type: "L3"',
        [(3, 5)],
        'distance_type is "L3"; it must be "L1" or "L2"',
    ),
    Error(
        INNER % "num_output: 4 transpose: true", [(3, 5)], "transpose is true, which the fork does not follow"
    ),
    Error(INNER % "", [(3, 5)], "num_output is 0 and must be above 0"),
    Error(
        INNER % "update_center_only: true", [(3, 5), (4, 5)], "has 2 bottoms and update_center_only is true"
    ),
    Error(
        INNER % "", [(3, 5), (4, 6)], r"bottom 1 of shape \(4, 6\) has centers of 6 values and items have 5"
    ),
    Error(
        INNER % "update_center_only: true",
        [(3, 5), (4, 5), (2,)],
        r"\(2,\) must have a label for each of the 3",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_normalize_makes_unit_centers_for_good():
    layer = make(INNER % "num_output: 4 normalize: true", (3, 5))
    centers = draws((4, 5), 7)
    layer.blobs[0].data.copy_(torch.from_numpy(centers))
    x = draws((3, 5), 8)
    unit = centers / np.sqrt((centers**2).sum(1, keepdims=True) + 1e-6)
    np.testing.assert_allclose(layer(torch.from_numpy(x)).detach(), squared(x, unit), rtol=1e-9)
    np.testing.assert_allclose(layer.blobs[0].detach(), unit, rtol=1e-12)


def test_another_size():
    layer = make(INNER % "num_output: 4", (3, 5))
    with pytest.raises(Exception, match=r"\(3, 6\) has 6 values an item, but the layer was set up for 5"):
        layer.reshape((3, 6))
