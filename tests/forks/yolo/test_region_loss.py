"""RegionLoss, Yolov3 against references that go box by box."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Error, draws, errors, make

CLASSES, SIDE = 3, 4
ANCHORS = [(1.25, 0.75), (2.5, 3)]  # in positions
LENGTH = 5 + CLASSES
N = 2


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def ends(box):
    return [(box[k] - box[k + 2] / 2, box[k] + box[k + 2] / 2) for k in (0, 1)]


def parts(a, b):
    """Intersection's sides, union (from them as they are), hull's sides, squared distance of the centres."""
    sides = [min(p[1], q[1]) - max(p[0], q[0]) for p, q in zip(ends(a), ends(b), strict=True)]
    hull = [max(p[1], q[1]) - min(p[0], q[0]) for p, q in zip(ends(a), ends(b), strict=True)]
    union = a[2] * a[3] + b[2] * b[3] - sides[0] * sides[1]
    return sides, union, hull, (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2


def measure(a, b, kind="IOU"):
    sides, _, hull, apart = parts(a, b)
    shared = sides[0] * sides[1] if min(sides) > 0 else 0
    union = a[2] * a[3] + b[2] * b[3] - shared
    iou = shared / union
    if kind == "GIOU":
        return iou - (hull[0] * hull[1] - union) / (hull[0] * hull[1])
    share = apart / (hull[0] ** 2 + hull[1] ** 2)
    if kind == "DIOU":
        return iou - share**0.6
    if kind == "CIOU":
        v = 4 / math.pi**2 * (math.atan(b[2] / b[3]) - math.atan(a[2] / a[3])) ** 2
        return iou - share - v * v / (1 - iou + v + 1e-6)
    return iou


def slope(a, b, kind):
    """darknet's gradient of a measure, by differences."""

    def ratio(a):
        sides, union, _, _ = parts(a, b)
        return sides[0] * sides[1] / union

    def outside(a):
        _, union, hull, _ = parts(a, b)
        return union / (hull[0] * hull[1])

    def diagonal(a):
        return sum(side**2 for side in parts(a, b)[2])

    def differences(f):
        steps = np.eye(4) * 1e-6
        return np.array([(f(a + s) - f(a - s)) / 2e-6 for s in steps])

    double = np.array([1, 1, 2, 2])  # of sizes, darknet has twice the gradient ...
    sides, union, _, distance = parts(a, b)
    plain = differences(ratio) * double
    if kind == "IOU":
        return plain
    if kind == "GIOU":
        more = differences(outside) * double
    else:  # ... but not here, where it has the diagonal's part for the centre upside down
        more = -differences(lambda x: parts(x, b)[3]) / diagonal(a)
        more += np.array([-1, -1, 1, 1]) * distance * differences(diagonal) / diagonal(a) ** 2
    if kind == "CIOU":
        turn = math.atan(b[2] / b[3]) - math.atan(a[2] / a[3])
        v = 4 / math.pi**2 * turn**2
        weight = v / (1 - sides[0] * sides[1] / union + v + 1e-6)
        more += 8 / math.pi**2 * weight * turn * np.array([0, 0, a[3], -a[2]])
    return more if min(sides) <= 0 else plain + more


def box_of(x, n, a, i, j, anchors, centre):
    v = x[n, a * LENGTH : (a + 1) * LENGTH, i, j]
    height, width = x.shape[2:]
    c = sigmoid(v[:2]) if centre else v[:2]
    w, h = np.exp(v[2:4]) * anchors[a]
    return np.array([(c[0] + j) / width, (c[1] + i) / height, w, h])


def listed(label, column):
    for row in label.reshape(-1, 5):
        if row[column] == 0:
            return
        yield row


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


def loss_and_gradient(layer, x, label, weight=1.0):
    x = torch.tensor(x, requires_grad=True)
    top = layer(x, torch.from_numpy(label))
    (weight * top).backward()
    return top.item(), x.grad.numpy()


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


# -- YOLO 3 -----------------------------------------------------------------------------------------

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


# -- refusals ---------------------------------------------------------------------------------------

SHAPES, V3_SHAPES = [MAPS.shape, (N, 150)], [V3_MAPS.shape, V3_LABEL.shape]
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
    Error(YOLO3 % "mask: 3", V3_SHAPES, "has 3 mask for num 2; name one anchor each"),
    Error(YOLO3 % "biases: 3", V3_SHAPES, "has 9 biases; give each anchor a width and a height"),
    Error(YOLO3.replace("mask: 2", "mask: 4") % "", V3_SHAPES, "names anchor 4, but 8 biases are 4 anchors"),
    Error(YOLO3 % "", [(N, 15, 4, 5), (N, 150)], r"\(2, 15, 4, 5\) must be N x 16 x H x W"),
    Error(YOLO3 % "", [V3_MAPS.shape, (N, 151)], r"\(2, 151\) must hold rows of class, x, y, w, h"),
    Error(YOLO3 % "", [V3_MAPS.shape, (3, 150)], "differ in their first dimension"),
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
