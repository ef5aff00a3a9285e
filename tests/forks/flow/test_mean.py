"""Mean."""

import numpy as np
import torch

from caffe_compat.proto.binary import write_binaryproto
from tests.layers.harness import Case, Error, cases, draws, errors, make

IMAGE = (2, 3, 4, 5)
CASES = [
    Case(
        "mean",
        'type: "Mean" mean_param { operation: SUBTRACT value: 1 value: 2 mean_scale: 0.5 input_scale: 4 output_scale: 2 }',
        [(2, 4, 3, 5)],
        lambda x: 2 * (4 * x - 0.5 * np.array([1, 2, 1, 2])[:, None, None]),
        gradient=(),
    ),
]

ERRORS = [
    Error('type: "Mean"', [IMAGE], "mean_param has neither file nor value"),
    Error(
        'type: "Mean" mean_param { value: 1 value: 2 }',
        [IMAGE],
        r"does not fit the mean, 2 channels of 1 x 1",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_a_mean_picture(tmp_path):
    mean = draws((2, 4, 5), 4).astype(np.float32)
    write_binaryproto(tmp_path / "mean.binaryproto", mean[None])
    text = f'type: "Mean" mean_param {{ operation: ADD file: "{tmp_path}/mean.binaryproto" }}'
    x = draws((3, 4, 4, 5))
    np.testing.assert_allclose(make(text, (3, 4, 4, 5))(torch.from_numpy(x)), x + np.tile(mean, (2, 1, 1)))
