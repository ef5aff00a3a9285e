"""PriorBox, PriorBoxClustered."""

import math

import numpy as np
import pytest
import torch

from tests.layers.harness import Case, Error, cases, errors, make

F32 = np.float32


def priors(ratios, mins, maxs=(), picture=None, step=None, offset=0.5, clip=False, variance=(0.1,)):
    """One box at a time. `ratios` are those beside 1, flips included."""

    def formula(features, data=None):
        rows, columns = features.shape[2:]
        height, width = picture or data.shape[2:]
        dy, dx = step or (height / rows, width / columns)
        boxes = []
        for i in range(rows):
            for j in range(columns):
                x, y = float(F32(j + F32(offset)) * F32(dx)), float(F32(i + F32(offset)) * F32(dy))
                for k, least in enumerate(mins):
                    sizes = [(least, least)]
                    if maxs:
                        sizes.append([math.sqrt(least * maxs[k])] * 2)
                    roots = [np.sqrt(F32(r)) for r in ratios]
                    sizes += [(F32(least) * r, F32(least) / r) for r in roots]
                    for w, h in np.array(sizes, F32).astype(float):
                        boxes += [
                            (x - w / 2) / width,
                            (y - h / 2) / height,
                            (x + w / 2) / width,
                            (y + h / 2) / height,
                        ]
        boxes = np.clip(boxes, 0, 1) if clip else np.array(boxes)
        variances = np.resize(np.array(variance, F32), boxes.shape)
        return np.stack((boxes, variances))[None]

    return formula


def clustered(sizes, step=None):
    """One box at a time, of set sizes."""

    def formula(features, data):
        (rows, columns), (height, width) = features.shape[2:], data.shape[2:]
        dy, dx = step or (height / rows, width / columns)
        boxes = [
            ((j + 0.5) * dx + sx * w / 2, (i + 0.5) * dy + sy * h / 2)
            for i in range(rows)
            for j in range(columns)
            for w, h in sizes
            for sx, sy in ((-1, -1), (1, 1))
        ]
        boxes = (np.array(boxes) / (width, height)).ravel()
        return np.stack((boxes, np.resize(np.array([0.1, 0.1, 0.2, 0.2], F32), boxes.shape)))[None]

    return formula


def denser(least, ratio, offset=0.5):
    """TextBoxes++: each box again, half a step further down."""

    def formula(features, data):
        (rows, columns), (height, width) = features.shape[2:], data.shape[2:]
        boxes = []
        for i in range(rows):
            for j in range(columns):
                x = (j + offset) * width / columns
                for w, h in ((least, least), (least * math.sqrt(ratio), least / math.sqrt(ratio))):
                    for y in ((i + offset) * height / rows, (i + 1) * height / rows):
                        boxes += [(x - w / 2) / width, (y - h / 2) / height]
                        boxes += [(x + w / 2) / width, (y + h / 2) / height]
        return np.stack((boxes, np.full(len(boxes), F32(0.1))))[None]

    return formula


def dense(boxes_of, ratios=(1,), mins=()):
    """FaceBoxes: (size, density) pairs, then boxes of min_size."""

    def formula(features, data):
        (rows, columns), (height, width) = features.shape[2:], data.shape[2:]
        top = []
        for i in range(rows):
            for j in range(columns):
                x, y = (j + 0.5) * width / columns, (i + 0.5) * height / rows
                for size, density in boxes_of:
                    step = size // density
                    for ratio in ratios:
                        w, h = size * math.sqrt(ratio), size / math.sqrt(ratio)
                        for r in range(density):
                            for c in range(density):
                                cx = x - size // 2 + step / 2 + c * step
                                cy = y - size // 2 + step / 2 + r * step
                                top += [max(0, cx - w / 2) / width, max(0, cy - h / 2) / height]
                                top += [min(width, cx + w / 2) / width, min(height, cy + h / 2) / height]
                for least in mins:
                    top += [(x - least / 2) / width, (y - least / 2) / height]
                    top += [(x + least / 2) / width, (y + least / 2) / height]
        return np.stack((top, np.full(len(top), F32(0.1))))[None]

    return formula


PRIOR = 'type: "PriorBox" prior_box_param'
CLUSTERED = (
    'type: "PriorBoxClustered" prior_box_param { width: 30 width: 41.5 height: 67 height: 90.25 variance: 0.1 '
    "variance: 0.1 variance: 0.2 variance: 0.2"
)
SHAPES = [(2, 5, 3, 4), (2, 1, 60, 90)]

CASES = [
    Case(
        "denser",
        f"{PRIOR} {{ min_size: 20 aspect_ratio: 4 flip: false denser_prior_boxes: true }}",
        SHAPES,
        denser(20, 4),
        gradient=(),
    ),
    Case(
        "denser-offset",
        f"{PRIOR} {{ min_size: 20 aspect_ratio: 4 flip: false denser_prior_boxes: true offset: 0.25 }}",
        SHAPES,
        denser(20, 4, 0.25),
        gradient=(),
    ),
    Case(
        "dense",
        f"{PRIOR} {{ fixed_size: 33 density: 4 fixed_size: 60 density: 1 }}",
        SHAPES,
        dense([(33, 4), (60, 1)]),
        gradient=(),
    ),
    Case(
        "dense-ratios",
        f"{PRIOR} {{ fixed_size: 32 density: 2 fixed_ratio: 4 fixed_ratio: 1 min_size: 9 }}",
        SHAPES,
        dense([(32, 2)], (4, 1), [9]),
        gradient=(),
    ),
    Case("one-size", f"{PRIOR} {{ min_size: 20 }}", SHAPES, priors([], [20]), gradient=()),
    Case(
        "ssd",
        f"{PRIOR} {{ min_size: 30 max_size: 60 aspect_ratio: 2 aspect_ratio: 3 clip: true step: 16 "
        "variance: 0.1 variance: 0.2 variance: 0.3 variance: 0.4 }",
        SHAPES,
        priors([2, 1 / 2, 3, 1 / 3], [30], [60], step=(16, 16), clip=True, variance=(0.1, 0.2, 0.3, 0.4)),
        gradient=(),
    ),
    Case(
        "two-sizes-that-are-cut",
        f"{PRIOR} {{ min_size: 20.7 min_size: 31.2 max_size: 40.9 max_size: 50.1 aspect_ratio: 2 flip: false "
        "variance: 0.25 }",
        SHAPES,
        priors([2], [20, 31], [40, 50], variance=(0.25,)),
        gradient=(),
    ),
    Case(
        "ratios-that-are-there",
        f"{PRIOR} {{ min_size: 20 aspect_ratio: 1 aspect_ratio: 2 aspect_ratio: 0.5 }}",
        SHAPES,
        priors([2, 0.5], [20]),
        gradient=(),
    ),
    Case(
        "without-a-picture",
        f"{PRIOR} {{ min_size: 20 img_h: 50 img_w: 70 step_h: 11 step_w: 13 offset: 0.25 }}",
        SHAPES[:1],
        priors([], [20], picture=(50, 70), step=(11, 13), offset=0.25),
        gradient=(),
    ),
    Case("clusters", f"{CLUSTERED} }}", SHAPES, clustered([(30, 67), (41.5, 90.25)]), gradient=()),
    Case(
        "clusters-with-a-step",
        f"{CLUSTERED} step: 16 }}",
        SHAPES,
        clustered([(30, 67), (41.5, 90.25)], (16, 16)),
        gradient=(),
    ),
]

ERRORS = [
    Error(PRIOR[:16], SHAPES, r"min_size is \[\]; give at least one"),
    Error(f"{PRIOR} {{ min_size: 20 max_size: 30 max_size: 40 }}", SHAPES, "has 2 max_size for 1 min_size"),
    Error(f"{PRIOR} {{ min_size: 20 max_size: 20 }}", SHAPES, "max_size 20 must be above its min_size 20"),
    Error(
        f"{PRIOR} {{ min_size: 20 variance: 1 variance: 2 }}",
        SHAPES,
        r"variance is \[1.0, 2.0\]; give one or four",
    ),
    Error(f"{PRIOR} {{ min_size: 20 variance: 0 }}", SHAPES, r"variance is \[0.0\]"),
    Error(f"{PRIOR} {{ min_size: 20 img_size: 9 img_h: 3 }}", SHAPES, "has both img_size and img_h or img_w"),
    Error(f"{PRIOR} {{ min_size: 20 step_h: 9 }}", SHAPES, "step_h x step_w is 9 x 0; both must be above 0"),
    Error(
        f"{PRIOR} {{ fixed_size: 20 }}",
        SHAPES,
        r"fixed_size \[20.0\] and density \[\]; give one density for each",
    ),
    Error(f"{PRIOR} {{ min_size: 20 }}", SHAPES[:1], "has one bottom and no img_size"),
    Error(f"{CLUSTERED} width: 3 }}", SHAPES, "has 3 width and 2 height; give one of each a box"),
    Error(f"{CLUSTERED} width: 0 height: 3 }}", SHAPES, "a width or height of 0; each must be above 0"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_another_shape_makes_other_priors():
    layer = make(f"{PRIOR} {{ min_size: 20 }}", *SHAPES)
    assert layer.reshape((2, 5, 2, 3), SHAPES[1]) == [(1, 2, 24)]
    top = layer(torch.zeros(2, 5, 2, 3), torch.zeros(SHAPES[1]))
    np.testing.assert_allclose(top, priors([], [20])(np.zeros((2, 5, 2, 3)), np.zeros(SHAPES[1])), rtol=1e-6)
    assert not top.requires_grad and layer.state_dict() == {}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype(dtype):
    assert make(f"{PRIOR} {{ min_size: 20 }}", *SHAPES, dtype=dtype)(*map(torch.zeros, SHAPES)).dtype == dtype
