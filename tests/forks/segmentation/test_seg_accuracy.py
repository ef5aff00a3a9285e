"""SegAccuracy against a loop over pixels; ties, ignored labels, counts that add up."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, draws, errors, make

PARAM = 'type: "SegAccuracy" seg_accuracy_param { %s }'
SHAPE = (2, 4, 3, 5)
LABELS = np.random.default_rng(1).integers(0, 3, (2, 1, 3, 5)).astype(float)  # class 3 is no label
HOLES = np.where(np.arange(30).reshape(2, 1, 3, 5) % 7 == 0, 255.0, LABELS)
OTHERS = np.where(np.arange(30).reshape(2, 1, 3, 5) % 5 == 0, 254.0, HOLES)


def measures(counts):
    recalls = [row[i] / row.sum() for i, row in enumerate(counts) if row.sum()]
    unions = counts.sum(0) + counts.sum(1) - counts.diagonal()
    overlaps = [1 if both == one else both / one for both, one in zip(counts.diagonal(), unions, strict=True)]
    return np.array([counts.diagonal().sum() / max(counts.sum(), 1), np.mean(recalls), np.mean(overlaps)])


def count(scores, labels, ignored=()):
    counts = np.zeros((scores.shape[1],) * 2)
    for n, y, x in np.ndindex(scores.shape[0], *scores.shape[2:]):
        if (label := int(labels[n, 0, y, x])) not in ignored:
            best = max(range(scores.shape[1]), key=lambda c: (scores[n, c, y, x], c))
            counts[label, best] += 1
    return counts


def formula(*ignored):
    return lambda scores, labels: measures(count(scores, labels, ignored)).reshape(1, 1, 1, 3)


CASES = [
    Case("plain", PARAM % "", [SHAPE, LABELS], formula(), gradient=()),
    Case("holes", PARAM % "ignore_label: 255", [SHAPE, HOLES], formula(255), gradient=()),
    Case(
        "more-holes",
        PARAM % "ignore_label: 255 ignore_label: 254",
        [SHAPE, OTHERS],
        formula(254, 255),
        gradient=(),
    ),
    Case("ties", PARAM % "", [np.ones(SHAPE), LABELS], formula(), gradient=()),
]

ERRORS = [
    Error(PARAM % "", [SHAPE, (2, 3, 5)], r"bottom 1 of shape \(2, 3, 5\) its labels, with 1 channel"),
    Error(PARAM % "", [(2, 4, 3), (2, 1, 3)], "must be num x channels x height x width"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


@pytest.mark.parametrize("reset", [True, False])
def test_counts_add_up_unless_reset(reset):
    layer = make(PARAM % f"reset: {str(reset).lower()}", SHAPE, LABELS.shape)
    batches = [draws(SHAPE, seed) for seed in range(3)]
    counts = [count(scores, LABELS) for scores in batches]
    for i, scores in enumerate(batches):
        top = layer(torch.from_numpy(scores), torch.from_numpy(LABELS))
        np.testing.assert_allclose(top.flatten(), measures(counts[i] if reset else sum(counts[: i + 1])))


def test_a_label_that_is_no_class():
    layer = make(PARAM % "", SHAPE, LABELS.shape)
    with pytest.raises(LayerError, match="label 255 is outside 0 to 3"):
        layer(torch.from_numpy(draws(SHAPE)), torch.from_numpy(HOLES))
