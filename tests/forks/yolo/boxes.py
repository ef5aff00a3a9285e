"""Boxes, how alike they are, and maps of them, one by one."""

import math

import numpy as np
import torch

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


def loss_and_gradient(layer, x, label, weight=1.0):
    x = torch.tensor(x, requires_grad=True)
    top = layer(x, torch.from_numpy(label))
    (weight * top).backward()
    return top.item(), x.grad.numpy()
