"""DetectionLoss, in both its forms."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.forks.rcnn.bbox_reg import REG
from tests.forks.rcnn.field_loss import (
    ALIKE,
    GROUP,
    GROUPS,
    MAPS,
    SHAPES,
    balanced,
    counted,
    field_loss,
    softmax,
    truth_map,
)
from tests.layers.harness import Case, Error, cases, draws, errors, make


def bootstrapped(scores, truth, may, multiple, alike=False, factor=1.0):
    """For each class the negatives of its highest scores."""
    chosen = np.zeros_like(may)
    for n in range(len(scores)):
        for k in range(1, scores.shape[1]):
            labels = truth[n, 0].clip(max=1) if alike else truth[n, 0]
            count = max(4, int((labels == k).sum() * multiple * factor))
            order = sorted(zip(*may[n].nonzero(), strict=True), key=lambda at: -scores[n, k][at])
            for at in order[:count]:
                chosen[n][at] = True
    return chosen


def one_map(mode="all", threshold=0.5, multiple=2, evenly=False, by_overlap=False, **options):
    """Formula and gradient of DetectionLoss of fields of 20 x 14, 8 apart."""

    def both(x, truth):
        scores, offsets = x[:, :-4], x[:, -4:]
        positive = truth[:, 0] != 0
        may = ~positive & (truth[:, 5] < threshold)
        negative = may if mode == "all" else bootstrapped(scores, truth, may, multiple, options.get("alike"))
        weight = np.where(positive & by_overlap, truth[:, 5], 1.0)
        if evenly:
            weight = balanced(weight, positive, negative, multiple)
        return field_loss(scores, offsets, truth, positive | negative, [(20, 14)], 8, weight, **options)

    return {
        "formula": lambda x, truth: both(x, truth)[0],
        "diffs": lambda d, x, truth: np.concatenate(both(x, truth)[1:], 1) * d[0].flat[0],
        "gradient": (0,),
    }


def loss_text(fields, more="", classes=4):
    return (
        f'type: "DetectionLoss" detection_loss_param {{ cls_num: {classes} field_w: 20 field_h: 14 '
        f"downsample_rate: 8 {fields} }} {more}"
    )


BOUNDS = {"bounds": (2, 2)}
CASES = [
    Case("all", loss_text('sample_mode: "all"'), MAPS, **one_map(normed=False, **BOUNDS)),
    Case(
        "bootstrap",
        loss_text('sample_mode: "bootstrap" bg_multiple: 3 lambda: 0.5 bg_threshold: 0.7', REG),
        MAPS,
        **one_map("bootstrap", 0.7, 3, lam=0.5, **BOUNDS),
    ),
    Case(
        "weights",
        loss_text('sample_mode: "all" iou_weighted: true pos_neg_weighted: true field_whr: 1.5 field_xyr: 4', REG),
        MAPS,
        **one_map(by_overlap=True, evenly=True, multiple=4, bounds=(1.5, 4)),
    ),
    Case(
        "alike",
        loss_text('sample_mode: "bootstrap" objectness: true bb_smooth: false bg_multiple: 1', REG, 2),
        ALIKE,
        **one_map("bootstrap", alike=True, smooth=False, multiple=1, **BOUNDS),
    ),
    Case(
        "ignored",
        loss_text('sample_mode: "all"', REG + " loss_param { ignore_label: 2 }"),
        MAPS,
        **one_map(ignore=2, **BOUNDS),
    ),
    Case(
        "no-class",
        loss_text('sample_mode: "all"', REG),
        [MAPS[0], MAPS[1] * np.array([0, 1, 1, 1, 1, 1])[:, None, None]],
        **one_map(**BOUNDS),
    ),
]  # fmt: skip
test_case = cases(CASES)


@pytest.mark.parametrize("mode", ["random", "mixture"])
def test_random_background(mode):
    """So many draws hit so many fields of all, of which those of background count."""
    x, truth = draws((2, 8, 40, 50), 1), truth_map(2, 40, 50, 4, 8)
    truth[:, 0] *= np.random.default_rng(1).random((2, 40, 50)) < 0.1
    truth[1, 0] = 0
    layer = make(loss_text(f'sample_mode: "{mode}" bg_multiple: 5'), x.shape, truth.shape)
    torch.manual_seed(0)
    hits = counted(layer, x, truth)
    positive = truth[:, 0] != 0
    may = ~positive & (truth[:, 5] < 0.5)
    assert hits[positive].all() and not hits[~positive & ~may].any()
    hard = bootstrapped(x[:, :-4], truth, may, 5, factor=0.5) if mode == "mixture" else np.zeros_like(may)
    assert hits[hard].all()
    for n, least in ((0, 0), (1, 12)):  # a record without boxes has 4 draws a class
        count = max(int(positive[n].sum() * 5 * (0.5 if mode == "mixture" else 1)), least)
        expected = (may[n] & ~hard[n]).sum() * (1 - (1 - 1 / 2000) ** count)
        assert abs((hits[n] & may[n] & ~hard[n]).sum() - expected) < 4 * math.sqrt(expected)
    torch.manual_seed(1)
    assert (counted(layer, x, truth) != hits).any()


def test_of_background_only_and_of_nothing():
    """Without fields of a class the weights of background alone are scaled; without any field the loss is 0."""
    x, truth = draws((1, 7, 2, 3), 1), np.zeros((1, 6, 2, 3))
    layer = make(loss_text('sample_mode: "all" pos_neg_weighted: true', classes=3), x.shape, truth.shape)
    top = layer(*map(torch.from_numpy, (x, truth))).flatten()
    wanted = -np.mean([math.log(softmax(x[0, :3, i, j])[0]) for i, j in np.ndindex(2, 3)]) * 4 / 5
    np.testing.assert_allclose(top, [wanted, 0])
    truth[:, 5] = 1
    assert layer(*map(torch.from_numpy, (x, truth))).flatten().tolist() == [0, 0]


def iou(a, b):
    w, h = (
        min(a[i] + a[i + 2] / 2, b[i] + b[i + 2] / 2) - max(a[i] - a[i + 2] / 2, b[i] - b[i + 2] / 2)
        for i in (0, 1)
    )
    return 0.0 if w < 0 or h < 0 else w * h / (a[2] * a[3] + b[2] * b[3] - w * h)


def grid(roots=True, inside=False, scales=(1, 0.5, 1, 5)):
    """caffe-yolo's loss and gradient: 3 x 3 cells, 4 classes, 2 boxes a cell."""

    def both(x, truth):
        side, classes, count = 3, 4, 2
        number, area = len(x), side * side
        flat, gradient = x.reshape(number, -1, area), np.zeros((number, classes + 5 * count, area))
        on, off, of_class, of_box = scales
        sums = {"class": 0.0, "box": 0.0, "on": 0.0, "off": 0.0}
        found = 0
        for n, j in np.ndindex(number, area):
            sums["off"] += off * (flat[n, classes : classes + count, j] ** 2).sum()
            gradient[n, classes : classes + count, j] = off * flat[n, classes : classes + count, j]
            t = truth[n].reshape(-1)
            if not t[area + j]:
                continue
            found += 1
            d = flat[n, :classes, j] - np.eye(classes)[int(t[2 * area + j])]
            sums["class"] += of_class * (d * d).sum()
            gradient[n, :classes, j] = of_class * d
            box = t[3 * area + 4 * j : 3 * area + 4 * j + 4].copy()
            best, least, index = 0.0, 20.0, 0
            for k in range(count):
                own = flat[n, classes + count + 4 * k : classes + count + 4 * k + 4, j].copy()
                if inside:
                    own[:2] = (own[0] + j % side) / side, (own[1] + j // side) / side
                if roots:
                    own[2:] **= 2
                overlap, away = iou(own, box), math.sqrt(((own - box) ** 2).sum())
                if best > 0 or overlap > 0:
                    if overlap > best:
                        best, index = overlap, k
                elif away < least:
                    least, index = away, k
            c = flat[n, classes + index, j]
            sums["off"] -= off * c * c
            sums["on"] += on * (c - 1) ** 2
            gradient[n, classes + index, j] = on * (c - best)
            if inside:
                box[:2] = box[0] * side - j % side, box[1] * side - j // side
            if roots:
                box[2:] = np.sqrt(box[2:])
            at = slice(classes + count + 4 * index, classes + count + 4 * index + 4)
            d = flat[n, at, j] - box
            sums["box"] += of_box * (d * d).sum()
            gradient[n, at, j] = of_box * d
        total = (sums["class"] + sums["box"] + sums["on"]) / found + sums["off"] / (
            area * count * number - found
        )
        return total, (gradient / number).reshape(x.shape)

    return {
        "formula": lambda x, truth: np.array(both(x, truth)[0]),
        "diffs": lambda d, x, truth: both(x, truth)[1] * d[0],
        "gradient": (0,),
    }


def grid_truth(seed=2):
    random = np.random.default_rng(seed)
    truth = np.zeros((5, 63))
    truth[:, 9:18] = random.random((5, 9)) < 0.5
    truth[:, 18:27] = random.integers(0, 4, (5, 9))
    boxes = random.uniform(0.1, 0.9, (5, 9, 4))
    boxes[0, :, 2:] = 1e-4  # which no box overlaps
    truth[:, 27:] = boxes.reshape(5, 36)
    return truth


GRID = 'type: "DetectionLoss" detection_loss_param { side: 3 num_class: 4 num_object: 2 %s }'
GRID_BOTTOMS = [np.abs(draws((5, 126), 4)) / 2, grid_truth()]
test_grid = cases(
    [
        Case("grid", GRID % "", GRID_BOTTOMS, **grid()),
        Case(
            "grid-inside",
            GRID
            % "constriant: true sqrt: false object_scale: 2 noobject_scale: 0.25 class_scale: 3 coord_scale: 4",
            GRID_BOTTOMS,
            **grid(False, True, (2, 0.25, 3, 4)),
        ),
        Case("grid-far", GRID % "", [GRID_BOTTOMS[0] * 100, GRID_BOTTOMS[1]], **grid()),
    ]
)


def test_grid_without_objects_and_with_a_wrong_class():
    layer = make(GRID % "", (5, 126), (5, 63))
    x, truth = map(torch.from_numpy, GRID_BOTTOMS)
    assert layer(x, truth * 0).isnan()
    truth[:, 18:27] = 4
    with pytest.raises(
        LayerError, match="an object has label 4, outside 0 to 3; correct the labels or .*num_class"
    ):
        layer(x, truth)


def test_a_wrong_class():
    layer = make(loss_text('sample_mode: "all"'), *(b.shape for b in MAPS))
    truth = MAPS[1].copy()
    truth[0, 0, 0, 0] = 4
    with pytest.raises(LayerError, match="label 4 is outside 0 to 3"):
        layer(torch.from_numpy(MAPS[0]), torch.from_numpy(truth))


test_error = errors(
    [
        Error('type: "DetectionLoss" detection_loss_param { cls_num: 4 field_w: 5 field_h: 6 }', SHAPES, "0 apart; all must be above 0"),
        Error(loss_text("", classes=1), SHAPES, "cls_num is 1 and must be at least 2"),
        Error(loss_text("objectness: true", classes=3), SHAPES, "cls_num is 3 and must be 2, with objectness"),
        Error(loss_text("coord_num: 5"), SHAPES, "coord_num is 5; only 4"),
        Error(loss_text("field_whr: 0"), SHAPES, "field_whr is 0 and field_xyr is 2; both must be above 0"),
        Error(loss_text(""), [(2, 9, 5, 6), SHAPES[1]], r"bottom 0 of shape \(2, 9, 5, 6\) must be \(2, 8, 5, 6\)"),
        Error(loss_text(""), [SHAPES[0], (2, 6, 5, 7)], r"bottom 1 of shape \(2, 6, 5, 7\) must be \(2, 6, 5, 6\)"),
        Error(loss_text(""), [SHAPES[0], (2, 6, 5)], "has 3 axes, 4 are needed"),
        Error(GRID % "", [(5, 125), (5, 63)], "has 125 numbers an item and must have 126: side 3 x 3 x 14"),
        Error(GRID % "", [(5, 126), (5, 62)], "has 62 numbers an item and must have 63: side 3 x 3 x 7"),
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    "text, bottoms, last", [(loss_text(""), MAPS, 1), (GROUP % "", GROUPS, 2), (GRID % "", GRID_BOTTOMS, 1)]
)
def test_targets_have_no_gradient(text, bottoms, last):
    layer = make(text, *(b.shape for b in bottoms))
    assert [layer.allow_force_backward(i) for i in range(len(bottoms))] == [
        i != last for i in range(len(bottoms))
    ]
    with pytest.raises(LayerError, match="cannot backpropagate to the targets"):
        layer(*(torch.tensor(b, requires_grad=i == last) for i, b in enumerate(bottoms)))
