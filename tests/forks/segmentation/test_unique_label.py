"""UniqueLabel."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.forks.segmentation.test_bias_channel import LABELS
from tests.layers.harness import Case, Error, cases, errors, make

UNIQUE = 'type: "UniqueLabel" unique_label_param { max_labels: %d ignore_label: 255 %s }'


def unique(most, forced=()):
    def formula(labels):
        top = np.full((len(labels), most, 1, 1), -1.0)
        for i, record in enumerate(labels):
            found = sorted((set(record.ravel()) - {255}) | set(forced))
            top[i, : len(found), 0, 0] = found
        return top

    return formula


CASES = [
    Case("unique", UNIQUE % (4, ""), [LABELS], unique(4), gradient=()),
    Case("forced", UNIQUE % (5, "force_label: 0 force_label: 7"), [LABELS], unique(5, (0, 7)), gradient=()),
]

ERRORS = [
    Error(
        UNIQUE % (1, "force_label: 0"), [(2, 1, 2, 3)], "max_labels is 1 with 1 force_label; it must be more"
    ),
    Error(UNIQUE % (3, ""), [(2, 2, 2, 3)], "has 2 channels; labels have 1"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_more_labels_than_places():
    with pytest.raises(LayerError, match="a record has 3 labels, more than max_labels 2; enlarge it"):
        make(UNIQUE % (2, ""), (2, 1, 2, 3))(torch.from_numpy(LABELS))
