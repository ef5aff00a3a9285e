"""DetectionData: what is drawn on a picture stays in its box, and maps say what the fork's do."""

import numpy as np
import pytest

from tests.forks.rcnn.scene_data import BRIGHT, SCENES, check, detection, iou
from tests.layers.data_harness import load, make


def margin(field, long, frame):
    x, y, w, h = frame
    a, b = long[0] / 2 * 0.25, long[1] / 2 * 0.25
    return field[0] < x - a or field[2] >= x + w + a or field[1] < y - b or field[3] >= y + h + b


def inside(field, long, frame):
    x, y, w, h = frame
    return iou(field, (x, y, x + w, y + h), True, True) < 0.75


@pytest.mark.parametrize(
    "fields, transform, wanted, options",
    [
        ("", "", "padded drawn learned", {}),
        ("resize_ratio: 0.75", "mirror: true", "mirrored drawn learned padded", {}),
        ("resize_ratio: 1.5 anchor_ignore_margin_ratio: 0.25", "", "drawn off", {"off": margin}),
        ("resize_width: 90 resize_height: 72 anchor_ignore_iou_thr: 0.75", "", "drawn off learned", {"off": inside}),
        ("short_size: 64 long_size: 96 pickup_iou_thr: 0.05", "mirror: true", "drawn padded", {"pickup": 0.05}),
        ("short_size: 64 long_size: 96 template_ratio: 0.5 template_ratio: 1.5", "", "drawn padded learned", {}),
        ("crop_width: 56 crop_height: 44 ignore_fg_threshold: 0.2", "", "drawn ignored", {"covered": 0.2}),
        ("crop_short_size: 44 crop_long_size: 56 min_gt_width: 18", "", "drawn ignored", {"least": (18, 0)}),
        (
            "low_scale_ratio: 0.5 high_scale_ratio: 3 multiscale_prob: 1 min_whaspect: 0.5 max_whaspect: 2",
            "mirror: true",
            "drawn mirrored padded learned ignored",
            {},
        ),
        ("min_scale: 12 max_scale: 60 multiscale_prob: 0.5 fg_threshold: 0.3", "", "drawn ignored", {"threshold": 0.3}),
    ],
)  # fmt: skip
def test_detection_data(root, fields, transform, wanted, options):
    layer = make(detection('shuffle: "random" ' + fields, 3, transform), top=5, root=str(root))
    seen, _ = check(layer, 12, True, **options)
    assert all(seen[what] >= 5 for what in wanted.split()), seen


def test_scales_of_detection_data(root):
    text = detection("min_scale: 12 max_scale: 24 multiscale_prob: 0.75 crop_width: 50 crop_height: 50", 1)
    _, scales = check(make(text, top=5, root=str(root)), 60, True)
    assert 0.6 < np.mean([scale[0] != 1 for scale, *_ in scales]) < 0.9
    for scale, _, own in scales:
        assert scale[0] == pytest.approx(scale[1], rel=1e-5)
        sizes = np.sqrt((own[:, 5:] - own[:, 3:5] + 1).prod(1)) * scale[0]
        assert scale[0] == 1 or ((sizes > 11.9) & (sizes < 24.1)).any()


@pytest.mark.parametrize(
    "fields, shapes",
    [
        ("short_size: 60 long_size: 100", {True: (96, 64), False: (64, 96)}),
        ("crop_short_size: 40 crop_long_size: 50", {True: (50, 40), False: (40, 50)}),
        ("resize_ratio: 2", None),
    ],
)
def test_size_of_a_batch(root, fields, shapes):
    """It is that of its first picture, or lies as that."""
    layer = make(detection(fields, 1), top=5, root=str(root))
    for number, (data, *_) in enumerate(load(layer, 5)):
        height, width = SCENES[number][0]
        assert data.shape[2:] == (shapes[height >= width] if shapes else (2 * height, 2 * width))
        if number == 0:
            assert layer.reshape()[0] == data.shape


def test_colours(root):
    distort = "distort_param { brightness_prob: 1 brightness_delta: 30 } transform_param { }".split(
        " transform"
    )[0]
    layer = make(detection(distort, 1, "scale: 2"), top=5, root=str(root))
    values = {float(tops[0].max()) / 2 - BRIGHT for tops in load(layer, 20)}
    assert len(values) > 10 and min(values) < -10 and max(values) == 15  # 255 is the end


@pytest.mark.parametrize("shuffle", ["random", "random_aspect", "random_mix_aspect"])
def test_orders(root, shuffle):
    tall = {3: True, 1: False, 6: True, 8: True, 10: False}  # class of the first box: whether height >= width
    layer = make(detection(f'shuffle: "{shuffle}" mix_group_size: 1', 1), top=5, root=str(root))
    epochs = np.array([int(tops[-1][0, 5, 0, 0]) for tops in load(layer, 60)]).reshape(12, 5)
    assert all(sorted(epoch) == [1, 3, 6, 8, 10] for epoch in epochs.tolist())
    assert len({tuple(epoch) for epoch in epochs.tolist()}) > 8
    kinds = {tuple(tall[label] for label in epoch) for epoch in epochs.tolist()}
    t, f = True, False
    if shuffle == "random":
        assert len(kinds) > 4
    else:
        wanted = {(t, t, t, f, f), (f, f, t, t, t)}
        assert kinds == (wanted if shuffle == "random_aspect" else {(t, f, t, f, t), (f, t, f, t, t)})


def test_no_shuffle(root):
    layer = make(detection("", 1), top=5, root=str(root))
    assert [int(tops[-1][0, 5, 0, 0]) for tops in load(layer, 7)] == [1, 3, 6, 8, 10, 1, 3]
