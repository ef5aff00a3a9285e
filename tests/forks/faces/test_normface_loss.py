"""GeneralContrastiveLoss, GeneralTripletLoss."""

import numpy as np
import pytest
import torch

from tests.layers.harness import Case, Error, cases, draws, errors, make


def contrastive(o, d, label, seen=None):
    """Value, gradient times N, and top 1, one distance at a time."""
    d = seen if seen is not None else d
    n, c = d.shape
    value, gradient = np.zeros_like(d), np.zeros_like(d)
    cut, gaps = np.zeros(n), 0.0
    for i in range(n):
        k = int(label[i])
        cut[i] = min(o["outlier"], max(0, d[i, k] - o["margin"]))
        value[i, k] = o["pull"] * cut[i]
        far = d[i, k] > o["first"]
        if far or o["margin"] < d[i, k] < o["outlier"]:
            gradient[i, k] = o["pull"]
        for j in range(c):
            if j == k or d[i, j] >= o["apart"]:
                continue
            gaps += o["apart"] - d[i, j]
            value[i, j] = o["push"] * (np.exp(-d[i, j]) if o["exp"] else o["apart"] - d[i, j])
            gradient[i, j] = -o["push"] * (np.exp(-d[i, j]) if o["exp"] else 1)
        if o["one_other"]:
            best = int(np.argmax([-1 if j == k and j else value[i, j] for j in range(c)]))
            for j in range(c):
                if j not in (k, best):
                    value[i, j] = gradient[i, j] = 0
        if far:
            value[i, np.arange(c) != k] = gradient[i, np.arange(c) != k] = 0
    if o["one_own"]:
        keep = int(np.argmin([value[i, int(label[i])] for i in range(n)]))
        for i in range(n):
            if i != keep:
                value[i, int(label[i])] = 0
                if d[i, int(label[i])] <= o["first"]:
                    gradient[i, int(label[i])] = 0
    if o["norm"]:
        others = np.array([[j != int(label[i]) for j in range(c)] for i in range(n)])
        share = abs(gradient[others].sum()) / o["norm"] / n
        if share > o["pull"]:
            gradient[others] /= share
    return value.sum() / n, gradient, np.array([cut.sum() / n, gaps / n / (c - 1)])


DEFAULTS = {
    "margin": 0, "apart": 1, "pull": 1, "push": 1, "outlier": 4, "exp": False, "first": np.inf, "one_other": False,
    "one_own": False, "norm": None,
}  # fmt: skip


def contrastive_case(name, fields, bottoms, **options):
    o = {**DEFAULTS, **options}
    text = f'type: "GeneralContrastiveLoss" top: "y" top: "z" general_contrastive_loss_param {{ {fields} }}'

    def formula(d, label, *seen):
        value, _, statistics = contrastive(o, d, label, *seen)
        return np.array(value), statistics

    def diffs(top_diffs, d, label, *seen):
        return top_diffs[0] * contrastive(o, d, label, *seen)[1] / len(d)

    return Case(name, text, bottoms, formula, diffs=diffs, gradient=[0])


def triplet(o, d, label, weight=None):
    n, c = d.shape
    value, gradient = 0.0, np.zeros_like(d)
    for i in range(n):
        k = int(label[i])
        same = d[i, k]
        terms = {j: same + o["margin"] - d[i, j] for j in range(c) if j != k and same + o["margin"] > d[i, j]}
        if o["hardest"] and terms:
            best = max(terms, key=terms.get)
            terms = {best: terms[best]}
        if same > o["first"]:
            gradient[i, k] = o["pull"]
            continue
        value += o["push"] * sum(terms.values())
        for j in terms:
            gradient[i, j] = -o["push"]
        if terms or o["always"]:
            gradient[i, k] = o["pull"]
    if weight is not None:
        gradient *= weight[:, None]
    own = [d[i, int(label[i])] for i in range(n)]
    return value / n, gradient, np.array([sum(own) / n, (d.sum() - sum(own)) / n / (c - 1)])


def triplet_case(name, fields, bottoms, **options):
    o = {
        "margin": float(np.float32(0.2)),
        "always": True,
        "hardest": False,
        "first": np.inf,
        "pull": 1,
        "push": 1,
        **options,
    }
    text = f'type: "GeneralTripletLoss" top: "y" top: "z" general_triplet_loss_param {{ {fields} }}'

    def formula(d, label, *weight):
        value, _, statistics = triplet(o, d, label, *weight)
        return np.array(value), statistics

    def diffs(top_diffs, d, label, *weight):
        return top_diffs[0] * triplet(o, d, label, *weight)[1] / len(d)

    return Case(name, text, bottoms, formula, diffs=diffs, gradient=[0])


LABELS = np.array([1.0, 0.0, 3.0])
DISTANCES = np.abs(draws((3, 4), 3)) * 2

CASES = [
    contrastive_case("contrastive", "", [DISTANCES, LABELS]),
    contrastive_case(
        "contrastive-weights",
        "positive_margin: 0.25 negative_margin: 2 positive_weight: 0.5 negative_weight: 3 positive_outlier_thresh: 2.5",
        [DISTANCES, LABELS], margin=0.25, apart=2, pull=0.5, push=3, outlier=2.5,
    ),
    contrastive_case("contrastive-exp", "exp_negative_weight: true negative_margin: 3", [DISTANCES, LABELS], exp=True, apart=3),
    contrastive_case(
        "contrastive-first", "positive_first: true positive_upper_bound: 1 negative_margin: 3", [DISTANCES, LABELS],
        first=1, apart=3,
    ),
    contrastive_case("contrastive-one-other", "max_negative_only: true negative_margin: 5", [DISTANCES, LABELS], one_other=True, apart=5),
    contrastive_case("contrastive-one-own", "max_positive_only: true", [DISTANCES, LABELS], one_own=True),
    contrastive_case("contrastive-norm", "normalize_negative: 0.5 negative_margin: 3", [DISTANCES, LABELS], norm=0.5, apart=3),
    contrastive_case("contrastive-seen", "negative_margin: 3", [(3, 4), LABELS, DISTANCES], apart=3),
    triplet_case("triplet", "", [DISTANCES, LABELS]),
    triplet_case(
        "triplet-hardest", "margin: 0.75 hardest_only: true positive_weight: 2 negative_weight: 3 add_center_loss: false",
        [DISTANCES, LABELS], margin=0.75, hardest=True, pull=2, push=3, always=False,
    ),
    triplet_case("triplet-first", "margin: 3 positive_first: true positive_upper_bound: 1", [DISTANCES, LABELS], margin=3, first=1),
    triplet_case("triplet-weights", "margin: 2", [DISTANCES, LABELS, (3,)], margin=2),
]  # fmt: skip

LOSS, TRIPLET = 'type: "GeneralContrastiveLoss"', 'type: "GeneralTripletLoss"'

ERRORS = [
    Error(LOSS, [(3, 1), (3,)], "has one distance an item, and at least 2 are needed"),
    Error(LOSS, [(3, 4), (3, 2)], "has 6 labels"),
    Error(
        LOSS, [(3, 4), (3,), (3, 5)], r"bottom 2 of shape \(3, 5\) must hold as many distances as bottom 0"
    ),
    Error(TRIPLET, [(3, 4), (3,), (2,)], r"bottom 2 of shape \(2,\) must have a weight for each of 3 items"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_the_margin_moves():
    text = f'{LOSS} top: "y" top: "z" general_contrastive_loss_param {{ add_intra_mae: true max_negative_margin: 0.02 }}'
    layer = make(text, (3, 4), (3,))
    moving = 0.0
    for _ in range(4):
        o = {**DEFAULTS, "apart": 1 + moving}
        value, statistics = layer(torch.from_numpy(DISTANCES), torch.from_numpy(LABELS))
        wanted, _, (cut, gap) = contrastive(o, DISTANCES, LABELS)
        moving = min(0.02, 0.99 * moving + 0.01 * cut)
        assert value.item() == pytest.approx(wanted)
        np.testing.assert_allclose(statistics, [cut, gap, moving], rtol=1e-6)
    assert moving == 0.02 and layer.reshape((3, 4), (3,)) == [(), (3,)]
