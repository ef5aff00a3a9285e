"""ImResize and Nms, place by place."""

import math

import numpy as np

from tests.layers.harness import Case, Error, cases, draws, errors


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


def peaks(parts, most, threshold):
    def formula(x):
        top = np.zeros((len(x), parts, most + 1, 3))
        for n in range(len(x)):
            for part in range(parts):
                image, count = x[n, part], 0
                height, width = image.shape
                for row in range(1, height - 1):
                    for column in range(1, width - 1):
                        around = image[row - 1 : row + 2, column - 1 : column + 2].copy()
                        around[1, 1] = -np.inf
                        if image[row, column] > threshold and image[row, column] > around.max():
                            count += 1
                            if count <= most:
                                top[n, part, count] = (*centre(image, row, column), image[row, column])
                top[n, part, 0, 0] = count
        return top

    return formula


def centre(image, row, column):
    height, width = image.shape
    sums = np.zeros(3)
    for y in range(max(1, row - 3), min(height, width, row + 4)):
        for x in range(max(1, column - 3), min(width, column + 4)):
            sums += max(0, image[y, x]) * np.array([x, y, 1])
    return sums[:2] / sums[2]


RESIZE, NMS = 'type: "ImResize" imresize_param { %s }', 'type: "Nms" nms_param { %s }'

CASES = [
    Case("factor", RESIZE % "factor: 2", [(1, 2, 4, 3)], resized(8, 6), gradient=(), onnx=False),
    Case(
        "scales", RESIZE % "target_spatial_width: 7 target_spatial_height: 9 scale_gap: 0.3", [(3, 2, 8, 10)],
        resized(9, 7, 1, 0.3), gradient=(), onnx=False,
    ),
    Case("peaks", NMS % "threshold: 0.2 num_parts: 2 max_peaks: 3", [(2, 3, 7, 8)], peaks(2, 3, 0.2), gradient=(), onnx=False),
    Case("tall", NMS % "threshold: 0.2 num_parts: 1 max_peaks: 50", [(2, 1, 9, 5)], peaks(1, 50, 0.2), gradient=(), onnx=False),
    Case("none", NMS % "threshold: 3 num_parts: 1 max_peaks: 2", [draws((2, 1, 5, 4))], peaks(1, 2, 3), gradient=(), onnx=False),
]  # fmt: skip

ERRORS = [
    Error(
        RESIZE % "scale_gap: 1.5",
        [(3, 2, 4, 5)],
        r"leaves nothing of record 1, of which \(3, 3\) are cut off",
    ),
    Error(RESIZE % "factor: 2", [(3, 2, 4)], "has 3 axes, 4 are needed"),
    Error(NMS % "num_parts: 4", [(2, 3, 5, 6)], "has 3 channels and nms_param.num_parts is 4; lower it"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
