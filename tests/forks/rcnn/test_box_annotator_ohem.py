"""BoxAnnotatorOHEM."""

import numpy as np
import torch

from tests.layers.harness import Case, Error, cases, draws, errors, make, run


def mined(count, ignore=-1):
    def formula(regions, loss, labels, weights):
        top, kept = np.full(labels.shape, float(ignore)), np.zeros(weights.shape)
        records = regions[:, 0]
        for record in np.unique(records):
            places = [tuple(p) for p in np.argwhere(records == record)]
            for n, *rest in sorted(places, key=lambda p: -loss[(p[0], 0, *p[1:])])[:count]:
                top[(n, 0, *rest)] = labels[(n, 0, *rest)]
                kept[(n, slice(None), *rest)] = weights[(n, slice(None), *rest)]
        return top, kept

    return formula


ANNOTATOR = 'type: "BoxAnnotatorOHEM" top: "labels" top: "weights" box_annotator_ohem_param'
REGIONS = np.concatenate((np.array([[1, 0, 1, 1, 0, 1, 0]]).T, draws((7, 4))), 1)[:, :, None, None]
ROWS = [REGIONS, (7, 1, 1, 1), (7, 1, 1, 1), (7, 8, 1, 1)]
PLACES = [
    np.concatenate((np.arange(24).reshape(2, 1, 4, 3) % 2, draws((2, 4, 4, 3))), 1),
    (2, 1, 4, 3),
    (2, 1, 4, 3),
    (2, 8, 4, 3),
]

CASES = [
    Case("mined", f"{ANNOTATOR} {{ roi_per_img: 2 }}", ROWS, mined(2), gradient=()),
    Case("ignore-label", f"{ANNOTATOR} {{ roi_per_img: 1 ignore_label: 9 }}", ROWS, mined(1, 9), gradient=()),
    Case("more-than-there-are", f"{ANNOTATOR} {{ roi_per_img: 5 }}", ROWS, mined(5), gradient=()),
    Case("places", f"{ANNOTATOR} {{ roi_per_img: 4 }}", PLACES, mined(4), gradient=()),
]

ERRORS = [
    Error(
        f"{ANNOTATOR} {{ ignore_label: 2 }}",
        [(7, 5), (7,), (7,), (7, 8)],
        "roi_per_img must be set and above 0",
    ),
    Error(
        f"{ANNOTATOR} {{ roi_per_img: 2 }}",
        [(7, 4), (7,), (7,), (7, 8)],
        r"bottom 0 of shape \(7, 4\) has 4 numbers a region and must have 5",
    ),
    Error(
        f"{ANNOTATOR} {{ roi_per_img: 2 }}",
        [(7, 5), (7,), (6,), (7, 8)],
        r"bottom 2 of shape \(6,\) must be \(7, 1, 1, 1\) for the regions of shape \(7, 5\)",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_of_equal_losses_the_first_are_kept():
    layer = make(f"{ANNOTATOR} {{ roi_per_img: 2 }}", (4, 5), (4,), (4,), (4, 8))
    labels, weights = run(
        layer, torch.zeros(4, 5), torch.ones(4), torch.tensor([3.0, 4, 5, 6]), torch.ones(4, 8)
    )
    assert labels.flatten().tolist() == [3, 4, -1, -1]
    assert weights.sum((1, 2, 3)).tolist() == [8, 8, 0, 0]


def test_nothing_gets_a_gradient():
    layer = make(f"{ANNOTATOR} {{ roi_per_img: 2 }}", (4, 5), (4,), (4,), (4, 8))
    bottoms = [torch.ones(shape, requires_grad=True) for shape in ((4, 5), (4,), (4,), (4, 8))]
    assert not any(top.requires_grad for top in run(layer, *bottoms))
