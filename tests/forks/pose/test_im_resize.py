"""ImResize, place by place."""

import math

import numpy as np

from tests.layers.harness import Case, Error, cases, errors


def cubic(v0, v1, v2, v3, t):
    return v1 + 0.5 * t * (v2 - v0 + t * (2 * v0 - 5 * v1 + 4 * v2 - v3 + t * (3 * (v1 - v2) + v3 - v0)))


def resized(height, width, start=1.0, gap=0.1):
    def line(values, size):
        n, found = len(values), []
        for i in range(size):
            at = (i - (size / n / 2 - 0.5)) * n / size
            first = max(0, int(at + 1e-5))
            near = [values[min(max(first + k, 0), n - 1)] for k in (-1, 0, 1, 2)]
            found.append(cubic(*near, at - first))
        return np.array(found)

    def formula(x):
        total = np.zeros((x.shape[1], height, width))
        for n, maps in enumerate(x):
            cut = [math.floor(size // 2 * (1 - start + n * gap)) for size in x.shape[2:]]
            for c, one in enumerate(maps):
                one = one[cut[0] : one.shape[0] - cut[0], cut[1] : one.shape[1] - cut[1]]
                one = np.stack([line(row, width) for row in one])
                total[c] += np.stack([line(column, height) for column in one.T], 1)
        return (total / len(x))[None]

    return formula


RESIZE = 'type: "ImResize" imresize_param { %s }'

CASES = [
    Case("factor", RESIZE % "factor: 2", [(1, 2, 4, 3)], resized(8, 6), gradient=(), onnx=False),
    Case(
        "scales", RESIZE % "target_spatial_width: 7 target_spatial_height: 9 scale_gap: 0.3", [(3, 2, 8, 10)],
        resized(9, 7, 1, 0.3), gradient=(), onnx=False,
    ),
]  # fmt: skip

ERRORS = [
    Error(
        RESIZE % "scale_gap: 1.5",
        [(3, 2, 4, 5)],
        r"leaves nothing of record 1, of which \(3, 3\) are cut off",
    ),
    Error(RESIZE % "factor: 2", [(3, 2, 4)], "has 3 axes, 4 are needed"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
