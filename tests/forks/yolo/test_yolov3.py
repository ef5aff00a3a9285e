"""Yolov3 against a reference that goes box by box."""

import math

import numpy as np
import pytest

from tests.forks.yolo.boxes import CLASSES, LENGTH, N, box_of, loss_and_gradient, measure, sigmoid, slope
from tests.layers.harness import Error, draws, errors, make

WIDE, HIGH, STRIDE = 5, 4, 8
PIXELS = [(6, 8), (14, 10), (20, 26), (30, 12)]
MASK = [1, 2]
V3_MAPS = draws((N, 2 * LENGTH, HIGH, WIDE), 5)
V3_TRUTH = [
    [(1, 0.3, 0.6, 0.35, 0.3), (0, 0.31, 0.61, 0.36, 0.3), (2, 0.7, 0.3, 0.5, 0.8), (1, 0.9, 0.1, 0.1, 0.25)],
    [(2, 0.5, 0.9, 0.45, 0.6)],
]
YOLO3 = (
    f'type: "Yolov3" yolov3_param {{ num_class: {CLASSES} num: 2 anchors_scale: {STRIDE} mask: 1 mask: 2 '
    f"{' '.join(f'biases: {v}' for a in PIXELS for v in a)} thresh: 0.3 coord_scale: 1.5 class_scale: 0.75 %s }}"
)
V3_LABEL = np.zeros((N, 300, 5))
for n, boxes in enumerate(V3_TRUTH):
    V3_LABEL[n, : len(boxes)] = boxes


def yolo3(
    x, kind="MSE", also=0.5, limit=10, accumulate=True, smooth=0.1, focal=False, obj=1, normalizer=0.25
):
    x = x.copy()
    for a in (0, 1):
        for part in (slice(a * LENGTH, a * LENGTH + 2), slice(a * LENGTH + 4, (a + 1) * LENGTH)):
            x[:, part] = sigmoid(x[:, part])
    every = [(w / (WIDE * STRIDE), h / (HIGH * STRIDE)) for w, h in PIXELS]
    anchors = [every[m] for m in MASK]
    delta, lost, count = np.zeros_like(x), 0, 0

    def draw(n, a, label, t):
        nonlocal lost, count
        j, i = int(t[0] * WIDE), int(t[1] * HIGH)
        v, d = x[n, a * LENGTH : (a + 1) * LENGTH, i, j], delta[n, a * LENGTH : (a + 1) * LENGTH, i, j]
        mine = box_of(x, n, a, i, j, anchors, False)
        if kind == "MSE":
            goal = [t[0] * WIDE - j, t[1] * HIGH - i, *np.log(np.array(t[2:]) / anchors[a])]
            d[:4] = -1.5 * (2 - t[2] * t[3]) * (goal - v[:4])
        else:
            step = slope(mine, t, kind) * [1, 1, *np.exp(v[2:4])] * normalizer
            d[:4] = (d[:4] if accumulate else 0) - np.clip(step, -limit, limit)
            lost += 1 - measure(mine, t, "DIOU" if kind == "IOU" else kind)
        d[4] = -obj * (1 - v[4])
        target = np.eye(CLASSES)[label] * (1 - smooth) + smooth / 2
        drawn = -0.75 * (target - v[5:])
        if d[5 + label]:
            d[5 + label] = drawn[label]
        elif focal:
            p = v[5 + label]
            d[5:] = -0.75 * (np.eye(CLASSES)[label] - v[5:]) * 0.5 * -(1 - p) * (2 * p * math.log(p) + p - 1)
        else:
            d[5:] = drawn
        count += 1

    for n in range(N):
        for a, i, j in np.ndindex(2, HIGH, WIDE):
            box = box_of(x, n, a, i, j, anchors, False)
            if max(measure(box, t[1:], kind) for t in V3_TRUTH[n]) <= 0.3:
                delta[n, a * LENGTH + 4, i, j] = x[n, a * LENGTH + 4, i, j]
        for label, *t in V3_TRUTH[n]:
            shared = [measure((0, 0, *s), (0, 0, *t[2:]), kind) for s in every]
            best = int(np.argmax(shared))
            if best in MASK:
                best = MASK.index(best)
                draw(n, best, label, t)
            for k in MASK:
                if k != best and shared[k] > also and also < 1:
                    draw(n, MASK.index(k), label, t)
    if kind == "MSE":
        return (delta**2).sum() / N, delta, count
    rest = delta.reshape(N, 2, LENGTH, HIGH, WIDE)[:, :, 4:]
    return ((rest**2).sum() + normalizer * lost / count) / N, delta, count


@pytest.mark.parametrize(
    "fields, options",
    [
        ("", {}),
        ("iou_thresh: 1", {"also": 1}),
        ("iou_thresh: 0.2 label_smooth_eps: 0", {"also": 0.2, "smooth": 0}),
        ("use_focal_loss: true", {"focal": True}),
        ("iou_loss: IOU", {"kind": "IOU"}),
        ("iou_loss: GIOU iou_normalizer: 0.5", {"kind": "GIOU", "normalizer": 0.5}),
        ("iou_loss: DIOU max_delta: 0.2", {"kind": "DIOU", "limit": 0.2}),
        ("iou_loss: CIOU accumulate: false", {"kind": "CIOU", "accumulate": False}),
    ],
)
def test_yolo_3(fields, options):
    layer = make(YOLO3 % fields, V3_MAPS.shape, V3_LABEL.shape)
    value, grad = loss_and_gradient(layer, V3_MAPS, V3_LABEL, 0.5)
    wanted, delta, count = yolo3(V3_MAPS, **options)
    assert count >= 3
    np.testing.assert_allclose(grad, 0.5 * delta / N, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(value, wanted, rtol=1e-6)


def test_yolo_3_with_the_slope_of_the_sigmoids():
    layer = make(YOLO3 % "use_logic_gradient: true object_scale: 3", V3_MAPS.shape, V3_LABEL.shape)
    value, grad = loss_and_gradient(layer, V3_MAPS, V3_LABEL)
    wanted, delta, _ = yolo3(V3_MAPS, obj=3)
    steep = sigmoid(V3_MAPS) * (1 - sigmoid(V3_MAPS))
    for a in (0, 1):
        steep[:, a * LENGTH + 2 : a * LENGTH + 4] = 1
    np.testing.assert_allclose(grad, delta * steep / N, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(value, wanted, rtol=1e-6)


def test_yolo_3_without_boxes():
    layer = make(YOLO3 % "iou_loss: GIOU", V3_MAPS.shape, V3_LABEL.shape)
    value, grad = loss_and_gradient(layer, V3_MAPS, np.zeros_like(V3_LABEL))
    objectness = sigmoid(V3_MAPS.reshape(N, 2, LENGTH, HIGH, WIDE)[:, :, 4])
    np.testing.assert_allclose(value, (objectness**2).sum() / N, rtol=1e-6)
    np.testing.assert_allclose(grad.reshape(N, 2, LENGTH, HIGH, WIDE)[:, :, 4], objectness / N, rtol=1e-6)


V3_SHAPES = [V3_MAPS.shape, V3_LABEL.shape]
ERRORS = [
    Error(YOLO3 % "mask: 3", V3_SHAPES, "has 3 mask for num 2; name one anchor each"),
    Error(YOLO3 % "biases: 3", V3_SHAPES, "has 9 biases; give each anchor a width and a height"),
    Error(YOLO3.replace("mask: 2", "mask: 4") % "", V3_SHAPES, "names anchor 4, but 8 biases are 4 anchors"),
    Error(YOLO3 % "", [(N, 15, 4, 5), (N, 150)], r"\(2, 15, 4, 5\) must be N x 16 x H x W"),
    Error(YOLO3 % "", [V3_MAPS.shape, (N, 151)], r"\(2, 151\) must hold rows of class, x, y, w, h"),
    Error(YOLO3 % "", [V3_MAPS.shape, (3, 150)], "differ in their first dimension"),
]
test_error = errors(ERRORS)
