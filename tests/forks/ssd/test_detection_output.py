"""DetectionOutput, DetectionOutputExtended, and the boxes' arithmetic under it."""

import math

import numpy as np
import pytest
import torch

from tests.layers.harness import Error, draws, errors, make, run

RECORDS, PRIORS, CLASSES = 2, 7, 4


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    areas = [(c[2] - c[0]) * (c[3] - c[1]) if c[2] >= c[0] and c[3] >= c[1] else 0 for c in (a, b)]
    return w * h / (sum(areas) - w * h)


def decoded(code, prior, variance, offset):
    o = offset * variance
    w, h = prior[2] - prior[0], prior[3] - prior[1]
    if code == "CORNER":
        return prior + o
    if code == "CORNER_SIZE":
        return prior + o * [w, h, w, h]
    x, y = (prior[0] + prior[2]) / 2 + o[0] * w, (prior[1] + prior[3]) / 2 + o[1] * h
    w, h = w * math.exp(o[2]), h * math.exp(o[3])
    return np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])


def detections(offsets, confidences, priors, share=True, background=0, code="CORNER", encoded=False,
               threshold=-np.inf, nms=0.3, eta=1.0, top_k=-1, keep_top_k=-1):  # fmt: skip
    """One box at a time, as SSD's CPU code goes about it."""
    boxes, variances = priors.reshape(2, PRIORS, 4)
    offsets = offsets.reshape(RECORDS, PRIORS, 1 if share else CLASSES, 4)
    confidences = confidences.reshape(RECORDS, PRIORS, CLASSES)
    rows = []
    for record in range(RECORDS):
        found = []
        for label in range(CLASSES):
            if label == background:
                continue
            all_boxes = [
                decoded(
                    code, boxes[i], 1 if encoded else variances[i], offsets[record, i, 0 if share else label]
                )
                for i in range(PRIORS)
            ]
            scores = confidences[record, :, label]
            order = [i for i in np.argsort(-scores, kind="stable") if scores[i] > threshold]
            limit, kept = nms, []
            for i in order[: top_k if top_k > -1 else None]:
                if all(iou(all_boxes[i], all_boxes[k]) <= limit for k in kept):
                    kept.append(i)
                    if eta < 1 and limit > 0.5:
                        limit *= eta
            found += [(record, label, scores[i], *all_boxes[i]) for i in kept]
        if keep_top_k > -1:
            best = sorted(found, key=lambda row: -row[2])[:keep_top_k]
            found = [row for row in found if row in best]
        rows += found
    return np.array(rows).reshape(1, 1, -1, 7)


def inputs(share=True):
    centre, size = draws((PRIORS, 2), 3) / 8 + 0.5, np.abs(draws((PRIORS, 2), 4)) / 4 + 0.1
    boxes = np.concatenate((centre - size / 2, centre + size / 2), 1)
    priors = np.stack((boxes, np.abs(draws((PRIORS, 4), 5)) / 5)).reshape(1, 2, PRIORS * 4)
    offsets = draws((RECORDS, PRIORS * 4 * (1 if share else CLASSES)), 6) / 2
    return offsets, draws((RECORDS, PRIORS * CLASSES), 7) / 4 + 0.5, priors


def text(fields):
    return f'type: "DetectionOutput" detection_output_param {{ num_classes: {CLASSES} {fields} }}'


def output(layer, *bottoms):
    (top,) = run(layer, *map(torch.from_numpy, bottoms))
    return top.numpy()


@pytest.mark.parametrize(
    "fields, options",
    [
        ("", {}),
        ("code_type: CENTER_SIZE", {"code": "CENTER_SIZE"}),
        ("code_type: CORNER_SIZE", {"code": "CORNER_SIZE"}),
        ("variance_encoded_in_target: true", {"encoded": True}),
        ("share_location: false", {"share": False}),
        ("share_location: false background_label_id: 2", {"share": False, "background": 2}),
        ("background_label_id: -1", {"background": -1}),
        ("confidence_threshold: 0.5", {"threshold": 0.5}),
        ("keep_top_k: 3", {"keep_top_k": 3}),
        ("nms_param { nms_threshold: 0.1 top_k: 4 }", {"nms": 0.1, "top_k": 4}),
        ("nms_param { nms_threshold: 0.9 eta: 0.5 }", {"nms": 0.9, "eta": 0.5}),
        ("nms_param { nms_threshold: 1 } keep_top_k: 200", {"nms": 1.0, "keep_top_k": 200}),
    ],
)
def test_detections(fields, options):
    bottoms = inputs(options.get("share", True))
    layer = make(text(fields), *(b.shape for b in bottoms))
    wanted = detections(*bottoms, **options)
    np.testing.assert_allclose(output(layer, *bottoms), wanted, rtol=1e-6)
    assert layer.reshape(*(b.shape for b in bottoms)) == [(1, 1, 1, 7)]
    assert 0 < wanted.shape[2] <= RECORDS * PRIORS * CLASSES


def test_suppression_takes_something_away():
    bottoms = inputs()
    counts = [
        output(
            make(text(f"nms_param {{ nms_threshold: {t} }}"), *(b.shape for b in bottoms)), *bottoms
        ).shape[2]
        for t in (0.01, 0.3, 1)
    ]
    assert counts[0] < counts[1] < counts[2] == RECORDS * PRIORS * (CLASSES - 1)


def test_no_detections():
    bottoms = inputs()
    layer = make(text("confidence_threshold: 2"), *(b.shape for b in bottoms))
    assert output(layer, *bottoms).tolist() == [[[[0, *[-1] * 6], [1, *[-1] * 6]]]]


def test_no_gradient():
    bottoms = [torch.from_numpy(b).requires_grad_() for b in inputs()]
    assert not make(text(""), *(b.shape for b in bottoms))(*bottoms).requires_grad


SHAPES = [(RECORDS, PRIORS * 4), (RECORDS, PRIORS * CLASSES), (1, 2, PRIORS * 4)]

ERRORS = [
    Error('type: "DetectionOutput"', SHAPES, "num_classes must be set and above 0"),
    Error(text("nms_param { nms_threshold: -1 }"), SHAPES, "nms_threshold is -1 and must be at least 0"),
    Error(text("nms_param { eta: 1.5 }"), SHAPES, "eta is 1.5 and must be above 0 and at most 1"),
    Error(text("visualize: true"), SHAPES, "visualize draws on a screen"),
    Error(text(""), [(3, 28), *SHAPES[1:]], r"bottom 0 of shape \(3, 28\) has 3 records and bottom 1 .* 2"),
    Error(
        text("share_location: false"),
        SHAPES,
        r"bottom 0 of shape \(2, 28\) has 28 offsets a record, but the 7 priors of bottom 2 .* need 16 each, 112 in all",
    ),
    Error(
        text(""),
        [SHAPES[0], (2, 21), SHAPES[2]],
        "has 21 confidences a record, but the 7 priors .* need 4 each",
    ),
    Error(text(""), [*SHAPES[:2], (2, 2, 28)], r"bottom 2 of shape \(2, 2, 28\) must be 1 x 2 x 4 P"),
]

EXTENDED = 'type: "DetectionOutputExtended" detection_output_param { num_classes: 2 %s }'
GRID = [(2, 2, 3, 20), (2, 60), (1, 2, 120)]  # 2 rows, 3 columns, 5 anchors

ERRORS += [
    Error(EXTENDED.replace("2", "3") % "", GRID, "num_classes is 3 and must be 2: background and object"),
    Error(
        EXTENDED % "share_location: false",
        GRID,
        r"\(2, 2, 3, 20\) must be N x H x W x 8 A: the offsets of A anchors",
    ),
    Error(EXTENDED % "", [(2, 120), *GRID[1:]], r"bottom 0 of shape \(2, 120\) must be N x H x W x 4 A"),
    Error(
        EXTENDED % 'save_output_param { output_directory: "a" label_map_file: "b" name_size_file: "c" }',
        GRID,
        "writes no files; remove detection_output_param.save_output_param",
    ),
]

test_error = errors(ERRORS)


def test_extended_rows_name_the_anchor_and_the_position():
    plain = text("background_label_id: 0 keep_top_k: 9").replace(str(CLASSES), "2", 1)
    centre, size = draws((30, 2), 3) / 8 + 0.5, np.abs(draws((30, 2), 4)) / 4 + 0.1
    priors = np.stack((np.concatenate((centre - size / 2, centre + size / 2), 1), np.full((30, 4), 0.1)))
    bottoms = [draws(GRID[0], 6), draws(GRID[1], 7), priors.reshape(1, 2, 120)]
    rows = output(make(EXTENDED % "background_label_id: -1 keep_top_k: 9", *GRID), *bottoms)[0, 0]
    flat = [bottoms[0].reshape(2, 120), *bottoms[1:]]
    wanted = output(make(plain, *(b.shape for b in flat)), *flat)[0, 0]
    np.testing.assert_array_equal(rows[:, :7], wanted)
    for record, _, score, *_, anchor, x, y in rows:
        prior = int((y * 3 + x) * 5 + anchor)
        assert bottoms[1].reshape(2, 30, 2)[int(record), prior, 1] == score
    assert len(rows) == 18 and rows[:, 7:].max(0).tolist() == [4, 2, 1]
    assert make(EXTENDED % "", *GRID).reshape(*GRID) == [(1, 1, 1, 10)]


def test_extended_without_detections():
    layer = make(EXTENDED % "confidence_threshold: 9", *GRID)
    assert output(layer, *map(np.ones, GRID)).tolist() == [[[[0, *[-1] * 9], [1, *[-1] * 9]]]]
