"""RegionLoss against a reference that goes box by box."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.forks.yolo.boxes import (
    ANCHORS,
    CLASSES,
    LENGTH,
    SIDE,
    N,
    box_of,
    loss_and_gradient,
    measure,
    sigmoid,
)
from tests.forks.yolo.test_yolov3 import V3_MAPS, YOLO3
from tests.layers.harness import Error, draws, errors, make


def region(x, truth, form, options):
    """The gradient times N; `truth` holds lists of (class, x, y, w, h)."""
    o = {
        "noobject": 1,
        "object": 5,
        "coord": 1,
        "class": 1,
        "thresh": 0.3,
        "rescore": 1,
        "match": 1,
        "warm": False,
    }
    o.update(options)
    delta = np.zeros_like(x)
    shares = [(w / SIDE, h / SIDE) for w, h in ANCHORS]
    for n in range(N):
        for a, i, j in np.ndindex(2, SIDE, SIDE):
            v, d = x[n, a * LENGTH :, i, j], delta[n, a * LENGTH :, i, j]
            box = box_of(x, n, a, i, j, shares, True)
            p = sigmoid(v[4])
            if max([measure(box, t[1:]) for t in truth[n]], default=0) <= o["thresh"]:
                d[4] = o["noobject"] * p * p * (1 - p)
            if o["warm"]:
                s = sigmoid(v[:2])
                d[:2], d[2:4] = -0.01 * (0.5 - s) * s * (1 - s), 0.01 * v[2:4]
        for label, *t in truth[n]:
            j, i = int(t[0] * SIDE), int(t[1] * SIDE)
            sizes = shares if o["match"] else [box_of(x, n, a, i, j, shares, True)[2:] for a in (0, 1)]
            a = int(np.argmax([measure((0, 0, *s), (0, 0, *t[2:])) for s in sizes]))
            v, d = x[n, a * LENGTH : (a + 1) * LENGTH, i, j], delta[n, a * LENGTH : (a + 1) * LENGTH, i, j]
            weight = o["coord"] * (2 - t[2] * t[3] if form == "mobile" and not o["rescore"] else 1)
            s, p = sigmoid(v[:2]), sigmoid(v[4])
            target = np.array(t[:2]) * SIDE - [j, i]
            d[:2] = -weight * (target - s) * s * (1 - s)
            d[2:4] = -weight * (np.log(np.array(t[2:]) * SIDE / ANCHORS[a]) - v[2:4])
            if form == "rows":
                gap = 2 * (1 - p) ** 3
            else:
                goal = (
                    measure(box_of(x, n, a, i, j, shares, True), t)
                    if form == "mobile" and o["rescore"]
                    else 1
                )
                gap = goal - p
            d[4] = -o["object"] * gap * p * (1 - p)
            soft = np.exp(v[5:]) / np.exp(v[5:]).sum()
            d[5:] = -o["class"] * (np.eye(CLASSES)[int(label)] - soft)
    return delta


TRUTH = [
    [
        (1, 0.3, 0.55, 0.3, 0.2),
        (0, 0.8, 0.1, 0.55, 0.8),
        (2, 0.31, 0.6, 0.33, 0.2),
    ],  # the last takes the first's place
    [(2, 0.9, 0.9, 0.25, 0.3)],
]


def rows(count):
    label = np.zeros((N, count, 5))
    for n, boxes in enumerate(TRUTH):
        label[n, : len(boxes)] = boxes
    return label


def table():
    lines = [[-1] * 8]
    for n, boxes in enumerate(TRUTH):
        for k, x, y, w, h in boxes:
            lines.append([n, k + 1, 0, x - w / 2, y - h / 2, x + w / 2, y + h / 2, 0])
    return np.array(lines, float)[None, None]


FORMS = {"first": rows(30).reshape(N, 150), "rows": table(), "mobile": rows(300).reshape(N, 1, 300, 5)}
SCALES = "noobject_scale: 1 coord_scale: 1 thresh: 0.3"
REGION = (
    f'type: "RegionLoss" region_loss_param {{ num_class: {CLASSES} num: 2 object_scale: 5 '
    f"{' '.join(f'biases: {v}' for a in ANCHORS for v in a)} %s }}"
)
MAPS = draws((N, 2 * LENGTH, SIDE, SIDE), 3)


@pytest.mark.parametrize("form", ["first", "rows", "mobile"])
@pytest.mark.parametrize(
    "fields, options",
    [
        (SCALES, {}),
        (
            "rescore: 0 noobject_scale: 1 thresh: 0.3 coord_scale: 2 class_scale: 0.5",
            {"rescore": 0, "coord": 2, "class": 0.5},
        ),
        (
            "bias_match: 0 coord_scale: 1 noobject_scale: 0.5 thresh: 0.1",
            {"match": 0, "noobject": 0.5, "thresh": 0.1},
        ),
    ],
)
def test_region(form, fields, options):
    layer = make(REGION % fields, MAPS.shape, FORMS[form].shape)
    warm = form == "first"
    value, grad = loss_and_gradient(layer, MAPS, FORMS[form], 0.25)
    delta = region(MAPS, TRUTH, form, {**options, "warm": warm})
    np.testing.assert_allclose(grad, 0.25 * delta / N, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(value, (delta**2).sum() / (N if form == "mobile" else 1), rtol=1e-6)


def test_the_pull_to_the_anchors_ends():
    layer = make(REGION % SCALES, MAPS.shape, FORMS["first"].shape)
    layer.passes = 12800 // N
    _, grad = loss_and_gradient(layer, MAPS, FORMS["first"])
    np.testing.assert_allclose(grad, region(MAPS, TRUTH, "first", {}) / N, rtol=1e-6, atol=1e-9)


def test_region_without_boxes():
    empty = {
        "first": np.zeros((N, 150)),
        "rows": np.full((1, 1, 1, 8), -1.0),
        "mobile": np.zeros((N, 300, 5)),
    }
    for form, label in empty.items():
        layer = make(REGION % SCALES, MAPS.shape, label.shape)
        layer.passes = 12800
        _, grad = loss_and_gradient(layer, MAPS, label)
        np.testing.assert_allclose(grad, region(MAPS, [[], []], form, {}) / N, rtol=1e-6, atol=1e-9)


def test_class_map(tmp_path):
    (tmp_path / "map.txt").write_text("2\n0\n1\n")
    layer = make(REGION % f'{SCALES} class_map: "{tmp_path}/map.txt"', MAPS.shape, FORMS["rows"].shape)
    _, grad = loss_and_gradient(layer, MAPS, FORMS["rows"])
    mapped = [[((2, 0, 1)[k], *box) for k, *box in boxes] for boxes in TRUTH]
    np.testing.assert_allclose(grad, region(MAPS, mapped, "rows", {}) / N, rtol=1e-6, atol=1e-9)
    for text, match in (("2\n3\n", "must hold numbers from 0 to 2"), ("a\n", "one class number a line")):
        (tmp_path / "map.txt").write_text(text)
        with pytest.raises(LayerError, match=match):
            make(REGION % f'{SCALES} class_map: "{tmp_path}/map.txt"', MAPS.shape, FORMS["rows"].shape)


SHAPES = [MAPS.shape, (N, 150)]
ERRORS = [
    Error(
        REGION % 'softmax_tree: "t"',
        SHAPES,
        "softmax_tree 't' is a hierarchy of classes, which is not done here",
    ),
    Error(REGION % "coords: 5", SHAPES, "coords is 5 and must be 4"),
    Error(REGION % "biases: 5", SHAPES, "has 5 biases for num 2; give a width and a height each"),
    Error(REGION % 'class_map: "none.txt"', SHAPES, "class_map: .*none.txt.*one class number a line"),
    Error(
        REGION % "", [(N, 15, SIDE, SIDE), (N, 150)], r"\(2, 15, 4, 4\) must be N x 16 x H x W: 8 channels"
    ),
    Error(REGION % "", [(N, 16, 4, 5), (N, 150)], r"\(2, 16, 4, 5\) must be as high as wide"),
    Error(
        REGION % "",
        [MAPS.shape, (N, 151)],
        r"bottom 1 of shape \(2, 151\) must hold rows of class, x, y, w, h for 2",
    ),
]
test_error = errors(ERRORS)


@pytest.mark.parametrize("text, maps", [(REGION % "", MAPS), (YOLO3 % "", V3_MAPS)])
def test_labels_and_gradients(text, maps):
    layer = make(text, maps.shape, (N, 1500))
    label = torch.zeros(N, 1500, dtype=torch.double)
    label[0, :5] = torch.tensor([3, 0.5, 0.5, 0.2, 0.2])
    with pytest.raises(LayerError, match="a ground truth box has label 3, but the classes are 0 to 2"):
        layer(torch.from_numpy(maps), label)
    with pytest.raises(LayerError, match="cannot backpropagate to label inputs"):
        layer(torch.from_numpy(maps), label.requires_grad_())
