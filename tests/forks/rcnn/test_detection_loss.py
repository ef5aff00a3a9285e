"""DetectionLoss, DetectionGroupLoss, DetectionAccuracy, DetectionGroupAccuracy."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, draws, errors, make

MEAN, STD = np.array([[0.1, -0.2, 0.05, 0.15], [0.5, 0.4, 0.3, 0.2]], np.float32).astype(float)
REG = (
    "bbox_reg_param { "
    + " ".join(f"bbox_mean: {m}" for m in MEAN)
    + " "
    + " ".join(f"bbox_std: {s}" for s in STD)
    + " }"
)
TWO = 'top: "a" top: "b" '


def truth_map(rows, height, width, classes, stride, seed=3, size=(20, 14)):
    """A map as the data layers make it: a third of the fields has a class, boxes are about the fields."""
    random = np.random.default_rng(seed)
    truth = np.zeros((rows, 6, height, width))
    truth[:, 0] = random.integers(1, classes, (rows, height, width)) * (
        random.random((rows, height, width)) < 0.33
    )
    at = np.stack(np.meshgrid((np.arange(width) + 0.5) * stride, (np.arange(height) + 0.5) * stride))
    truth[:, 1:3] = at + random.uniform(-6, 6, (rows, 2, height, width))
    truth[:, 3:5] = np.array(size)[:, None, None] * random.uniform(0.6, 1.7, (rows, 2, height, width))
    truth[0, 3, 0, 0] = 1.0  # less than the smallest
    truth[:, 5] = random.uniform(0, 1, (rows, height, width))
    return truth


def softmax(x):
    p = np.exp(x - x.max(0))
    return p / p.sum(0)


def limits(whr, xyr, mean, std):
    """The least and the greatest offset as they are learned."""
    means, stds = (mean[0] + mean[1]) / 2, math.sqrt(std[0] * std[1])
    wide, tall = (mean[2] + mean[3]) / 2, math.sqrt(std[2] * std[3])
    return [
        np.array([(s / xyr - means) / stds] * 2 + [(s * math.log(whr) - wide) / tall] * 2) for s in (-1, 1)
    ]


def field_loss(
    scores, offsets, truth, kept, sizes, stride, weight, bounds=None, lam=1.0, smooth=True, normed=True,
    alike=False, ignore=None,
):  # fmt: skip
    """Top and gradients of scores and offsets, field by field."""
    mean, std = (MEAN, STD) if normed else (np.zeros(4), np.ones(4))
    rows, classes, height, width = scores.shape
    terms, box_terms = [], []
    for n, i, j in np.ndindex(rows, height, width):
        own = int(truth[n, 0, i, j])
        label = min(own, 1) if alike else own
        if not kept[n, i, j] or label == ignore:
            continue
        p = softmax(scores[n, :, i, j])
        terms.append(((n, i, j), -math.log(p[label]) * weight[n, i, j], p - np.eye(classes)[label]))
        if own == 0:
            continue
        size = np.array(sizes[n % len(sizes)], float)
        place = (np.array([j, i]) + 0.5) * stride
        wanted = np.concatenate(
            (
                (truth[n, 1:3, i, j] - place) / size,
                np.log(np.maximum(truth[n, 3:5, i, j], 2) / size),
            )
        )
        x = offsets[n, :, i, j]
        if bounds is not None:
            x = x.clip(*limits(*bounds, mean, std))
        d = x - (wanted - mean) / std
        small = (abs(d) < 1) | (not smooth)
        box_terms.append(
            ((n, i, j), np.where(small, d * d / 2, abs(d) - 0.5).sum(), np.where(small, d, np.sign(d)))
        )
    own, boxes = np.zeros_like(scores), np.zeros_like(offsets)
    for (n, i, j), _, gradient in terms:
        own[n, :, i, j] = gradient * weight[n, i, j] / len(terms)
    for (n, i, j), _, gradient in box_terms:
        boxes[n, :, i, j] = lam * gradient / (4 * len(box_terms))
    first = sum(t for _, t, _ in terms) / max(len(terms), 1)
    second = lam * sum(t for _, t, _ in box_terms) / max(4 * len(box_terms), 1)
    return np.array([first + second, second]).reshape(1, 1, 1, 2), own, boxes


def balanced(weight, positive, negative, multiple):
    """So that positives have 1 / (1 + multiple) of the whole weight, which is their number."""
    count, weight = positive.sum() + negative.sum(), weight.copy()
    share = 1 / (1 + multiple)
    weight[positive] *= share * count / weight[positive].sum()
    weight[negative] *= (1 - share) * count / weight[negative].sum()
    return weight


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


MAPS = [draws((2, 8, 5, 6), 1), truth_map(2, 5, 6, 4, 8)]
ALIKE = [draws((2, 6, 5, 6), 1), MAPS[1]]
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


SIZES = [(20, 14), (36, 30), (11, 12)]
GROUP = (
    'type: "DetectionGroupLoss" detection_group_loss_param { cls_num: 4 stride: 8 '
    + " ".join(f"field_w: {w} field_h: {h}" for w, h in SIZES)
    + " %s } "
    + REG
)
GROUPS = [draws((6, 4, 3, 5), 1), draws((6, 4, 3, 5), 2), truth_map(6, 3, 5, 4, 8)]


def grouped(mode="all", threshold=0.5, multiple=4, least=5, by_loss=True, evenly=False, **options):
    """Formula and gradients of DetectionGroupLoss whose sampling is not random."""

    def both(scores, offsets, truth):
        positive = truth[:, 0] > 0
        may = (truth[:, 0] == 0) & (truth[:, 5] < threshold)
        negative = may.copy()
        for n in range(0, len(scores), 3):
            mine = list(zip(*may[n : n + 3].nonzero(), strict=True))
            count = max(int(positive[n : n + 3].sum()) * multiple, least)
            if len(mine) > count:
                assert mode == "bootstrap"
                surely = {(g, i, j): softmax(scores[n + g, :, i, j])[0] for g, i, j in mine}
                negative[n : n + 3] = False
                for g, i, j in sorted(mine, key=surely.get)[:count]:
                    negative[n + g, i, j] = True
        weight = np.ones(may.shape)
        if evenly:
            weight = balanced(weight, positive, negative, multiple)
        return field_loss(scores, offsets, truth, positive | negative, SIZES, 8, weight, **options)

    return {
        "formula": lambda *bottoms: both(*bottoms)[0],
        "diffs": lambda d, *bottoms: tuple(g * d[0].flat[0] for g in both(*bottoms)[1:]),
        "gradient": (0, 1),
    }


CASES += [
    Case("group", GROUP % "", GROUPS, **grouped()),
    Case(
        "group-bounded",
        GROUP % 'field_whr: 1.5 field_xyr: 3 lambda: 2 pos_neg_weighted: true bbox_loss_type: "Euclidean_L2"',
        GROUPS,
        **grouped(bounds=(1.5, 3), lam=2, evenly=True, smooth=False),
    ),
    Case(
        "group-bootstrap",
        GROUP % 'neg_mining_type: "bootstrap" bg_multiple: 1 bg_threshold: 0.8',
        GROUPS,
        **grouped("bootstrap", 0.8, 1),
    ),
    Case(
        "group-bootstrap-probability",
        GROUP % 'neg_mining_type: "bootstrap" neg_ranking_type: "conf_prob" bg_multiple: 0 min_num_neg: 7',
        GROUPS,
        **grouped("bootstrap", multiple=0, least=7),
    ),
]


def decoded(offset, size, i, j, stride, whr, xyr):
    """Left, top, width, height."""
    offset = offset * STD + MEAN
    move, grow = offset[:2].clip(-1 / xyr, 1 / xyr), offset[2:].clip(-math.log(whr), math.log(whr))
    size = np.array(size)
    long = size * np.exp(grow)
    return [*(move * size + (np.array([j, i]) + 0.5) * stride - long / 2), *long]


def shared(a, b, extra):
    w, h = (min(a[i] + a[i + 2], b[i] + b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    if w <= 0 or h <= 0 or (extra and (w < 1 or h < 1)):
        return 0.0
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h)


def accuracy(
    scores, offsets, truth, sizes, threshold=0.5, top_k=1, whr=2, xyr=4, alike=False, ignore=None, extra=0
):
    right, fore, ious = [], [], []
    for n, i, j in np.ndindex(*truth[:, 0].shape):
        own = int(truth[n, 0, i, j])
        label = min(own, 1) if alike else own
        if label != ignore and (label or truth[n, 5, i, j] < threshold):
            best = sorted(range(scores.shape[1]), key=lambda k: -scores[n, k, i, j])[:top_k]
            right.append(label in best)
            if label:
                fore.append(label in best)
        if own and own != ignore:
            x, y, w, h = truth[n, 1:5, i, j]
            box = decoded(offsets[n, :, i, j], sizes[n % len(sizes)], i, j, 8, whr, xyr)
            ious.append(shared(box, [x - w / 2, y - h / 2, w, h], extra))
    both = np.array([np.mean(v) if v else -1 for v in (right, fore)]).reshape(1, 1, 1, 2)
    return both, np.array(np.mean(ious) if ious else -1).reshape(1, 1, 1, 1)


def one_accuracy(tops=2, **options):
    return lambda x, truth: accuracy(x[:, :-4], x[:, -4:], truth, [(20, 14)], **options)[:tops]


ACCURACY = 'type: "DetectionAccuracy" %s detection_accuracy_param { cls_num: %d field_w: 20 field_h: 14 downsample_rate: 8 %s } '
GROUP_ACCURACY = GROUP.replace("GroupLoss", "GroupAccuracy").replace("group_loss", "group_accuracy")
EMPTY = [MAPS[0], MAPS[1] * 0 + np.array([0, 1, 1, 1, 1, 0.9])[:, None, None]]
CASES += [
    Case("accuracy", ACCURACY % (TWO, 4, "") + REG, MAPS, one_accuracy(), gradient=()),
    Case(
        "accuracy-best-two",
        ACCURACY % ("", 4, "top_k: 2 bg_threshold: 0.3") + REG,
        MAPS,
        one_accuracy(1, top_k=2, threshold=0.3),
        gradient=(),
    ),
    Case(
        "accuracy-ignored",
        ACCURACY % (TWO, 4, "field_whr: 1.25 field_xyr: 9") + REG + " loss_param { ignore_label: 3 }",
        MAPS,
        one_accuracy(ignore=3, whr=1.25, xyr=9),
        gradient=(),
    ),
    Case(
        "accuracy-alike",
        ACCURACY % (TWO, 2, "objectness: true") + REG,
        ALIKE,
        one_accuracy(alike=True),
        gradient=(),
    ),
    Case("accuracy-of-nothing", ACCURACY % (TWO, 4, ""), EMPTY, one_accuracy(), gradient=()),
    Case(
        "group-accuracy",
        GROUP_ACCURACY % "" + " " + TWO,
        GROUPS,
        lambda *b: accuracy(*b, SIZES, extra=1),
        gradient=(),
    ),
    Case(
        "group-accuracy-limits",
        GROUP_ACCURACY % "field_whr: 1.25 field_xyr: 3 bg_threshold: 0.25" + " " + TWO,
        GROUPS,
        lambda *b: accuracy(*b, SIZES, threshold=0.25, whr=1.25, xyr=3, extra=1),
        gradient=(),
    ),
]
test_case = cases(CASES)


def test_equal_scores():
    """The later class counts in the one layer, the first in the other."""
    truth = np.zeros((1, 6, 1, 1))
    x = np.zeros((1, 7, 1, 1))
    layer = make(ACCURACY % ("", 3, ""), x.shape, truth.shape)
    group = make(
        'type: "DetectionGroupAccuracy" detection_group_accuracy_param { cls_num: 3 stride: 8 field_w: 5 field_h: 6 }',
        (1, 3, 1, 1), (1, 4, 1, 1), truth.shape,
    )  # fmt: skip
    for label in range(3):
        truth[0, 0] = label
        x, t = torch.from_numpy(x) if isinstance(x, np.ndarray) else x, torch.from_numpy(truth)
        assert layer(x, t)[0].flatten()[0] == (label == 2)
        assert group(x[:, :3], x[:, 3:], t)[0].flatten()[0] == (label == 0)


def counted(layer, *bottoms):
    """Which fields' scores get a gradient."""
    leaves = [torch.tensor(b, requires_grad=i == 0) for i, b in enumerate(bottoms)]
    layer(*leaves).flatten()[0].backward()
    return (leaves[0].grad[:, : -4 if len(bottoms) == 2 else None] != 0).any(1).numpy()


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


@pytest.mark.parametrize("mode", ["random", "mixture", "bootstrap"])
def test_batches_of_fields(mode):
    scores, offsets, truth = draws((6, 4, 9, 8), 1), draws((6, 4, 9, 8), 2), truth_map(6, 9, 8, 4, 8)
    truth[3:, 0] *= np.arange(8) == 2  # few
    layer = make(
        GROUP % f'neg_mining_type: "{mode}" batch_size: 50 bg_multiple: 1',
        *(b.shape for b in (scores, offsets, truth)),
    )
    torch.manual_seed(0)
    hits = counted(layer, scores, offsets, truth)
    positive, may = truth[:, 0] > 0, (truth[:, 0] == 0) & (truth[:, 5] < 0.5)
    few = int(positive[3:].sum())
    assert positive[:3].sum() > 25 > few > 3 and not hits[~positive & ~may].any()
    for part, some in ((slice(0, 3), 25), (slice(3, 6), few)):
        assert (hits & positive)[part].sum() == some
        assert (hits & may)[part].sum() == 50 - some
        hard = {"random": 0, "mixture": (50 - some + 1) // 2, "bootstrap": 50 - some}[mode]
        sure = np.apply_along_axis(lambda s: softmax(s)[0], 1, scores[part])
        least = np.sort(sure[may[part]])[: hard + 1]
        assert hits[part][may[part] & (sure < least[hard])].all()
    torch.manual_seed(1)
    again = counted(layer, scores, offsets, truth)
    assert (again != hits).any()


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


SHAPES = [m.shape for m in MAPS]
GROUP_SHAPES = [m.shape for m in GROUPS]
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
        Error(GROUP % "field_w: 3", GROUP_SHAPES, "has 4 field_w and 3 field_h; give as many of both"),
        Error(GROUP % "batch_size: 0", GROUP_SHAPES, "batch_size is 0 and must be above 0, or -1"),
        Error(GROUP % 'neg_mining_type: "x"', GROUP_SHAPES, "neg_mining_type 'x' is not known; use one of random, b"),
        Error(GROUP % 'neg_ranking_type: "x"', GROUP_SHAPES, "neg_ranking_type 'x' is not known"),
        Error(GROUP % 'bbox_loss_type: "x"', GROUP_SHAPES, "bbox_loss_type 'x' is not known; use one of Smooth_L1"),
        Error(GROUP % "", [(5, *s[1:]) for s in GROUP_SHAPES], "has 5 rows, which is no multiple of its 3 kinds"),
        Error(ACCURACY % ("", 4, "top_k: 5"), SHAPES, "top_k is 5 for 4 classes; use 1 to 4"),
        Error(GROUP_ACCURACY % "field_xyr: 0", GROUP_SHAPES, "field_whr is 2 and field_xyr is 0"),
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
