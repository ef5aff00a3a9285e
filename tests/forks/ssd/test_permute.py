"""Permute."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, errors, make


def permuted(*order):
    return lambda x: np.transpose(x, order)


CASES = [
    Case(
        "channels-last",
        'type: "Permute" permute_param { order: 0 order: 2 order: 3 order: 1 }',
        [(2, 3, 4, 5)],
        permuted(0, 2, 3, 1),
    ),
    Case(
        "the-rest-follows", 'type: "Permute" permute_param { order: 2 }', [(2, 3, 4, 5)], permuted(2, 0, 1, 3)
    ),
    Case("nothing-moves", 'type: "Permute"', [(2, 3, 4)], permuted(0, 1, 2)),
    Case(
        "five-axes",
        'type: "Permute" permute_param { order: 4 order: 1 }',
        [(2, 3, 1, 5, 4)],
        permuted(4, 1, 0, 2, 3),
    ),
]

ERRORS = [
    Error(
        'type: "Permute" permute_param { order: 3 }',
        [(2, 3, 4)],
        r"names axis 3, but .* has 3 axes; use 0 to 2",
    ),
    Error(
        'type: "Permute" permute_param { order: 1 order: 1 }',
        [(2, 3)],
        r"order is \[1, 1\], which names an axis twice",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_another_number_of_axes():
    layer = make('type: "Permute" permute_param { order: 1 }', (2, 3, 4))
    assert layer.reshape((4, 5, 6)) == [(5, 4, 6)]
    with pytest.raises(LayerError, match="has 2 axes, but the layer was set up for 3"):
        layer.reshape((2, 3))
