"""EvalDetection against a reference that goes box by box."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.forks.yolo.boxes import ANCHORS, CLASSES, LENGTH, SIDE, N, box_of, measure, sigmoid
from tests.layers.harness import Error, draws, errors, make

BOXES = 2 * SIDE * SIDE
TEXT = (
    f'type: "EvalDetection" eval_detection_param {{ num_class: {CLASSES} num_object: 2 side: {SIDE} '
    f"{' '.join(f'biases: {v}' for a in ANCHORS for v in a)} %s }}"
)
MAPS = draws((N, 2 * LENGTH, SIDE, SIDE), 9)
TRUTH = [
    [(1, 0.3, 0.55, 0.4, 0.4), (0, 0.6, 0.5, 0.7, 0.8), (0, 0.1, 0.1, 0.2, 0.2)],
    [(2, 0.8, 0.6, 0.5, 0.6)],
]


def listed():
    label = np.zeros((N, 30, 5))
    for n, boxes in enumerate(TRUTH):
        label[n, : len(boxes)] = boxes
    return label.reshape(N, 150)


def tabled():
    lines = [
        [n, k + 1, 0, x - w / 2, y - h / 2, x + w / 2, y + h / 2, 0]
        for n, boxes in enumerate(TRUTH)
        for k, x, y, w, h in boxes
    ]
    return np.array([*lines, [-1] * 8], float)[None, None]


def evaluated(kind="MULTIPLY", nms=0.4, threshold=0.3):
    top = np.zeros((N, CLASSES + BOXES * 4))
    shares = [(w / SIDE, h / SIDE) for w, h in ANCHORS]
    for n in range(N):
        found = []
        for i, j, a in np.ndindex(SIDE, SIDE, 2):
            v = MAPS[n, a * LENGTH : (a + 1) * LENGTH, i, j]
            p = np.exp(v[5:]) / np.exp(v[5:]).sum()
            score = {"OBJ": sigmoid(v[4]), "PROB": p.max(), "MULTIPLY": sigmoid(v[4]) * p.max()}[kind]
            found.append((score, int(p.argmax()), box_of(MAPS, n, a, i, j, shares, True)))
        kept = []
        for each in sorted(found, key=lambda f: -f[0]):
            if all(measure(each[2], other[2]) < nms for other in kept):
                kept.append(each)
        rows = []
        for label in range(CLASSES):
            truth = [t[1:] for t in TRUTH[n] if t[0] == label]
            top[n, label] = len(truth)
            taken = set()
            for score, own, box in kept:
                if own != label or score < 0.005:
                    continue
                right, wrong = 0, int(not truth)
                if truth:
                    shared = [measure(box, t) for t in truth]
                    best = int(np.argmax(shared))
                    if shared[best] >= threshold:
                        right, wrong = (0, 1) if best in taken else (1, 0)
                        taken.add(best)
                rows.append((label, score, right, wrong))
        top[n, CLASSES : CLASSES + 4 * len(rows)] = np.ravel(rows)
    return top


@pytest.mark.parametrize("label", [listed(), tabled()], ids=["listed", "tabled"])
@pytest.mark.parametrize(
    "fields, options",
    [
        ("nms: 0.4 threshold: 0.3", {}),
        ("nms: 0.9 threshold: 0.1 score_type: OBJ", {"nms": 0.9, "threshold": 0.1, "kind": "OBJ"}),
        ("nms: 0.7 threshold: 0.2 score_type: PROB", {"nms": 0.7, "threshold": 0.2, "kind": "PROB"}),
    ],
)
def test_detections_are_judged(label, fields, options):
    layer = make(TEXT % fields, MAPS.shape, label.shape)
    top = layer(torch.tensor(MAPS, requires_grad=True), torch.from_numpy(label))
    wanted = evaluated(**options)
    rows = wanted[:, CLASSES:].reshape(-1, 4)
    assert {(r, w) for _, _, r, w in rows} >= {(1, 0), (0, 1), (0, 0)}
    np.testing.assert_allclose(top, wanted, rtol=1e-6)
    assert layer.reshape(MAPS.shape, label.shape) == [top.shape] and not top.requires_grad


def test_without_suppression_nothing_is_found():
    label = listed()
    top = make(TEXT % "", MAPS.shape, label.shape)(torch.from_numpy(MAPS), torch.from_numpy(label))
    assert top[:, :CLASSES].tolist() == [[2, 1, 0], [0, 0, 1]] and not top[:, CLASSES:].any()


def test_without_boxes():
    layer = make(TEXT % "nms: 0.4", MAPS.shape, (N, 150))
    top = layer(torch.from_numpy(MAPS), torch.zeros(N, 150, dtype=torch.double))
    rows = top[0, CLASSES:].reshape(-1, 4)
    assert not top[:, :CLASSES].any() and (rows[rows[:, 1] > 0][:, 3] == 1).all()


def test_labels():
    label = torch.zeros(N, 150, dtype=torch.double)
    label[1, :5] = torch.tensor([3, 0.5, 0.5, 0.2, 0.2])
    with pytest.raises(LayerError, match="a ground truth box has label 3, but the classes are 0 to 2"):
        make(TEXT % "nms: 0.4", MAPS.shape, label.shape)(torch.from_numpy(MAPS), label)


ERRORS = [
    Error(TEXT % "biases: 1", [MAPS.shape, (N, 150)], "has 5 biases for num_object 2"),
    Error(TEXT % "", [(N, 16, 5, 4), (N, 150)], r"\(2, 16, 5, 4\) must be N x 16 x 4 x 4"),
    Error(TEXT % "", [MAPS.shape, (N, 155)], r"bottom 1 of shape \(2, 155\) must be 2 x 150"),
]
test_error = errors(ERRORS)
