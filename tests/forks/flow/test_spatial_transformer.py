"""SpatialTransformer, PowerFile, LocLoss."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import DataError
from tests.layers.harness import Case, Error, cases, draws, errors, make

ST = 'type: "SpatialTransformer" st_param { %s }'
SHAPE = (2, 3, 4, 5)


def transformed(size=None, fixed=None):
    def formula(x, theta):
        n, channels, height, width = x.shape
        rows, columns = size or (height, width)
        top = np.zeros((n, channels, rows, columns))
        for i, s, t in np.ndindex(n, rows, columns):
            learned = iter(theta[i].ravel())
            full = np.array([next(learned) if v is None else v for v in fixed or [None] * 6]).reshape(2, 3)
            down, right = full @ [2 * s / rows - 1, 2 * t / columns - 1, 1]
            y, z = (down + 1) / 2 * height, (right + 1) / 2 * width
            for m, k in np.ndindex(height, width):
                top[i, :, s, t] += max(0, 1 - abs(y - m)) * max(0, 1 - abs(z - k)) * x[i, :, m, k]
        return top

    return formula


CASES = [
    Case("affine", ST % "", [SHAPE, 0.87 * draws((2, 6), 3) + 0.013], transformed()),
    Case(
        "smaller-partly-fixed",
        ST % "output_H: 3 output_W: 2 theta_1_1: 1 theta_2_3: 0.25 to_compute_dU: false",
        [SHAPE, 0.87 * draws((2, 4, 1, 1), 4) + 0.013],
        transformed((3, 2), [1, None, None, None, None, 0.25]),
        gradient=(1,),
    ),
    Case("no-shift", 'type: "PowerFile"', [(2, 3, 4)], lambda x: x),
    Case(
        "far",
        'type: "LocLoss" loc_loss_param { threshold: 0.5 }',
        [(2, 3, 4)],
        lambda x: (np.maximum(np.abs(x) - 0.5, 0) ** 2).sum() / (2 * x.size),
    ),
]

ERRORS = [
    Error(
        ST % "transform_type: 'tps'",
        [SHAPE, (2, 6)],
        "has transform_type 'tps' and sampler_type 'bilinear'; only",
    ),
    Error(ST % "theta_1_2: 0", [SHAPE, (2, 6)], r"theta\) of shape \(2, 6\) must be \(2, 5\)"),
    Error('type: "LocLoss" loc_loss_param { threshold: 0 }', [(2, 3)], "threshold is 0; it must be above 0"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_shifts_of_a_file(tmp_path):
    (tmp_path / "shift.txt").write_text("1 2\n4\n")
    text = f'type: "PowerFile" power_file_param {{ shift_file: "{tmp_path}/shift.txt" }}'
    top = make(text, (2, 5))(torch.zeros(2, 5, dtype=torch.float64))
    np.testing.assert_array_equal(top, [[1, 2, 4, 0, 0]] * 2)
    np.testing.assert_array_equal(make(text, (1, 2))(torch.zeros(1, 2)), [[1, 2]])
    (tmp_path / "shift.txt").write_text("one")
    with pytest.raises(
        DataError, match=r"shift_file '.*shift.txt' cannot be read: .*give a text file of numbers"
    ):
        make(text, (2, 5))
