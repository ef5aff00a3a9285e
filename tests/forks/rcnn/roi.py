"""Regions, and what references for layers that pool them share."""

import math

import numpy as np

# record, left, top, right, bottom; inside, over the edges, upside down, of one pixel, outside, halves
ROIS = np.array(
    [
        [0, 0, 0, 13, 9],
        [1, 2.5, 1, 9, 7.5],
        [1, -6, -4, 30, 22],
        [0, 9, 6, 3, 2],
        [1, 5, 3, 5, 3],
        [0, 40, 30, 50, 44],
        [1, 0.5, 4.5, 6.5, 5.5],
    ]
)


def away(x):
    return math.copysign(math.floor(abs(x) + 0.5), x)


def between(map_, y, x):
    """`map_` (C, H, W) at one point, linear between positions; the edge's value beyond the edge."""
    height, width = map_.shape[1:]
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    h, w = math.floor(y), math.floor(x)
    h1, w1 = min(h + 1, height - 1), min(w + 1, width - 1)
    top = map_[:, h, w] * (1 - x + w) + map_[:, h, w1] * (x - w)
    bottom = map_[:, h1, w] * (1 - x + w) + map_[:, h1, w1] * (x - w)
    return top * (1 - y + h) + bottom * (y - h)


DATA = (2, 3, 5, 7)
