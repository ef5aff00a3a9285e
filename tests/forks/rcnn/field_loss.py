"""References for losses and accuracies of fields."""

import math

import numpy as np
import torch

from tests.forks.rcnn.bbox_reg import MEAN, REG, STD
from tests.layers.harness import draws


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


MAPS = [draws((2, 8, 5, 6), 1), truth_map(2, 5, 6, 4, 8)]
ALIKE = [draws((2, 6, 5, 6), 1), MAPS[1]]


SIZES = [(20, 14), (36, 30), (11, 12)]
GROUP = (
    'type: "DetectionGroupLoss" detection_group_loss_param { cls_num: 4 stride: 8 '
    + " ".join(f"field_w: {w} field_h: {h}" for w, h in SIZES)
    + " %s } "
    + REG
)
GROUPS = [draws((6, 4, 3, 5), 1), draws((6, 4, 3, 5), 2), truth_map(6, 3, 5, 4, 8)]


def counted(layer, *bottoms):
    """Which fields' scores get a gradient."""
    leaves = [torch.tensor(b, requires_grad=i == 0) for i, b in enumerate(bottoms)]
    layer(*leaves).flatten()[0].backward()
    return (leaves[0].grad[:, : -4 if len(bottoms) == 2 else None] != 0).any(1).numpy()


SHAPES = [m.shape for m in MAPS]
GROUP_SHAPES = [m.shape for m in GROUPS]
