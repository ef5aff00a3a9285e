"""Nms, place by place."""

import numpy as np

from tests.layers.harness import Case, Error, cases, draws, errors


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


NMS = 'type: "Nms" nms_param { %s }'

CASES = [
    Case("peaks", NMS % "threshold: 0.2 num_parts: 2 max_peaks: 3", [(2, 3, 7, 8)], peaks(2, 3, 0.2), gradient=(), onnx=False),
    Case("tall", NMS % "threshold: 0.2 num_parts: 1 max_peaks: 50", [(2, 1, 9, 5)], peaks(1, 50, 0.2), gradient=(), onnx=False),
    Case("none", NMS % "threshold: 3 num_parts: 1 max_peaks: 2", [draws((2, 1, 5, 4))], peaks(1, 2, 3), gradient=(), onnx=False),
]  # fmt: skip

ERRORS = [
    Error(NMS % "num_parts: 4", [(2, 3, 5, 6)], "has 3 channels and nms_param.num_parts is 4; lower it"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
