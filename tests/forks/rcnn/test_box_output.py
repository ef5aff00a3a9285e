"""BoxOutput, BoxGroupOutput, DecodeBBox, ProposalTarget, BboxAccuracy, FrcnnOutput, ScaleRoute, HardMining."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import TEST, Case, Error, cases, draws, errors, make, run

# As a message holds them: float32.
MEAN, STD = np.array([[0.1, -0.2, 0.05, 0.15], [0.5, 0.4, 0.3, 0.2]], np.float32).astype(float)
REG = (
    "bbox_reg_param { "
    + " ".join(f"bbox_mean: {m}" for m in MEAN)
    + " "
    + " ".join(f"bbox_std: {s}" for s in STD)
)
REG_ALIKE = REG + " cls_aware: false }"
REG += " }"


def shared(a, b, mode="IOU"):
    """Overlap of boxes both ends of which are pixels of theirs."""
    w, h = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) + 1 for i in (0, 1))
    own, other = ((c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b))
    if w < 1 or h < 1:
        return 0.0
    return w * h / {"IOU": own + other - w * h, "IOMU": min(own, other), "IOFU": own}[mode]


def denormalised(offset):
    return np.array(offset) * STD + MEAN


def moved(region, offset):
    w, h = region[2] - region[0] + 1, region[3] - region[1] + 1
    x, y = offset[0] * w + (region[0] + region[2]) / 2, offset[1] * h + (region[1] + region[3]) / 2
    w, h = w * math.exp(offset[2]), h * math.exp(offset[3])
    return [x - (w - 1) / 2, y - (h - 1) / 2, x + (w - 1) / 2, y + (h - 1) / 2]


def best_of(found, most, limit, post, mode, edges):
    """Suppression of (score, box) as the forks do it; `edges` is 1 where the last pixel is outside the box."""
    found = sorted(found, key=lambda f: -f[0])[: most or None]
    kept = []
    for score, box in found:
        inner = np.array(box) - [0, 0, edges, edges]
        if all(shared(np.array(k) - [0, 0, edges, edges], inner, mode) <= limit for _, k in kept):
            kept.append((score, box))
    return kept[: post or None]


def field_box(offset, size, x, y, stride, whr, xyr):
    move = np.clip(offset[:2], -1 / xyr, 1 / xyr)
    w, h = size * np.exp(np.clip(offset[2:], -math.log(whr), math.log(whr)))
    left, top = move * size + (np.array([x, y]) + 0.5) * stride - np.array([w, h]) / 2
    return left, top, w, h


FIELDS = [((40, 24), 8), ((72, 48), 16)]


def box_output(bottoms, threshold, least, most, limit, post, mode):
    rows = []
    for n in range(len(bottoms[0])):
        found = []
        for x, (size, rate) in zip(bottoms, FIELDS, strict=True):
            height, width = x.shape[2:]
            for i, j in np.ndindex(height, width):
                score = x[n, 1:-4, i, j].max() - x[n, 0, i, j]
                left, top, w, h = field_box(denormalised(x[n, -4:, i, j]), np.array(size), j, i, rate, 2, 2)
                left, top = max(left, 0), max(top, 0)
                w, h = min(w, width * rate - left), min(h, height * rate - top)
                if score >= threshold and w >= least and h >= least:
                    found.append((score, [left, top, left + w, top + h]))
        rows += [[n, *box, score] for score, box in best_of(found, most, limit, post, mode, 1)]
    return np.array(rows)


def outputs(text, bottoms):
    layer = make(text, *(b.shape for b in bottoms))
    return layer, [top.numpy() for top in run(layer, *map(torch.from_numpy, bottoms))]


MAPS = [draws((2, 7, 5, 6), 1), draws((2, 7, 3, 4), 2)]
BOXES = (
    'type: "BoxOutput" top: "a" top: "b" box_output_param { field_w: 40 field_w: 72 field_h: 24 field_h: 48 '
    "downsample_rate: 8 downsample_rate: 16 field_whr: 2 field_xyr: 2 %s } " + REG
)


@pytest.mark.parametrize(
    "fields, options",
    [
        ("fg_thr: 0.2 iou_thr: 0.3 min_size: 12", (0.2, 12, 0, 0.3, 0, "IOU")),
        ("fg_thr: -9 iou_thr: 0.5 max_nms_num: 20 max_post_nms_num: 4", (-9, 15, 20, 0.5, 4, "IOU")),
        ('fg_thr: 0 iou_thr: 0.6 nms_type: "IOMU"', (0, 15, 0, 0.6, 0, "IOMU")),
        ('fg_thr: 0 iou_thr: 0.6 nms_type: "IOFU"', (0, 15, 0, 0.6, 0, "IOFU")),
    ],
)
def test_box_output(fields, options):
    layer, (regions, scored) = outputs(BOXES % fields, MAPS)
    wanted = box_output(MAPS, *options)
    np.testing.assert_allclose(scored[:, :, 0, 0], wanted, rtol=1e-6)
    np.testing.assert_array_equal(regions, scored[:, :5])
    assert len(wanted) > 5 and layer.reshape(*(m.shape for m in MAPS)) == [(1, 5, 1, 1), (1, 6, 1, 1)]


def test_no_proposals():
    _, (regions, scored) = outputs(BOXES % "fg_thr: 99", MAPS)
    assert (
        regions[:, :, 0, 0].tolist() == [[0, 1, 1, 10, 10]]
        and not scored.any()
        and scored.shape == (1, 6, 1, 1)
    )


GROUPS = (
    'type: "BoxGroupOutput" top: "a" top: "b" box_group_output_param { field_whr: 2 field_xyr: 2 %s '
    "box_group_param { field_w: 40 field_w: 30 field_w: 20 field_h: 24 field_h: 36 field_h: 20 stride: 8 } "
    "box_group_param { field_w: 72 field_h: 48 stride: 16 } } " + REG
)
GROUPED = [
    np.abs(draws((6, 2, 4, 5), 3)) / 2,
    draws((6, 4, 4, 5), 4),
    np.abs(draws((2, 2, 2, 3), 5)) / 2,
    draws((2, 4, 2, 3), 6),
]


def test_box_group_output():
    _, (regions, scored) = outputs(
        GROUPS % "fg_thr: 0.3 iou_thr: 0.4 max_nms_num: 50 max_post_nms_num: 9", GROUPED
    )
    rows = []
    groups = [([(40, 24), (30, 36), (20, 20)], 8), ([(72, 48)], 16)]
    for n in range(2):
        found = []
        for g, (sizes, stride) in enumerate(groups):
            probability, offsets = GROUPED[2 * g : 2 * g + 2]
            height, width = offsets.shape[2:]
            for k, i, j in np.ndindex(len(sizes), height, width):
                at = n * len(sizes) + k
                left, top, w, h = field_box(
                    denormalised(offsets[at, :, i, j]), np.array(sizes[k]), j, i, stride, 2, 2
                )
                box = [
                    max(left, 0),
                    max(top, 0),
                    min(left + w - 1, width * stride),
                    min(top + h - 1, height * stride),
                ]
                score = 1 - probability[at, 0, i, j]
                if score >= 0.3 and box[2] - box[0] + 1 >= 15 and box[3] - box[1] + 1 >= 15:
                    found.append((score, box))
        rows += [[n, *box, score] for score, box in best_of(found, 50, 0.4, 9, "IOU", 0)]
    np.testing.assert_allclose(scored[:, :, 0, 0], rows, rtol=1e-6)
    np.testing.assert_array_equal(regions, scored[:, :5])


ROIS = np.array([[0, 10, 12, 40, 30], [1, 5, 5, 25, 45], [1, 30, 2, 60, 20], [0, 3, 4, 20, 33]], float)
OFFSETS = draws((4, 8), 7)


def test_decode_bbox():
    wanted = [[r[0], *moved(r[1:], denormalised(o[4:]))] for r, o in zip(ROIS, OFFSETS, strict=True)]
    layer = make(f'type: "DecodeBBox" {REG}', (4, 8), (4, 5), phase=TEST)
    np.testing.assert_allclose(layer(torch.from_numpy(OFFSETS), torch.from_numpy(ROIS)), wanted)
    flipped = OFFSETS.copy()
    flipped[2, 6] = -40  # no width at all is left
    matched = torch.tensor([[0.0] * 5 + [o] for o in (0.9, 0.96, 0.5, 0.7)])
    train = make(f'type: "DecodeBBox" {REG} decode_bbox_param {{ gt_iou_thr: 0.95 }}', (4, 8), (4, 5), (4, 6))
    top = train(torch.from_numpy(flipped), torch.from_numpy(ROIS), matched)
    np.testing.assert_allclose(top, [wanted[0], wanted[3]])
    with pytest.raises(LayerError, match="none of the 4 regions stay"):
        train(torch.from_numpy(flipped), torch.from_numpy(ROIS), torch.ones(4, 6))


def bbox_accuracy(tops=2, alike=False):
    def formula(offsets, regions, truth):
        after, before = [], []
        for o, r, (label, *box, at) in zip(offsets, regions, truth, strict=True):
            if label > 0 and at <= 0.975:
                slot = 1 if alike else int(label)
                after.append(shared(moved(r[1:], denormalised(o[4 * slot : 4 * slot + 4])), box))
                before.append(shared(r[1:], box))
        return tuple(np.array(np.mean(x) if x else -1.0).reshape(1, 1, 1, 1) for x in (after, before))[:tops]

    return formula


TRUTH = np.array(
    [[2, 12, 10, 38, 33, 0.7], [0, 0, 0, 0, 0, 0], [1, 28, 4, 66, 22, 0.6], [1, 3, 4, 20, 33, 0.98]]
)
ACCURACY = 'type: "BboxAccuracy" top: "a" top: "b" '
NONE = np.where([[1, 0, 0, 0, 0, 0]], 0, TRUTH)

CASES = [
    Case("by-class", ACCURACY + REG, [(4, 12), ROIS, TRUTH], bbox_accuracy(), gradient=()),
    Case("alike", ACCURACY + REG_ALIKE, [(4, 8), ROIS, TRUTH], bbox_accuracy(alike=True), gradient=()),
    Case("one-top", 'type: "BboxAccuracy" ' + REG, [(4, 12), ROIS, TRUTH], bbox_accuracy(1), gradient=()),
    Case("nothing-counts", ACCURACY + REG, [(4, 12), ROIS, NONE], bbox_accuracy(), gradient=()),
]
test_case = cases(CASES)

GT = np.array(
    [
        [0, 10, 10, 40, 30, 2, 0],
        [0, 100, 100, 140, 150, 1, 1],  # ignored
        [1, 30, 2, 60, 24, 1, 0],
        [-1, 0, 0, 9, 9, 1, 0],
    ],
    float,
)
CANDIDATES = np.array(
    [
        [0, 10, 12, 40, 30],  # of the first box
        [0, 102, 101, 140, 150],  # of the ignored one
        [0, 20, 10, 60, 40],  # some overlap: background
        [1, 10, 40, 25, 60],  # another record
        [1, 30, 2, 60, 20],  # of the third box
        [0, 200, 200, 220, 230],  # nothing
    ],
    float,
)
TOPS = " ".join(f'top: "t{i}"' for i in range(7))
TARGET = f'type: "ProposalTarget" {TOPS} proposal_target_param {{ cls_num: 3 img_height: 70 %s }} ' + REG


def targets(fields, regions=CANDIDATES, truth=GT, reg=REG):
    text = (TARGET % fields).replace(REG, reg)
    layer = make(text, regions.shape, truth.shape)
    tops = layer(torch.from_numpy(regions), torch.from_numpy(truth))
    return layer, [top[:, :, 0, 0].numpy() for top in tops]


def test_all_proposals():
    layer, (regions, label, target, inside, outside, boxes, weight) = targets(
        "batch_size: -1 fg_fraction: 0.25"
    )
    # Foreground: two regions and the two boxes that are not ignored themselves; background: the third.
    np.testing.assert_array_equal(
        regions[:, 1:], [*CANDIDATES[[0, 4], 1:], *GT[[0, 2], 1:5], CANDIDATES[2, 1:]]
    )
    assert label[:, 0].tolist() == [2, 1, 2, 1, 0]
    assert layer.reshape(CANDIDATES.shape, GT.shape)[2] == (6, 12, 1, 1)
    for i, (slot, box) in enumerate([(2, GT[0]), (1, GT[2]), (2, GT[0]), (1, GT[2])]):
        np.testing.assert_allclose(boxes[i], [slot, *box[1:5], shared(regions[i, 1:], box[1:5])])
        own = target[i].reshape(3, 4)
        assert (own[[k for k in range(3) if k != slot]] == 0).all()
        np.testing.assert_allclose(moved(regions[i, 1:], denormalised(own[slot])), box[1:5], atol=1e-9)
        assert inside[i].reshape(3, 4).sum(1).tolist() == [4.0 * (k == slot) for k in range(3)]
    assert not boxes[4].any() and not target[4].any() and not inside[4].any()
    np.testing.assert_array_equal(inside, outside)
    np.testing.assert_allclose(weight[:, 0], [0.25 * 5 / 4] * 4 + [0.75 * 5])


def test_classes_alike_and_overlaps_that_do_not_count():
    _, (_, _, target, inside, _, boxes, weight) = targets(
        "batch_size: -1 bbox_thr_hg: 0.99 iou_weighted: true", reg=REG_ALIKE
    )
    assert target.shape == (5, 8) and inside[:, 4:].any(1).tolist() == [True, True, False, False, False]
    assert (target[:4, 4:] != 0).any() and not target[:, :4].any()
    np.testing.assert_allclose(weight[:4, 0], boxes[:4, 5] * 0.25 * 5 / boxes[:4, 5].sum())


def test_a_batch_is_drawn():
    torch.manual_seed(1)
    seen = set()
    for _ in range(20):
        _, tops = targets("batch_size: 4 fg_fraction: 0.5")
        assert tops[1][:, 0].astype(bool).tolist() == [True, True, False, False]
        # One background region, and the first of the rest.
        np.testing.assert_array_equal(tops[0][2:, 1:], CANDIDATES[[2, 3], 1:])
        seen.add(tuple(tops[0][:2, 1]))
    assert len(seen) > 2
    assert len(targets("batch_size: 4 fg_fraction: 0.5 pickup_discard: false")[1][0]) == 3
    assert len(targets("batch_size: -1 append_gtbox: false")[1][0]) == 3


def test_nothing_to_sample():
    torch.manual_seed(1)
    fields = "batch_size: -1 pickup_discard: false append_gtbox: false"
    _, (regions, label, *_) = targets(fields + " img_width: 90", CANDIDATES[5:])
    left, top, right, bottom = regions[0, 1:]
    assert (
        len(regions) == 1 and not label.any() and 0 <= left < right < 90 + 32 and 0 <= top < bottom < 70 + 32
    )
    assert right - left >= 31 and bottom - top >= 31
    with pytest.raises(LayerError, match="img_width x img_height is 0 x 70"):
        targets(fields, CANDIDATES[5:])


def test_a_label_beyond_the_classes():
    truth = GT.copy()
    truth[0, 5] = 3
    with pytest.raises(LayerError, match="a box has label 3, but proposal_target_param.cls_num is 3"):
        targets("batch_size: -1", truth=truth)


def frcnn(probability, offsets, regions, size, threshold, limit, most):
    height, width = size[0]
    found = []
    for label in range(1, probability.shape[1]):
        own = []
        for p, o, r in zip(probability, offsets, regions, strict=True):
            x0, y0, x1, y1 = moved(r[1:], denormalised(o[4 * label : 4 * label + 4]))
            if p[label] >= threshold:
                own.append((p[label], [max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)]))
        found += [[0, *box, label, score] for score, box in best_of(own, 0, limit, 0, "IOU", 0)]
    if most:
        best = sorted(found, key=lambda row: -row[6])[:most]
        found = [row for row in found if row in best]
    return np.array([[0, *[-1] * 6], *found])


@pytest.mark.parametrize(
    "fields, options", [("iou_thr: 0.3", (0, 0.3, 0)), ("conf_thr: 0.6 max_det_num: 3", (0.6, 0.5, 3))]
)
def test_frcnn_output(fields, options):
    regions = np.concatenate(
        (np.zeros((9, 1)), np.abs(draws((9, 2), 1)) * 20, np.abs(draws((9, 2), 2)) * 20 + 41), 1
    )
    bottoms = [np.abs(draws((9, 4), 3)) / 2, draws((9, 16), 4), regions, np.array([[70.0, 90.0]])]
    layer = make(f'type: "FrcnnOutput" frcnn_output_param {{ {fields} }} {REG}', *(b.shape for b in bottoms))
    top = layer(*map(torch.from_numpy, bottoms))
    np.testing.assert_allclose(top[:, :, 0, 0], frcnn(*bottoms, *options), rtol=1e-6)
    assert len(top) > 3 and layer.reshape(*(b.shape for b in bottoms)) == [(1, 7, 1, 1)]


def test_frcnn_results(tmp_path):
    (tmp_path / "labels").write_text("".join(f'item {{ name: "c{i}" label: {i} }}' for i in range(2)))
    (tmp_path / "sizes").write_text("pic 140 180\n")
    save = (
        f'save_output_param {{ output_directory: "{tmp_path}/out" output_name_prefix: "p_" output_format: "VOC" '
        f'label_map_file: "{tmp_path}/labels" name_size_file: "{tmp_path}/sizes" }}'
    )
    shapes = [(1, 2), (1, 8), (1, 5), (1, 2)]
    layer = make(f'type: "FrcnnOutput" frcnn_output_param {{ {save} }}', *shapes)
    layer(
        torch.tensor([[0.25, 0.75]]),
        torch.zeros(1, 8),
        torch.tensor([[0.0, 10, 20, 30, 50]]),
        torch.tensor([[70.0, 90.0]]),
    )
    assert (tmp_path / "out" / "p_c1.txt").read_text() == "pic 0.75 20 40 60 100\n"


def boxes_of(*sizes):
    """Regions of these widths and heights, both ends included."""
    return np.array([[n % 2, 5, 7, 5 + w - 1, 7 + h - 1] for n, (w, h) in enumerate(sizes)], float)


ROUTE = 'type: "ScaleRoute" top: "a" top: "b" scale_route_param { %s }'


@pytest.mark.parametrize(
    "fields, sizes, kept",
    [
        (
            "low_scale: 10 high_scale: 20",
            [(10, 10), (9, 11), (20, 20), (19, 21), (40, 5), (0, 90)],
            [0, 3, 4],
        ),
        ("low_scale: 10", [(10, 10), (9, 11), (200, 20)], [0, 2]),
        ("high_scale: 10", [(10, 10), (9, 11), (3, -7)], [1, 2]),
        ("", [(10, 10), (9, 11)], [0, 1]),
        ("low_scale: 10 high_scale: 40", [(90, 90), (4, 4), (6, 6), (1, 1)], [2]),  # the middle is 20
        ("low_scale: 100", [(20, 20), (60, 60), (50, 50)], [1]),
        ("high_scale: 4", [(20, 20), (10, 11), (10, 10)], [2]),
    ],
)
def test_scale_route(fields, sizes, kept):
    regions, others = boxes_of(*sizes), draws((len(sizes), 3, 2), 5)
    layer, tops = outputs(ROUTE % fields, [regions, others])
    np.testing.assert_array_equal(tops[0], regions[kept])
    np.testing.assert_array_equal(tops[1], others[kept])
    assert layer.reshape(regions.shape, others.shape) == [(1, 5), (1, 3, 2)]


MINING = 'type: "HardMining" top: "a" top: "b" hard_mining_param { num_image: %d num_roi_per_image: %d }'


@pytest.mark.parametrize(
    "records, images, each, kept",
    [
        ([0, 1, 0, 1, 0, 1, 0], 2, 2, [1, 2, 3, 6]),
        ([0, 1, 0, 0, 0, 0, 0], 2, 2, [1, 2, 5, 6]),  # what record 0 has left fills up
        ([2, 2, 2, 2, 0, 0, 0], 3, 1, [3, 4, 6]),  # of two equal ones the later fills up
        ([0, 1, 0, 1, 0, 1, 0], 2, 9, [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_hard_mining(records, images, each, kept):
    scores = np.array([0.1, 0.5, 0.7, 0.4, 0.6, 0.3, 0.65])
    if images == 2 and sum(records) == 1:
        scores[[5, 2]] = 0.9, 0.8
    if images == 3:
        scores[2:4] = 0.6, 0.9
    regions, others = np.column_stack((records, draws((7, 4)))), draws((7, 2, 3), 5)
    layer, tops = outputs(MINING % (images, each), [scores[:, None], regions, others])
    np.testing.assert_array_equal(tops[0], regions[kept])
    np.testing.assert_array_equal(tops[1], others[kept])
    count = min(images * each, 7)
    assert layer.reshape((7, 1), (7, 5), (7, 2, 3)) == [(count, 5), (count, 2, 3)] and len(kept) == count


def test_hard_mining_of_equal_scores_and_of_a_wrong_record():
    regions = np.column_stack((np.zeros(4), draws((4, 4))))
    text = MINING.replace('top: "b"', "")
    _, (top,) = outputs(text % (1, 2), [np.zeros((4, 1)), regions])
    np.testing.assert_array_equal(top, regions[2:])
    regions[1, 0] = 2
    with pytest.raises(LayerError, match="a region is of record 2, and num_image is 1; use 0 to 0"):
        outputs(text % (1, 2), [np.zeros((4, 1)), regions])


ERRORS = [
    Error(
        'type: "BoxOutput" box_output_param { field_w: 9 field_h: 9 }',
        [(2, 7, 5, 6)],
        "has 1 field_w, 1 field_h and 0 downsample_rate for 1 bottoms",
    ),
    Error(
        'type: "BoxOutput" box_output_param { field_w: 9 field_h: 9 downsample_rate: 8 }',
        [(2, 5, 5, 6)],
        r"bottom 0 of shape \(2, 5, 5, 6\) must be 2 x \(classes \+ 4\)",
    ),
    Error(
        'type: "BoxOutput" box_output_param { field_w: 9 field_h: 9 downsample_rate: 8 field_xyr: 0 }',
        [(2, 7, 5, 6)],
        "field_whr is 2 and field_xyr is 0; both must be above 0",
    ),
    Error('type: "BoxGroupOutput"', [(2, 2, 4, 5), (2, 4, 4, 5)], "has 2 bottoms for 0 box_group_param"),
    Error(
        'type: "BoxGroupOutput" box_group_output_param { box_group_param { field_w: 3 } }',
        [(2, 2, 4, 5), (2, 4, 4, 5)],
        "has 1 field_w and 0 field_h",
    ),
    Error(
        GROUPS % "",
        [(6, 2, 4, 5), (6, 5, 4, 5), (2, 2, 2, 3), (2, 4, 2, 3)],
        r"bottoms 0 and 1 of shapes .* must have 6 rows \(2 records x 3 fields\)",
    ),
    Error('type: "DecodeBBox"', [(4, 8), (3, 5)], r"bottom 1 of shape \(3, 5\) has 3 rows and bottom 0"),
    Error('type: "DecodeBBox"', [(4, 9), (4, 5)], "has 9 numbers a row and must have 8"),
    Error(
        'type: "DecodeBBox" bbox_reg_param { bbox_mean: 1 bbox_std: 1 }',
        [(4, 8), (4, 5)],
        "give four of each",
    ),
    Error(
        'type: "DecodeBBox"',
        [(4, 8), (4, 5), (4, 6)],
        "has a third bottom, which only TRAIN uses",
        phase=TEST,
    ),
    Error(f'type: "ProposalTarget" {TOPS}', [(6, 5), (4, 7)], "cls_num must be set"),
    Error(TARGET % "batch_size: 0", [(6, 5), (4, 7)], "batch_size is 0 and must be above 0, or -1"),
    Error(TARGET % "fg_thr: 0.4", [(6, 5), (4, 7)], "fg_thr 0.4 is below bg_thr_hg 0.5"),
    Error(TARGET % "", [(6, 5), (4, 6)], "has 6 numbers a box and must have at least 7"),
    Error(ACCURACY + REG_ALIKE, [(4, 12), (4, 5), (4, 6)], "has 12 numbers a row and must have 8"),
    Error('type: "FrcnnOutput"', [(4, 3), (4, 8), (4, 5), (1, 2)], "has 8 numbers a row and must have 12"),
    Error(
        'type: "FrcnnOutput"', [(4, 3), (4, 12), (4, 7), (1, 2)], "has 7 numbers a row and must have 5 or 6"
    ),
    Error(
        'type: "FrcnnOutput"',
        [(4, 3), (4, 12), (4, 5), (2, 2)],
        r"bottom 3 of shape \(2, 2\) must hold one picture",
    ),
    Error(ROUTE % "low_scale: 0", [(4, 5), (4, 2)], "low_scale 0 and high_scale inf; use 0 < low <= high"),
    Error(ROUTE % "low_scale: 9 high_scale: 8", [(4, 5), (4, 2)], "low_scale 9 and high_scale 8"),
    Error(
        ROUTE % "",
        [(4, 5), (3, 2)],
        r"bottom 1 of shape \(3, 2\) has not the 4 rows of the regions, bottom 0",
    ),
    Error(ROUTE % "", [(4, 6), (4, 2)], r"bottom 0 of shape \(4, 6\) must hold regions"),
    Error(MINING % (0, 2), [(4, 1), (4, 5), (4, 2)], "num_image is 0 and num_roi_per_image 2"),
    Error(MINING % (1, 2), [(4, 1), (4, 5)], "has 2 bottoms and 2 tops; give one top less"),
    Error(MINING % (1, 2), [(4, 2), (4, 5), (4, 2)], r"bottom 0 of shape \(4, 2\) must hold one score a row"),
    Error(
        MINING % (1, 2), [(5, 1), (4, 5), (4, 2)], "bottom 0 .* has not the 4 rows of the regions, bottom 1"
    ),
]
test_error = errors(ERRORS)
