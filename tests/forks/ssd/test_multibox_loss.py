"""MultiBoxLoss against a reference that goes box by box."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.forks.ssd.test_detection_output import decoded, iou
from tests.layers.harness import Error, draws, errors, make

RECORDS, PRIORS, CLASSES = 3, 11, 4


def encoded(code, prior, box):
    w, h = prior[2] - prior[0], prior[3] - prior[1]
    if code == "CORNER":
        return box - prior
    if code == "CORNER_SIZE":
        return (box - prior) / [w, h, w, h]
    x, y = ((box[i] + box[i + 2] - prior[i] - prior[i + 2]) / 2 for i in (0, 1))
    return np.array([x / w, y / h, math.log((box[2] - box[0]) / w), math.log((box[3] - box[1]) / h)])


def matched(boxes, truths, threshold, bipartite=False, ignore_crossing=False):
    """The truth of each box (-1: none, -2: it crosses the picture's edge) and its greatest overlap."""
    index, best = [-1] * len(boxes), [0.0] * len(boxes)
    overlaps = {}
    for i, box in enumerate(boxes):
        if ignore_crossing and (min(box) < 0 or max(box) > 1):
            index[i] = -2
            continue
        for j, truth in enumerate(truths):
            if (shared := iou(box, truth)) > 1e-6:
                overlaps[i, j], best[i] = shared, max(best[i], shared)
    pool = set(range(len(truths)))
    while pairs := {k: v for k, v in overlaps.items() if index[k[0]] == -1 and k[1] in pool}:
        i, j = max(pairs, key=lambda k: pairs[k])
        index[i] = j
        pool.remove(j)
    if not bipartite:
        for i in range(len(boxes)):
            fits = {j: overlaps[i, j] for j in range(len(truths)) if overlaps.get((i, j), -1) >= threshold}
            if index[i] == -1 and fits:
                index[i] = max(fits, key=lambda j: fits[j])
    return index, best


def confidence_loss(scores, label, logistic):
    if logistic:
        return sum(math.log1p(math.exp(-s if c == label else s)) for c, s in enumerate(scores))
    return math.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[label]


def box_loss(error, l2):
    return sum(e * e / 2 if l2 or abs(e) < 1 else abs(e) - 0.5 for e in error)


def loss(offsets, scores, priors, truth, code="CORNER", share=True, threshold=0.5, bipartite=False, use_prior=True,
         difficult=True, mining="MAX_NEGATIVE", ratio=3.0, neg_overlap=0.5, samples=64, logistic=False, l2=False,
         weight=1.0, in_target=False, crossing=False, inside=False, agnostic=False, nms=None, nms_prior=False,
         mode="VALID", boxes_learn=True, classes_learn=True, classes=CLASSES):  # fmt: skip
    prior, variance = priors.reshape(2, PRIORS, 4)
    offsets = offsets.reshape(RECORDS, PRIORS, 1 if share else classes, 4)
    scores = scores.reshape(RECORDS, PRIORS, classes)
    scale = 1 if in_target else variance
    total_box = total_class = matches = 0

    def offset_loss(n, slot, i, box):
        predicted, wanted = offsets[n, i, slot].copy(), encoded(code, prior[i], box)
        if not in_target:
            wanted = wanted / variance[i]
        if inside:
            at = (
                prior[i]
                if use_prior
                else decoded(code, prior[i], variance[i] if not in_target else 1, predicted)
            )
            predicted[(at < 0) | (at > 1)] = wanted[(at < 0) | (at > 1)]
        return box_loss((predicted - wanted) / (variance[i] if in_target else 1), l2)

    for n in range(RECORDS):
        rows = [r for r in truth.reshape(-1, 8) if r[0] == n and (difficult or not r[7])]
        labels, boxes = [1 if agnostic else int(r[1]) for r in rows], [r[3:7] for r in rows]
        learns = {}  # prior: label, slot, truth
        if rows and use_prior:
            index, best = matched(prior, boxes, threshold, bipartite, crossing)
            learns = {(i, 0 if share else labels[j]): j for i, j in enumerate(index) if j >= 0}
        elif rows:
            for slot in range(1 if share else classes):
                if not share and slot == 0:
                    continue
                at = [decoded(code, prior[i], scale if in_target else variance[i], offsets[n, i, slot])
                      for i in range(PRIORS)]  # fmt: skip
                mine = [j for j in range(len(rows)) if share or labels[j] == slot]
                index, best = matched(at, [boxes[j] for j in mine], threshold, bipartite, crossing)
                learns |= {(i, slot): mine[j] for i, j in enumerate(index) if j >= 0}
        label = [0] * PRIORS
        for (i, _), j in learns.items():
            label[i] = labels[j]
        if mining == "NONE":
            negatives = [i for i in range(PRIORS) if label[i] == 0]
        elif not rows:
            negatives = []
        else:
            each = [confidence_loss(scores[n, i], label[i], logistic) for i in range(PRIORS)]
            if mining == "HARD_EXAMPLE":
                for (i, slot), j in learns.items():
                    each[i] += offset_loss(n, slot, i, boxes[j])
                eligible = list(range(PRIORS))
                wanted = min(samples, PRIORS)
            else:
                eligible = [i for i in range(PRIORS) if index[i] == -1 and best[i] < neg_overlap]
                wanted = min(int(len(learns) * ratio), len(eligible))
            order = sorted(eligible, key=lambda i: -each[i])
            if nms:
                at = [prior[i] if nms_prior else decoded(code, prior[i], variance[i], offsets[n, i, 0])
                      for i in range(PRIORS)]  # fmt: skip
                kept = []
                for i in order[: nms[1]]:
                    size = np.maximum(at[i][2:] - at[i][:2], 0).prod()
                    if size >= 1e-5 and all(iou(at[i], at[k]) <= nms[0] for k in kept):
                        kept.append(i)
                order = kept
            chosen = order[:wanted]
            negatives = [i for i in chosen if index[i] == -1]
            if mining == "HARD_EXAMPLE":
                learns = {k: j for k, j in learns.items() if k[0] in chosen}
        matches += len(learns)
        total_box += sum(offset_loss(n, slot, i, boxes[j]) for (i, slot), j in learns.items())
        for i in {i for i, _ in learns}:
            total_class += confidence_loss(scores[n, i], label[i], logistic)
        for i in negatives:
            target = -1 if logistic and mining == "NONE" else 0
            total_class += confidence_loss(scores[n, i], target, logistic)
    divisor = {"VALID": matches, "FULL": RECORDS * PRIORS, "BATCH_SIZE": RECORDS, "NONE": 1}[mode]
    return (weight * total_box * boxes_learn + total_class * classes_learn) / max(1, divisor)


def inputs(share=True, classes=CLASSES):
    centre, size = draws((PRIORS, 2), 3) / 5 + 0.5, np.abs(draws((PRIORS, 2), 4)) / 4 + 0.15
    boxes = np.concatenate((centre - size / 2, centre + size / 2), 1)
    priors = np.stack((boxes, np.abs(draws((PRIORS, 4), 5)) / 5 + 0.05)).reshape(1, 2, -1)
    centre, size = draws((5, 2), 8) / 6 + 0.5, np.abs(draws((5, 2), 9)) / 4 + 0.2
    truth = np.concatenate((np.zeros((5, 8)),))
    truth[:, 0], truth[:, 1], truth[:, 7] = [0, 0, 0, 2, -1], [1, 3, 2, 3, 9], [0, 0, 1, 0, 0]
    truth[:, 3:7] = np.concatenate((centre - size / 2, centre + size / 2), 1)
    if classes == 2:
        truth[:, 1] = [7, 1, 1, 3, 9]
    offsets = draws((RECORDS, PRIORS * 4 * (1 if share else classes)), 6) / 2
    return offsets, draws((RECORDS, PRIORS * classes), 7), priors, truth.reshape(1, 1, 5, 8)


def text(fields="", more="", classes=CLASSES):
    return f'type: "MultiBoxLoss" {more} multibox_loss_param {{ num_classes: {classes} {fields} }}'


OPTIONS = [
    ("", "", {}),
    ("code_type: CENTER_SIZE loc_weight: 2", "", {"code": "CENTER_SIZE", "weight": 2}),
    ("code_type: CORNER_SIZE", "", {"code": "CORNER_SIZE"}),
    (
        "encode_variance_in_target: true code_type: CENTER_SIZE",
        "",
        {"code": "CENTER_SIZE", "in_target": True},
    ),
    ("loc_loss_type: L2", "", {"l2": True}),
    ("conf_loss_type: LOGISTIC", "", {"logistic": True}),
    ("conf_loss_type: LOGISTIC mining_type: NONE", "", {"logistic": True, "mining": "NONE"}),
    ("match_type: BIPARTITE", "", {"bipartite": True}),
    ("overlap_threshold: 0.2 neg_overlap: 0.1", "", {"threshold": 0.2, "neg_overlap": 0.1}),
    ("use_prior_for_matching: false", "", {"use_prior": False}),
    ("share_location: false mining_type: NONE", "", {"share": False, "mining": "NONE"}),
    (
        "share_location: false mining_type: NONE use_prior_for_matching: false",
        "",
        {"share": False, "mining": "NONE", "use_prior": False},
    ),
    ("mining_type: NONE do_neg_mining: false", "", {"mining": "NONE"}),
    ("mining_type: HARD_EXAMPLE sample_size: 4", "", {"mining": "HARD_EXAMPLE", "samples": 4}),
    ("neg_pos_ratio: 0.7", "", {"ratio": 0.7}),
    ("use_difficult_gt: false", "", {"difficult": False}),
    ("ignore_cross_boundary_bbox: true", "", {"crossing": True}),
    ("bp_inside: true", "", {"inside": True}),
    ("bp_inside: true use_prior_for_matching: false", "", {"inside": True, "use_prior": False}),
    (
        "nms_param { nms_threshold: 0.2 top_k: 4 } use_prior_for_nms: true",
        "",
        {"nms": (0.2, 4), "nms_prior": True},
    ),
    (
        "nms_param { nms_threshold: 0.2 top_k: 6 } mining_type: HARD_EXAMPLE",
        "",
        {"nms": (0.2, 6), "mining": "HARD_EXAMPLE"},
    ),
    ("map_object_to_agnostic: true", "", {"agnostic": True, "classes": 2}),
    ("", "loss_param { normalization: FULL }", {"mode": "FULL"}),
    ("", "loss_param { normalization: BATCH_SIZE }", {"mode": "BATCH_SIZE"}),
    ("", "loss_param { normalize: false }", {"mode": "BATCH_SIZE"}),
    ("", "loss_param { normalization: NONE }", {"mode": "NONE"}),
    (
        "",
        "propagate_down: false propagate_down: true propagate_down: false propagate_down: false",
        {"boxes_learn": False},
    ),
    (
        "",
        "propagate_down: true propagate_down: false propagate_down: false propagate_down: false",
        {"classes_learn": False},
    ),
]


@pytest.mark.parametrize("fields, more, options", OPTIONS, ids=[f + m for f, m, _ in OPTIONS])
def test_loss(fields, more, options):
    classes = options.get("classes", CLASSES)
    bottoms = inputs(options.get("share", True), classes)
    layer = make(text(fields, more, classes), *(b.shape for b in bottoms))
    top = layer(*map(torch.from_numpy, bottoms))
    assert layer.reshape(*(b.shape for b in bottoms)) == [()] and top.shape == ()
    assert top.item() == pytest.approx(loss(*bottoms, **options), rel=1e-6)


@pytest.mark.parametrize("fields", ["code_type: CENTER_SIZE", "conf_loss_type: LOGISTIC loc_loss_type: L2"])
def test_gradient(fields):
    bottoms = inputs()
    layer = make(text(fields), *(b.shape for b in bottoms))
    offsets, scores, priors, truth = (torch.from_numpy(b) for b in bottoms)
    leaves = offsets.requires_grad_(), scores.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: layer(a, b, priors, truth), leaves)
    assert [layer.allow_force_backward(i) for i in range(4)] == [True, True, False, False]


def test_without_ground_truth():
    offsets, scores, priors, truth = (torch.from_numpy(b) for b in inputs())
    layer = make(text(), offsets.shape, scores.shape, priors.shape, truth.shape)
    leaves = offsets.requires_grad_(), scores.requires_grad_()
    top = layer(*leaves, priors, torch.full_like(truth, -1))
    top.backward()
    assert top.item() == 0 and not any(leaf.grad.any() for leaf in leaves)


def test_boxes_of_the_ground_truth_may_change_in_number():
    bottoms = inputs()
    layer = make(text(), *(b.shape for b in bottoms))
    fewer = (*bottoms[:3], bottoms[3][:, :, :3])
    assert layer(*map(torch.from_numpy, fewer)).item() == pytest.approx(loss(*fewer), rel=1e-6)


SHAPES = [(3, 44), (3, 44), (1, 2, 44), (1, 1, 5, 8)]

ERRORS = [
    Error('type: "MultiBoxLoss"', SHAPES, "num_classes must be set and above 0"),
    Error(text("do_neg_mining: false"), SHAPES, "do_neg_mining is false, but mining_type is MAX_NEGATIVE"),
    Error(text("share_location: false"), SHAPES, "share_location is false, which needs mining_type: NONE"),
    Error(text("mining_type: HARD_EXAMPLE sample_size: 0"), SHAPES, "sample_size is 0 and must be above 0"),
    Error(
        text("background_label_id: 4"),
        SHAPES,
        "background_label_id is 4, but there are 4 classes; use 0 to 3",
    ),
    Error(text("map_object_to_agnostic: true"), SHAPES, "map_object_to_agnostic needs num_classes 2, not 4"),
    Error(text(), [(3, 40), *SHAPES[1:]], "has 40 offsets a record, but the 11 priors"),
    Error(text(), [SHAPES[0], (3, 33), *SHAPES[2:]], "has 33 confidences a record"),
    Error(text(), [*SHAPES[:3], (1, 1, 5, 7)], r"bottom 3 of shape \(1, 1, 5, 7\) must hold 8 numbers"),
    Error(text(), [(3, 44), (2, 44), *SHAPES[2:]], "differ in their first dimension"),
]

test_error = errors(ERRORS)


@pytest.mark.parametrize(
    "column, value, fields, match",
    [
        (1, 4, "", "has label 4, but the classes are 0 to 3 and 0 is the background"),
        (1, 0, "", "has label 0, but the classes are 0 to 3 and 0 is the background"),
        (5, -1, "code_type: CENTER_SIZE", r"a ground truth box is \[.*\], which has no width"),
    ],
)
def test_bad_ground_truth(column, value, fields, match):
    *bottoms, truth = inputs()
    truth[0, 0, 1, column] = value
    layer = make(text(fields), *(b.shape for b in (*bottoms, truth)))
    with pytest.raises(LayerError, match=match):
        layer(*map(torch.from_numpy, (*bottoms, truth)))
