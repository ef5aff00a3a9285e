"""CenterLoss: the value, the items' gradient, and the step that the fork gives the centers."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, draws, errors, make

PARAM = 'type: "CenterLoss" center_loss_param { num_output: 4 center_filler { value: 0.5 } }'
LABELS = np.array([3.0, 0.0, 3.0])


def loss(x, label, centers):
    return sum(((x[n].ravel() - centers[int(k)]) ** 2).sum() for n, k in enumerate(label.ravel())) / (
        2 * len(x)
    )


def item_diffs(diffs, x, label, centers):
    pull = [x[n].ravel() - centers[int(k)] for n, k in enumerate(label.ravel())]
    return diffs[0] * np.array(pull).reshape(x.shape) / len(x)


CASES = [
    Case("items", PARAM, [(3, 2, 5), LABELS], loss, diffs=item_diffs, gradient=[0]),
    Case(
        "four-axes",
        PARAM,
        [(2, 5, 1, 1), np.array([[[[1.0]]], [[[2.0]]]])],
        loss,
        diffs=item_diffs,
        gradient=[0],
    ),
    Case("axis", PARAM.replace("num_output", "axis: -1 num_output"), [(3, 5), LABELS], loss, gradient=()),
]

ERRORS = [
    Error('type: "CenterLoss"', [(3, 5), (3,)], "num_output is 0, it must be the number of classes"),
    Error(
        PARAM.replace("num_output", "axis: 2 num_output"),
        [(3, 2, 5), (3,)],
        "axis 2 of .* must be 1: one vector",
    ),
    Error(PARAM, [(3, 5), (2,)], "differ in their first dimension"),
    Error(PARAM, [(3, 5), (3, 2)], r"has 3 predictions .* \(3, 2\) has 6 labels"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


@pytest.mark.parametrize("weight", [1, 0.25])
def test_the_step_of_the_centers(weight):
    layer = make(PARAM, (3, 5), (3,))
    x = draws((3, 5))
    (weight * layer(torch.from_numpy(x), torch.from_numpy(LABELS))).backward()
    wanted = np.zeros((4, 5))
    wanted[0] = (0.5 - x[1]) / 2
    wanted[3] = ((0.5 - x[0]) + (0.5 - x[2])) / 3
    np.testing.assert_allclose(layer.blobs[0].grad, wanted, rtol=1e-12)


def test_labels_and_sizes():
    layer = make(PARAM, (3, 5), (3,))
    with pytest.raises(LayerError, match="label 4 is outside 0 to 3"):
        layer(torch.ones(3, 5), torch.tensor([0.0, 4.0, 1.0]))
    with pytest.raises(LayerError, match=r"\(3, 6\) has 6 values an item, but the centers were made for 5"):
        layer.reshape((3, 6), (3,))
