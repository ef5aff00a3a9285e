"""References for layers with a bbox_reg_param."""

import math

import numpy as np
import torch

from tests.layers.harness import make, run

# As a message holds them: float32.
MEAN, STD = np.array([[0.1, -0.2, 0.05, 0.15], [0.5, 0.4, 0.3, 0.2]], np.float32).astype(float)
REG = (
    "bbox_reg_param { "
    + " ".join(f"bbox_mean: {m}" for m in MEAN)
    + " "
    + " ".join(f"bbox_std: {s}" for s in STD)
)
REG_ALIKE = REG + " cls_aware: false }"
REG += " }"


def shared(a, b, mode="IOU"):
    """Overlap of boxes both ends of which are pixels of theirs."""
    w, h = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) + 1 for i in (0, 1))
    own, other = ((c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b))
    if w < 1 or h < 1:
        return 0.0
    return w * h / {"IOU": own + other - w * h, "IOMU": min(own, other), "IOFU": own}[mode]


def denormalised(offset):
    return np.array(offset) * STD + MEAN


def moved(region, offset):
    w, h = region[2] - region[0] + 1, region[3] - region[1] + 1
    x, y = offset[0] * w + (region[0] + region[2]) / 2, offset[1] * h + (region[1] + region[3]) / 2
    w, h = w * math.exp(offset[2]), h * math.exp(offset[3])
    return [x - (w - 1) / 2, y - (h - 1) / 2, x + (w - 1) / 2, y + (h - 1) / 2]


def best_of(found, most, limit, post, mode, edges):
    """Suppression of (score, box) as the forks do it; `edges` is 1 where the last pixel is outside the box."""
    found = sorted(found, key=lambda f: -f[0])[: most or None]
    kept = []
    for score, box in found:
        inner = np.array(box) - [0, 0, edges, edges]
        if all(shared(np.array(k) - [0, 0, edges, edges], inner, mode) <= limit for _, k in kept):
            kept.append((score, box))
    return kept[: post or None]


def outputs(text, bottoms):
    layer = make(text, *(b.shape for b in bottoms))
    return layer, [top.numpy() for top in run(layer, *map(torch.from_numpy, bottoms))]


ROIS = np.array([[0, 10, 12, 40, 30], [1, 5, 5, 25, 45], [1, 30, 2, 60, 20], [0, 3, 4, 20, 33]], float)
