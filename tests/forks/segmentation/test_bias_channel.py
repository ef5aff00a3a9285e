"""BiasChannel."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, errors, make

LABELS = np.array([[3, 1, 3, 255, 0, 1], [255, 2, 2, 2, 2, 2.0]]).reshape(2, 1, 2, 3)
BIAS = 'type: "BiasChannel" bias_channel_param { %s }'
NAMED = np.array([[1, 3, -1, 9], [0, 2, 1, -1.0]]).reshape(2, 4, 1, 1)


def by_record(x, label):
    top = x.copy()
    for n, j in np.ndindex(2, 4):
        k = int(label[n, j, 0, 0])
        if k not in (-1, 9):
            top[n, k] += 0.5 if k == 0 else 2
    return top


def by_position(background):
    def formula(x, label):
        top = x.copy()
        for n, i, j in np.ndindex(2, 2, 3):
            k = int(label[n, 0, i, j])
            if k == 255:
                continue
            if background is not None:
                top[n, background, i, j] += 0.5
            if k != background:
                top[n, k, i, j] += 2
        return top

    return formula


CASES = [
    Case("bias", BIAS % "bg_bias: 0.5 ignore_label: 9", [(2, 5, 2, 3), NAMED], by_record, gradient=(0,)),
    Case(
        "bias-positions",
        BIAS % "bg_bias: 0.5 ignore_label: 255 label_type: PIXEL background_label: 1",
        [(2, 4, 2, 3), LABELS],
        by_position(1),
        gradient=(0,),
    ),
    Case(
        "bias-positions-alike",
        BIAS % "ignore_label: 255 label_type: PIXEL",
        [(2, 4, 2, 3), LABELS],
        by_position(None),
        gradient=(0,),
    ),
]

ERRORS = [
    Error(
        BIAS % "fg_bias: -1",
        [(2, 4, 2, 3), (2, 1, 1, 1)],
        "has bg_bias 1 and fg_bias -1; neither may be below 0",
    ),
    Error(BIAS % "label_type: PIXEL", [(2, 4, 2, 3), (2, 1, 1, 1)], r"must have \(2, 1, 2, 3\)"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_a_label_that_is_no_channel():
    layer = make(BIAS % "", (2, 3, 2, 3), (2, 4, 1, 1))
    with pytest.raises(
        LayerError, match="label 3 is no channel of bottom 0, which has 3; correct the labels"
    ):
        layer(torch.zeros(2, 3, 2, 3), torch.from_numpy(NAMED))
