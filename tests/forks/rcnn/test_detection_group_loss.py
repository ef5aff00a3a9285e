"""DetectionGroupLoss."""

import numpy as np
import pytest
import torch

from tests.forks.rcnn.field_loss import (
    GROUP,
    GROUP_SHAPES,
    GROUPS,
    SIZES,
    balanced,
    counted,
    field_loss,
    softmax,
    truth_map,
)
from tests.layers.harness import Case, Error, cases, draws, errors, make


def grouped(mode="all", threshold=0.5, multiple=4, least=5, by_loss=True, evenly=False, **options):
    """Formula and gradients of DetectionGroupLoss whose sampling is not random."""

    def both(scores, offsets, truth):
        positive = truth[:, 0] > 0
        may = (truth[:, 0] == 0) & (truth[:, 5] < threshold)
        negative = may.copy()
        for n in range(0, len(scores), 3):
            mine = list(zip(*may[n : n + 3].nonzero(), strict=True))
            count = max(int(positive[n : n + 3].sum()) * multiple, least)
            if len(mine) > count:
                assert mode == "bootstrap"
                surely = {(g, i, j): softmax(scores[n + g, :, i, j])[0] for g, i, j in mine}
                negative[n : n + 3] = False
                for g, i, j in sorted(mine, key=surely.get)[:count]:
                    negative[n + g, i, j] = True
        weight = np.ones(may.shape)
        if evenly:
            weight = balanced(weight, positive, negative, multiple)
        return field_loss(scores, offsets, truth, positive | negative, SIZES, 8, weight, **options)

    return {
        "formula": lambda *bottoms: both(*bottoms)[0],
        "diffs": lambda d, *bottoms: tuple(g * d[0].flat[0] for g in both(*bottoms)[1:]),
        "gradient": (0, 1),
    }


CASES = [
    Case("group", GROUP % "", GROUPS, **grouped()),
    Case(
        "group-bounded",
        GROUP % 'field_whr: 1.5 field_xyr: 3 lambda: 2 pos_neg_weighted: true bbox_loss_type: "Euclidean_L2"',
        GROUPS,
        **grouped(bounds=(1.5, 3), lam=2, evenly=True, smooth=False),
    ),
    Case(
        "group-bootstrap",
        GROUP % 'neg_mining_type: "bootstrap" bg_multiple: 1 bg_threshold: 0.8',
        GROUPS,
        **grouped("bootstrap", 0.8, 1),
    ),
    Case(
        "group-bootstrap-probability",
        GROUP % 'neg_mining_type: "bootstrap" neg_ranking_type: "conf_prob" bg_multiple: 0 min_num_neg: 7',
        GROUPS,
        **grouped("bootstrap", multiple=0, least=7),
    ),
]
test_case = cases(CASES)


@pytest.mark.parametrize("mode", ["random", "mixture", "bootstrap"])
def test_batches_of_fields(mode):
    scores, offsets, truth = draws((6, 4, 9, 8), 1), draws((6, 4, 9, 8), 2), truth_map(6, 9, 8, 4, 8)
    truth[3:, 0] *= np.arange(8) == 2  # few
    layer = make(
        GROUP % f'neg_mining_type: "{mode}" batch_size: 50 bg_multiple: 1',
        *(b.shape for b in (scores, offsets, truth)),
    )
    torch.manual_seed(0)
    hits = counted(layer, scores, offsets, truth)
    positive, may = truth[:, 0] > 0, (truth[:, 0] == 0) & (truth[:, 5] < 0.5)
    few = int(positive[3:].sum())
    assert positive[:3].sum() > 25 > few > 3 and not hits[~positive & ~may].any()
    for part, some in ((slice(0, 3), 25), (slice(3, 6), few)):
        assert (hits & positive)[part].sum() == some
        assert (hits & may)[part].sum() == 50 - some
        hard = {"random": 0, "mixture": (50 - some + 1) // 2, "bootstrap": 50 - some}[mode]
        sure = np.apply_along_axis(lambda s: softmax(s)[0], 1, scores[part])
        least = np.sort(sure[may[part]])[: hard + 1]
        assert hits[part][may[part] & (sure < least[hard])].all()
    torch.manual_seed(1)
    again = counted(layer, scores, offsets, truth)
    assert (again != hits).any()


test_error = errors(
    [
        Error(GROUP % "field_w: 3", GROUP_SHAPES, "has 4 field_w and 3 field_h; give as many of both"),
        Error(GROUP % "batch_size: 0", GROUP_SHAPES, "batch_size is 0 and must be above 0, or -1"),
        Error(GROUP % 'neg_mining_type: "x"', GROUP_SHAPES, "neg_mining_type 'x' is not known; use one of random, b"),
        Error(GROUP % 'neg_ranking_type: "x"', GROUP_SHAPES, "neg_ranking_type 'x' is not known"),
        Error(GROUP % 'bbox_loss_type: "x"', GROUP_SHAPES, "bbox_loss_type 'x' is not known; use one of Smooth_L1"),
        Error(GROUP % "", [(5, *s[1:]) for s in GROUP_SHAPES], "has 5 rows, which is no multiple of its 3 kinds"),
    ]
)  # fmt: skip
