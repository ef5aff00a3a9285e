"""UniqueLabel and BiasChannel."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, errors, make

LABELS = np.array([[3, 1, 3, 255, 0, 1], [255, 2, 2, 2, 2, 2.0]]).reshape(2, 1, 2, 3)
UNIQUE = 'type: "UniqueLabel" unique_label_param { max_labels: %d ignore_label: 255 %s }'
BIAS = 'type: "BiasChannel" bias_channel_param { %s }'
NAMED = np.array([[1, 3, -1, 9], [0, 2, 1, -1.0]]).reshape(2, 4, 1, 1)


def unique(most, forced=()):
    def formula(labels):
        top = np.full((len(labels), most, 1, 1), -1.0)
        for i, record in enumerate(labels):
            found = sorted((set(record.ravel()) - {255}) | set(forced))
            top[i, : len(found), 0, 0] = found
        return top

    return formula


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
    Case("unique", UNIQUE % (4, ""), [LABELS], unique(4), gradient=()),
    Case("forced", UNIQUE % (5, "force_label: 0 force_label: 7"), [LABELS], unique(5, (0, 7)), gradient=()),
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
        UNIQUE % (1, "force_label: 0"), [(2, 1, 2, 3)], "max_labels is 1 with 1 force_label; it must be more"
    ),
    Error(UNIQUE % (3, ""), [(2, 2, 2, 3)], "has 2 channels; labels have 1"),
    Error(
        BIAS % "fg_bias: -1",
        [(2, 4, 2, 3), (2, 1, 1, 1)],
        "has bg_bias 1 and fg_bias -1; neither may be below 0",
    ),
    Error(BIAS % "label_type: PIXEL", [(2, 4, 2, 3), (2, 1, 1, 1)], r"must have \(2, 1, 2, 3\)"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_labels_that_do_not_fit():
    with pytest.raises(LayerError, match="a record has 3 labels, more than max_labels 2; enlarge it"):
        make(UNIQUE % (2, ""), (2, 1, 2, 3))(torch.from_numpy(LABELS))
    layer = make(BIAS % "", (2, 3, 2, 3), (2, 4, 1, 1))
    with pytest.raises(
        LayerError, match="label 3 is no channel of bottom 0, which has 3; correct the labels"
    ):
        layer(torch.zeros(2, 3, 2, 3), torch.from_numpy(NAMED))
