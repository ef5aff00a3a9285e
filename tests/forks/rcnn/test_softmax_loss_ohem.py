"""SoftmaxWithLossOHEM."""

import numpy as np
import pytest
import torch

from tests.layers.harness import Case, cases, make, run

LABELS = np.array([0, 3, 2, 3, 1])
MAP = (np.arange(24) * 7 % 5).reshape(2, 3, 4)


def loss(ignore=None, tops=3):
    def formula(scores, labels):
        e = np.exp(scores - scores.max(1, keepdims=True))
        p = e / e.sum(1, keepdims=True)
        each = -np.log(np.take_along_axis(p, labels.astype(int).reshape(len(p), 1, *p.shape[2:]), 1)).reshape(
            labels.shape
        )
        each = np.where(labels == ignore, 0, each)
        return (np.array(each.sum() / (labels != ignore).sum()), p, each)[:tops]

    return formula


TOPS = 'type: "SoftmaxWithLossOHEM" top: "loss" top: "p" top: "each"'

CASES = [
    Case("labels-that-count", TOPS, [(5, 4), LABELS], loss(), gradient=(0,)),
    Case(
        "ignored-labels", f"{TOPS} loss_param {{ ignore_label: 3 }}", [(5, 4), LABELS], loss(3), gradient=(0,)
    ),
    Case(
        "pre-fixed",
        f"{TOPS} loss_param {{ normalization: PRE_FIXED pre_fixed_normalizer: 128 }}",
        [(5, 4), LABELS],
        lambda scores, labels: (loss()(scores, labels)[0] * 5 / 128, *loss()(scores, labels)[1:]),
        gradient=(0,),
    ),
    Case("maps", TOPS, [(2, 5, 3, 4), MAP], loss(), gradient=(0,)),
    Case(
        "two-tops",
        'type: "SoftmaxWithLossOHEM" top: "loss" top: "p"',
        [(5, 4), LABELS],
        loss(tops=2),
        gradient=(0,),
    ),
    Case("one-top", 'type: "SoftmaxWithLossOHEM"', [(5, 4), LABELS], loss(tops=1), gradient=(0,)),
]

test_case = cases(CASES)


def test_the_terms_get_no_gradient():
    each = run(make(TOPS, (5, 4), (5,)), torch.ones(5, 4, requires_grad=True), torch.zeros(5))[2]
    assert not each.requires_grad and each.tolist() == pytest.approx([np.log(4)] * 5)
