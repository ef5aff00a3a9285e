"""SkimCaffe's names for what stock layers compute."""

import numpy as np
import pytest
import torch

from caffe_compat.layers.base import TEST
from tests.layers.harness import Case, Error, cases, draws, errors, make

POOL = 'type: "ReLUPooling" pooling_param { kernel_size: 2 stride: 2 }'


CASES = [
    Case(
        "pool",
        POOL,
        [(2, 3, 4, 6)],
        lambda x: np.maximum(x, 0).reshape(2, 3, 2, 2, 3, 2).max((3, 5)),
        phase=TEST,
    ),
]

ERRORS = [
    Error(
        POOL.replace("kernel", "pool: AVE kernel"),
        [(2, 3, 4, 6)],
        "only MAX pooling is known here; write a ReLU",
    ),
    Error(
        POOL + " relu_param { negative_slope: 0.1 }",
        [(2, 3, 4, 6)],
        "negative_slope is 0.1, and must be 0 here",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


@pytest.mark.parametrize(
    "own, stock, fields",
    [
        (
            "MKLConvolution",
            "Convolution",
            "convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: 'xavier' } }",
        ),
        ("MKLLRN", "LRN", "lrn_param { local_size: 3 }"),
    ],
)
def test_other_names(own, stock, fields):
    layers = [make(f'type: "{name}" {fields}', (2, 3, 5, 4)) for name in (own, stock)]
    tops = [layer(torch.from_numpy(draws((2, 3, 5, 4)))) for layer in layers]
    assert torch.equal(*tops)
