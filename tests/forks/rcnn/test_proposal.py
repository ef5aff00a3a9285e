"""Proposal."""

import math

import numpy as np
import pytest
import torch

from tests.layers.harness import Error, draws, errors, make

TEXT = (
    'type: "Proposal" %s proposal_param { ratio: 0.5 ratio: 1 ratio: 2 scale: 2 scale: 3 feat_stride: 16 %s }'
)
SHAPES = [(1, 12, 4, 5), (1, 24, 4, 5), (1, 3)]


def anchors(base):
    """As Faster R-CNN's generate_anchors gives them, but halves are rounded up."""
    for ratio in (0.5, 1, 2):
        width = math.floor(math.sqrt(base * base / ratio) + 0.5)
        height = math.floor(width * ratio + 0.5)
        for scale in (2, 3):
            w, h = width * scale, height * scale
            yield [(base - w) / 2, (base - h) / 2, (base + w) / 2 - 1, (base + h) / 2 - 1]


def shared(a, b):
    w, h = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) + 1 for i in (0, 1))
    own, other = ((c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b))
    return w * h / (own + other - w * h) if w > 0 and h > 0 else 0


def proposals(scores, offsets, info, base=16, least=16, before=6000, after=300, limit=0.7):
    height, width, scale = info[0][:3]
    factors = (info[0][3] if len(info[0]) == 4 else scale, scale)
    found = []
    for i, j in np.ndindex(4, 5):
        for k, (x0, y0, x1, y1) in enumerate(anchors(base)):
            dx, dy, dw, dh = offsets[0, 4 * k : 4 * k + 4, i, j]
            w, h = x1 - x0 + 1, y1 - y0 + 1
            x, y = x0 + 16 * j + w / 2 + dx * w, y0 + 16 * i + h / 2 + dy * h
            w, h = w * math.exp(dw), h * math.exp(dh)
            box = [
                min(max(v, 0), edge - 1)
                for v, edge in (
                    (x - w / 2, width),
                    (y - h / 2, height),
                    (x + w / 2, width),
                    (y + h / 2, height),
                )
            ]
            large = box[2] - box[0] + 1 >= least * factors[0] and box[3] - box[1] + 1 >= least * factors[1]
            found.append((scores[0, 6 + k, i, j] * large, box))
    kept = []
    for score, box in sorted(found, key=lambda f: -f[0])[:before]:
        if all(shared(box, other) <= limit for _, other in kept):
            kept.append((score, box))
    return [box for _, box in kept[:after]], [score for score, _ in kept[:after]]


@pytest.mark.parametrize(
    "fields, options, info",
    [
        ("", {}, [[64, 80, 1]]),
        ("min_size: 20 nms_thresh: 0.3", {"least": 20, "limit": 0.3}, [[60, 76, 1.5]]),
        (
            "pre_nms_topn: 40 post_nms_topn: 7 base_size: 12",
            {"before": 40, "after": 7, "base": 12},
            [[64, 80, 1]],
        ),
        ("min_size: 30", {"least": 30}, [[64, 80, 1.5, 0.5]]),
    ],
)
def test_proposals(fields, options, info):
    bottoms = [np.abs(draws(SHAPES[0], 1)), draws(SHAPES[1], 2) / 2, np.array(info, float)]
    layer = make(TEXT % ('top: "rois" top: "scores"', fields), *(b.shape for b in bottoms))
    regions, scores = layer(*(torch.tensor(b, requires_grad=True) for b in bottoms))
    boxes, wanted = proposals(*bottoms, **options)
    assert len(boxes) > 5 and not regions.requires_grad and not regions[:, 0].any()
    np.testing.assert_allclose(regions[:, 1:], boxes, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(scores, wanted)
    after = options.get("after", 300)
    assert layer.reshape(*(b.shape for b in bottoms)) == [(after, 5), (after,)]


def test_one_top_and_one_scale():
    shapes = [(1, 2, 4, 5), (1, 4, 4, 5), (1, 3)]
    layer = make('type: "Proposal" proposal_param { ratio: 1 scale: 2 }', *shapes)
    assert layer.reshape(*shapes) == [(300, 5)]
    top = layer(*(torch.from_numpy(draws(s)) for s in shapes[:2]), torch.tensor([[64.0, 80, 1]]))
    assert top.shape[1] == 5


ERRORS = [
    Error(
        'type: "Proposal" proposal_param { scale: 3 }',
        SHAPES,
        r"has ratio \[\] and scale \[3.0\]; give at least one",
    ),
    Error(TEXT % ("", "nms_num: 3"), SHAPES, "proposal_param.nms_num: another fork's Proposal"),
    Error(
        TEXT % ("", ""),
        [(2, 12, 4, 5), *SHAPES[1:]],
        r"must be 1 x 12 x H x W and 1 x 24 x H x W for 6 anchors",
    ),
    Error(TEXT % ("", ""), [SHAPES[0], (1, 20, 4, 5), SHAPES[2]], "for 6 anchors"),
    Error(
        TEXT % ("", ""), [*SHAPES[:2], (1, 2)], r"bottom 2 of shape \(1, 2\) must hold the picture's height"
    ),
]
test_error = errors(ERRORS)
