"""PeriodicShuffle, Tiling."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors


def shuffled(s, last):
    def formula(x):
        n, channels, height, width = x.shape
        outputs = channels // s**2
        top = np.zeros((n, outputs, s * height, s * width))
        for c, y, u, i, j in np.ndindex(outputs, height, width, s, s):
            source = (s * i + j) * outputs + c if last else c * s**2 + s * i + j
            top[:, c, s * y + i, s * u + j] = x[:, source, y, u]
        return top

    return formula


SHUFFLE = 'type: "PeriodicShuffle" periodic_shuffle_param { %s }'
TILING = 'type: "Tiling" tiling_param { tile_dim: %d }'

CASES = [
    Case("shuffle", SHUFFLE % "num_output: 3 group_size: 2", [(2, 12, 4, 5)], shuffled(2, True)),
    Case("tiling", TILING % 2, [(2, 12, 4, 5)], shuffled(2, False)),
    Case("tiling-3", TILING % 3, [(1, 18, 2, 4)], shuffled(3, False)),
]

ERRORS = [
    Error(SHUFFLE % "num_output: 3", [(2, 12, 4, 5)], "group_size 0 and num_output 3; both must be above 0"),
    Error(
        SHUFFLE % "num_output: 4 group_size: 2", [(2, 12, 4, 5)], r"must have num_output group_size\^2 = 16"
    ),
    Error(SHUFFLE % "num_output: 3 group_size: 2", [(2, 13, 4, 5)], r"13 channels .* multiple of 2\^2 = 4"),
    Error(TILING % 0, [(2, 12, 4, 5)], "tile_dim is 0, it must be set and above 0"),
    Error(TILING % 2, [(2, 12, 4)], r"\(2, 12, 4\) has 3 axes"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
