"""PeriodicShuffle, Tiling, Duplicate, BilinearInterpolation."""

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


def bilinear(x, like):
    height, width = like.shape[2:]
    top = np.zeros((*x.shape[:2], height, width))
    for i, j in np.ndindex(height, width):
        y, u = i * (x.shape[2] - 1) / (height - 1), j * (x.shape[3] - 1) / (width - 1)
        for k in range(x.shape[2]):
            for m in range(x.shape[3]):
                top[:, :, i, j] += max(0, 1 - abs(y - k)) * max(0, 1 - abs(u - m)) * x[:, :, k, m]
    return top


SHUFFLE = 'type: "PeriodicShuffle" periodic_shuffle_param { %s }'
TILING = 'type: "Tiling" tiling_param { tile_dim: %d }'
DUPLICATE = 'type: "Duplicate" duplicate_param { %s }'
INTERPOLATION = 'type: "BilinearInterpolation"'

CASES = [
    Case("shuffle", SHUFFLE % "num_output: 3 group_size: 2", [(2, 12, 4, 5)], shuffled(2, True)),
    Case("tiling", TILING % 2, [(2, 12, 4, 5)], shuffled(2, False)),
    Case("tiling-3", TILING % 3, [(1, 18, 2, 4)], shuffled(3, False)),
    Case(
        "duplicate",
        DUPLICATE % "height: 4 width: 5",
        [(2, 3, 1, 1)],
        lambda x: np.broadcast_to(x, (2, 3, 4, 5)),
    ),
    Case(
        "duplicate-matrix",
        DUPLICATE % "height: 4 width: 5",
        [(2, 3)],
        lambda x: np.broadcast_to(x[:, :, None, None], (2, 3, 4, 5)),
    ),
    Case("larger", INTERPOLATION, [(2, 3, 4, 5), (2, 1, 7, 11)], bilinear, gradient=[0]),
    Case("smaller", INTERPOLATION, [(2, 3, 7, 6), (2, 1, 4, 5)], bilinear, gradient=[0]),
]

ERRORS = [
    Error(SHUFFLE % "num_output: 3", [(2, 12, 4, 5)], "group_size 0 and num_output 3; both must be above 0"),
    Error(
        SHUFFLE % "num_output: 4 group_size: 2", [(2, 12, 4, 5)], r"must have num_output group_size\^2 = 16"
    ),
    Error(SHUFFLE % "num_output: 3 group_size: 2", [(2, 13, 4, 5)], r"13 channels .* multiple of 2\^2 = 4"),
    Error(TILING % 0, [(2, 12, 4, 5)], "tile_dim is 0, it must be set and above 0"),
    Error(TILING % 2, [(2, 12, 4)], r"\(2, 12, 4\) has 3 axes"),
    Error(DUPLICATE % "height: 0 width: 5", [(2, 3, 1, 1)], "is 0 x 5; height and width must be above 0"),
    Error(DUPLICATE % "height: 4 width: 5", [(2, 3, 1, 2)], r"\(2, 3, 1, 2\) must be N x C x 1 x 1"),
    Error(INTERPOLATION, [(2, 3, 4, 5), (2, 3)], r"\(2, 3\) has 2 axes"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
