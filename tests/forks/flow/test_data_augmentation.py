"""DataAugmentation."""

import numpy as np
import pytest
import torch

from caffe_compat.layers.base import TEST
from tests.layers.harness import Case, Error, cases, draws, errors, make

MIDDLE = 'type: "DataAugmentation" augmentation_param { crop_height: %d crop_width: %d %s }'


def middle(x, *blobs):
    return (x[:, :, 1:4, 1:5] + x[:, :, 1:4, 2:6]) / 2


CASES = [
    Case("middle", MIDDLE % (3, 4, ""), [(2, 3, 5, 7)], middle, gradient=(), phase=TEST),
    Case(
        "middle-mean",
        MIDDLE % (3, 4, "mean: 1 mean: 2 mean: 4 mean_per_pixel: false mirror { rand_type: 'bernoulli' }"),
        [(2, 3, 5, 7)],
        lambda x, *_: middle(x) - np.array([1, 2, 4])[:, None, None],
        gradient=(),
        phase=TEST,
    ),
]

ERRORS = [
    Error(MIDDLE % (6, 4, ""), [(2, 3, 5, 7)], "is 6 x 4, more than bottom shape"),
    Error(
        MIDDLE % (3, 4, "mirror { rand_type: 'bernoulli' }"),
        [(2, 3, 5, 7)],
        "augmentation_param.mirror draws pictures at random, which is not known here",
    ),
    Error(
        MIDDLE % (3, 4, "mean: 1 mean: 2 mean: 4 mean_per_pixel: false"),
        [(2, 5, 5, 7)],
        "mean has 3 numbers and bottom shape .* 5 channels",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


@pytest.mark.parametrize("by_position", [True, False])
def test_the_mean_is_that_of_the_first_batches(by_position):
    text = f'type: "DataAugmentation" augmentation_param {{ recompute_mean: 2 mean_per_pixel: {str(by_position).lower()} }}'
    layer = make(text, (3, 2, 4, 5))
    batches = [draws((3, 2, 4, 5), seed) for seed in range(3)]
    axes = 0 if by_position else (0, 2, 3)
    for count, batch in enumerate(batches):
        seen = np.stack(batches[: min(count + 1, 2)]).mean(0)
        mean = seen.mean(axes, keepdims=True)
        np.testing.assert_allclose(layer(torch.from_numpy(batch)).numpy(), batch - mean, atol=1e-12)
        assert layer.blobs[0].item() == count + 1
