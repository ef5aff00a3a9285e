"""YoloDetectionOutput, Yolov3DetectionOutput."""

import math

import numpy as np
import pytest
import torch

from tests.layers.harness import Error, draws, errors, make

CLASSES = 4


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def iou(a, b):
    w, h = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return w * h / (sum(areas) - w * h) if w > 0 and h > 0 else 0


def kept(found, limit):
    rows = []
    for n in range(2):
        mine = []
        for row in sorted((f for f in found if f[0] == n), key=lambda f: -f[2]):
            if all(iou(row[3:], other[3:]) <= limit for other in mine):
                mine.append(row)
        rows += mine
    return np.array(rows)[None, None]


def box(x, y, w, h, i, j, width, height, anchor):
    x, y = (j + sigmoid(x)) / width, (i + sigmoid(y)) / height
    w, h = math.exp(w) * anchor[0], math.exp(h) * anchor[1]
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def yolo2(maps, anchors, threshold, limit):
    found = []
    for x in maps:
        height, width = x.shape[2:]
        for n, i, j, a in np.ndindex(2, height, width, len(anchors)):
            v = x[n, a * 9 : a * 9 + 9, i, j]
            p = np.exp(v[5:]) / np.exp(v[5:]).sum()
            score = p.max() * sigmoid(v[4])
            if score >= threshold:
                anchor = anchors[a][0] / width, anchors[a][1] / height
                found.append((n, p.argmax() + 1, score, *box(*v[:4], i, j, width, height, anchor)))
    return kept(found, limit)


def yolo3(maps, anchors, strides, threshold, limit, gaussian=False):
    found, step = [], 2 if gaussian else 1
    for x, own, stride in zip(maps, anchors, strides, strict=True):
        height, width = x.shape[2:]
        length = 4 * step + 1 + CLASSES
        for n, i, j, a in np.ndindex(2, height, width, len(own)):
            v = x[n, a * length : (a + 1) * length, i, j]
            objectness = sigmoid(v[4 * step])
            if gaussian:
                objectness *= (4 - sigmoid(v[1:8:2]).sum()) / 4
            anchor = own[a][0] / (width * stride), own[a][1] / (height * stride)
            corners = box(*v[: 4 * step : step], i, j, width, height, anchor)
            for label, score in enumerate(objectness * sigmoid(v[4 * step + 1 :])):
                if score > threshold:
                    found.append((n, label + 1, score, *corners))
    return kept(found, limit)


def biases(values):
    return " ".join(f"biases: {v}" for pair in values for v in pair)


ANCHORS = [(1.25, 2), (3, 1.5), (0.75, 0.5)]
TWO = (
    f'type: "YoloDetectionOutput" yolo_detection_output_param {{ num_classes: {CLASSES} num_box: 3 {biases(ANCHORS)} '
    "%s }"
)
PIXELS = [(10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319)]
THREE = (
    f'type: "Yolov3DetectionOutput" yolov3_detection_output_param {{ num_classes: {CLASSES} num_box: 3 {biases(PIXELS)} '
    "mask: 3 mask: 4 mask: 5 mask: 0 mask: 1 mask: 2 anchors_scale: 32 anchors_scale: 16 %s }"
)


@pytest.mark.parametrize("limit", [0.2, 0.6])
def test_yolo_2(limit):
    maps = [draws((2, 27, 4, 5), 1), draws((2, 27, 2, 3), 2)]
    layer = make(TWO % f"confidence_threshold: 0.3 nms_threshold: {limit}", *(m.shape for m in maps))
    top = layer(*(torch.tensor(m, requires_grad=True) for m in maps))
    wanted = yolo2(maps, ANCHORS, 0.3, limit)
    np.testing.assert_allclose(top, wanted, rtol=1e-6, atol=1e-9)
    assert wanted.shape[2] > 5 and set(wanted[0, 0, :, 0]) == {0, 1} and not top.requires_grad
    assert layer.reshape(*(m.shape for m in maps)) == [(1, 1, 1, 7)]


@pytest.mark.parametrize("gaussian", [False, True])
def test_yolo_3(gaussian):
    channels = 3 * ((9 if gaussian else 5) + CLASSES)
    maps = [draws((2, channels, 4, 5), 1), draws((2, channels, 2, 3), 2)]
    fields = f"confidence_threshold: 0.4 gaussian_box: {str(gaussian).lower()}"
    top = make(THREE % fields, *(m.shape for m in maps))(*map(torch.from_numpy, maps))
    wanted = yolo3(maps, [PIXELS[3:], PIXELS[:3]], [32, 16], 0.4, 0.45, gaussian)
    np.testing.assert_allclose(top, wanted, rtol=1e-6, atol=1e-9)
    assert wanted.shape[2] > 3 and set(wanted[0, 0, :, 0]) == {0, 1}


def test_nothing_is_found():
    layer = make(TWO % "confidence_threshold: 0.99", (2, 27, 4, 5))
    assert layer(torch.zeros(2, 27, 4, 5)).tolist() == [[[[0, *[-1] * 6], [1, *[-1] * 6]]]]


ERRORS = [
    Error('type: "YoloDetectionOutput"', [(2, 27, 4, 5)], "num_classes must be set"),
    Error(TWO % "biases: 3", [(2, 27, 4, 5)], "has 7 biases for num_box 3"),
    Error(
        TWO % "",
        [(2, 26, 4, 5)],
        r"bottom 0 of shape \(2, 26, 4, 5\) must have 2 records of 27 channels, 9 for each",
    ),
    Error(TWO % "", [(2, 27, 4, 5), (3, 27, 4, 5)], "bottom 1 .* must have 2 records"),
    Error('type: "Yolov3DetectionOutput"', [(2, 27, 4, 5)], "num_classes must be set"),
    Error(THREE % "", [(2, 27, 4, 5)], "has mask_group_num 2 and 2 anchors_scale for 1 bottoms"),
    Error(THREE % "mask: 2", [(2, 27, 4, 5)] * 2, "has 7 mask for num_box 3 and 2 bottoms; give 6"),
    Error(
        THREE.replace("mask: 5", "mask: 6") % "",
        [(2, 27, 4, 5)] * 2,
        "names anchor 6, but 12 biases are 6 anchors",
    ),
]
test_error = errors(ERRORS)
