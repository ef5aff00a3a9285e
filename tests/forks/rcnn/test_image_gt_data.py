"""ImageGtData: what is drawn on a picture stays in its box, and maps say what the fork's do."""

import math

import numpy as np
import pytest

from tests.forks.rcnn.scene_data import SCENES, check, detection, gt, part_of, picture, scene_of, write
from tests.layers.data_harness import load, make


@pytest.mark.parametrize(
    "fields, transform, wanted, options",
    [
        ("", "", "padded drawn learned", {}),
        ("resize_width: 90 resize_height: 72", "mirror: true", "mirrored drawn learned", {}),
        (
            "resize_width: 90 resize_height: 72 crop_width: 56 crop_height: 44",
            "",
            "drawn learned ignored",
            {},
        ),
        ("crop_width: 56 crop_height: 0 fg_threshold: 0.3", "", "drawn learned ignored", {"threshold": 0.3}),
        ("min_gt_width: 18 min_gt_height: 20", "mirror: true", "ignored", {"least": (18, 20)}),
        (
            "resize_width: 90 resize_height: 72 do_multiple_scale: true min_scale: 12 max_scale: 50",
            "mirror: true",
            "mirrored drawn padded learned ignored",
            {},
        ),
        (
            "do_multiple_scale: true min_scale: 12 max_scale: 50 min_whaspect: 0.3 max_whaspect: 2.5",
            "",
            "drawn padded learned ignored",
            {},
        ),
    ],
)
def test_image_gt_data(root, fields, transform, wanted, options):
    write(root, False)
    layer = make(gt("shuffle: true " + fields, 3, transform), top=5, root=str(root))
    seen, _ = check(layer, 12, False, **options)
    assert all(seen[what] >= 5 for what in wanted.split()), seen


def test_scales_of_image_gt_data(root):
    """Half of the pictures keep their size; the others change by steps of half an octave."""
    write(root, False)
    fields = "crop_width: 64 crop_height: 64 resize_width: 90 resize_height: 90"
    layer = make(gt(fields + " do_multiple_scale: true min_scale: 12 max_scale: 50"), top=5, root=str(root))
    _, scales = check(layer, 60, False)
    steps = []
    for scale, rows, _ in scales:
        height, width = SCENES[scene_of(rows)][0]
        factor = scale / [90 / width, 90 / height]
        assert factor[0] == pytest.approx(factor[1], rel=1e-4)
        steps.append(2 * math.log2(factor[0]))
    steps = np.array(steps)
    np.testing.assert_allclose(steps, steps.round(), atol=1e-3)
    assert 0.4 < (steps.round() == 0).mean() < 0.75 and set(steps.round()) >= {-2, -1, 0, 1, 2}
    assert steps.min() > -5.5 and steps.max() < 5.5  # 12 to 50 are 5 steps


def test_pixels_and_tops(root):
    write(root, False)
    fields = "scale: 0.5 resize_width: 80 resize_height: 60 output_gt_boxes: false".replace(
        "output", "cache_images: true output"
    )
    text = gt("", 2).replace("output_gt_boxes: true", fields)
    text = text.replace("transform_param {", "transform_param { mean_value: 10 mean_value: 20 mean_value: 30")
    layer = make(text, top=4, root=str(root))
    assert layer.reshape() == [(2, 3, 60, 80), (2, 6, 8, 10), (2, 6, 4, 5), (2, 6, 15, 20)]
    (tops,) = load(layer)
    assert [t.shape for t in tops] == layer.reshape()
    want = (picture(0).astype(float) - [10, 20, 30]).transpose(2, 0, 1) / 2
    np.testing.assert_array_equal(tops[0][0], want)


def test_pictures_with_boxes_come_more_often(root):
    write(root, False)
    text = (root / "w.txt").read_text() + "\n# 9 p/1.png 3 90 70 1 8 1 1 1 9 9 0"
    (root / "w.txt").write_text(text)
    layer = make(gt("fg_img_multiple: 3", 1), top=5, root=str(root))
    labels = [int(tops[-1][0, 5, 0, 0]) for tops in load(layer, 17)]
    assert labels == [1, 1, 1, 3, 3, 3, 6, 6, 6, 8, 8, 8, 10, 10, 10, 8, 1]


def test_pictures_without_boxes(root):
    (root / "w.txt").write_text("# 0 p/0.png 3 60 80 0 0")
    layer = make(gt("crop_width: 40 crop_height: 30", 1), top=5, root=str(root))
    corners = set()
    for data, *maps, boxes in load(layer, 20):
        assert boxes[:, :, 0, 0].tolist() == [[0, 1, 1, 2, 2, 1, 1]]
        assert not any(m.any() for m in maps)
        corners.add(part_of(data[0, 0], 200))
    assert len(corners) > 5
    layer = make(detection("", 1), top=5, root=str(root))
    assert load(layer)[0][-1][:, :, 0, 0].tolist() == [[-1] * 8]
