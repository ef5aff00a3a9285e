"""DetectionAccuracy, DetectionGroupAccuracy."""

import math

import numpy as np
import torch

from tests.forks.rcnn.bbox_reg import MEAN, REG, STD
from tests.forks.rcnn.field_loss import ALIKE, GROUP, GROUP_SHAPES, GROUPS, MAPS, SHAPES, SIZES
from tests.layers.harness import Case, Error, cases, errors, make

TWO = 'top: "a" top: "b" '


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
CASES = [
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


test_error = errors(
    [
        Error(ACCURACY % ("", 4, "top_k: 5"), SHAPES, "top_k is 5 for 4 classes; use 1 to 4"),
        Error(GROUP_ACCURACY % "field_xyr: 0", GROUP_SHAPES, "field_whr is 2 and field_xyr is 0"),
    ]
)  # fmt: skip
