"""DetectNetTransformation: what is drawn on a picture stays in its box, and the grid says what the fork's does."""

import cv2
import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from caffe_compat.proto.binary import write_binaryproto
from tests.layers.harness import TEST, TRAIN, Error, errors, make

NAME = 'type: "DetectNetTransformation" top: "a" top: "b" '
GRID = "stride: 16 image_size_x: 96 image_size_y: 64 object_class { src: 1 dst: 0 } object_class { src: 4 dst: 2 }"
HEIGHT, WIDTH = 70, 100
# left, top, width, height, class
BOXES = [[20, 12, 30, 24, 1], [60, 40, 22, 18, 4], [5, 50, 20, 15, 2], [30, 20, 30, 30, 4]]
STILL = "crop_prob: 0 scale_prob: 0 flip_prob: 0 rotation_prob: 0 hue_rotation_prob: 0 desaturation_prob: 0"


def text(grid="", draws=None, transform=""):
    augment = f"detectnet_augmentation_param {{ {draws} }}" if draws else ""
    return (
        f"{NAME} detectnet_groundtruth_param {{ {GRID} {grid} }} {augment} transform_param {{ {transform} }}"
    )


def labels(boxes):
    rows = np.zeros((1, len(boxes) + 2, 16))
    rows[0, 0, :2] = len(boxes), 16
    for row, (*corner, kind) in zip(rows[0, 1:], boxes, strict=False):
        row[:4], row[5] = corner, kind
    return rows


def drawn(boxes, colour=(40, 90, 200)):
    """Dark, with the first box painted."""
    picture = np.full((3, HEIGHT, WIDTH), 20.0)
    left, top, width, height, _ = boxes[0]
    picture[:, top : top + height, left : left + width] = np.array(colour)[:, None, None]
    return picture


def transformed(layer_text, boxes=BOXES, phase=TRAIN, picture=None, seed=0):
    picture = drawn(boxes) if picture is None else picture
    bottoms = [torch.tensor(np.stack([b])) for b in (picture, labels(boxes))]
    layer = make(layer_text, *(b.shape for b in bottoms), phase=phase)
    torch.manual_seed(seed)
    tops = layer(*bottoms)
    assert [tuple(top.shape) for top in tops] == layer.reshape(*(tuple(b.shape) for b in bottoms))
    return [top[0].numpy() for top in tops]


def targets(boxes, share=0.5, longest=50, least=None, normed=False, cut=True):
    """Cell by cell; `least` is min_cvg_len of GRIDBOX_MIN."""
    grid = np.zeros((11, 4, 6))
    for left, top, width, height, kind in boxes:
        right, bottom = left + width, top + height
        if cut:
            left, right, top, bottom = max(left, 0), min(right, 96), max(top, 0), min(bottom, 64)
        width, height = right - left, bottom - top
        if kind not in (1, 4) or width <= 0 or height <= 0:
            continue
        w, h = (
            min(n, max(least, share * n)) if least is not None else min(longest, share * n)
            for n in (width, height)
        )
        x, y = (left + right) / 2, (top + bottom) / 2
        for i, j in np.ndindex(4, 6):
            across = min(x + w / 2, 16 * j + 16) - max(x - w / 2, 16 * j)
            down = min(y + h / 2, 16 * i + 16) - max(y - h / 2, 16 * i)
            if across <= 0 or down <= 0:
                continue
            norm = 256 / (w * h)
            grid[:, i, j] = 0
            grid[:8, i, j] = [
                *[1, left - 16 * j, top - 16 * i, right - 16 * j, bottom - 16 * i],
                *[1 / width, 1 / height, norm if normed else max(1, norm)],
            ]
            grid[8 + (kind == 4) * 2, i, j] = 1
    return grid


@pytest.mark.parametrize(
    "fields, options",
    [
        ("", {}),
        ("scale_cvg: 0.75 max_cvg_len: 12 obj_norm: true", {"share": 0.75, "longest": 12, "normed": True}),
        ("gridbox_type: GRIDBOX_MIN min_cvg_len: 18 scale_cvg: 0.25", {"share": 0.25, "least": 18}),
        ("crop_bboxes: false", {"cut": False}),
    ],
)
def test_grids(fields, options):
    boxes = [*BOXES, [80, 50, 30, 30, 1], [-12, 4, 30, 20, 4], [97, 3, 20, 20, 1]]
    _, grid = transformed(text(fields, STILL), boxes, picture=np.zeros((3, 64, 96)))
    np.testing.assert_allclose(grid, targets(boxes, **options), rtol=1e-5, atol=1e-6)
    assert (grid[0] == 1).sum() > 4 and grid[8].any() and not grid[9].any() and grid[10].any()


def test_no_boxes_and_one_class():
    _, grid = transformed(text("", STILL), [], picture=np.zeros((3, 64, 96)))
    assert grid.shape == (11, 4, 6) and not grid.any()
    simple = f"{NAME} detectnet_groundtruth_param {{ stride: 16 image_size_x: 96 image_size_y: 64 }}"
    _, grid = transformed(simple, phase=TEST)
    assert grid.shape == (9, 4, 6) and grid[8].any()


def test_tested_pictures_are_scaled():
    transform = "mean_value: 10 mean_value: 20 mean_value: 30"
    picture, grid = transformed(text("", "flip_prob: 1", transform), phase=TEST)
    less = (drawn(BOXES) - np.array([10, 20, 30])[:, None, None]).transpose(1, 2, 0).astype(np.float32)
    wanted = cv2.resize(less, (96, 64), interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1)
    np.testing.assert_allclose(picture, wanted, atol=1e-3)
    scale = np.array([96 / WIDTH, 64 / HEIGHT] * 2 + [1])
    np.testing.assert_allclose(grid, targets(np.array(BOXES) * scale), rtol=1e-5, atol=1e-5)


def test_mean_file(tmp_path):
    mean = np.random.default_rng(0).uniform(0, 99, (1, 3, HEIGHT, WIDTH)).astype(np.float32)
    write_binaryproto(tmp_path / "mean.binaryproto", mean)
    picture, _ = transformed(text("", STILL, f'mean_file: "{tmp_path}/mean.binaryproto"'))
    shift = (WIDTH - 96) // 2, (HEIGHT - 64) // 2
    wanted = (drawn(BOXES) - mean[0])[:, shift[1] : shift[1] + 64, shift[0] : shift[0] + 96]
    np.testing.assert_allclose(picture, wanted, atol=1e-3)


def blob(picture):
    """The centre and the size of what is bright (red)."""
    ys, xs = np.nonzero(picture[2] > 110)
    return np.array([xs.min() + xs.max() + 1, ys.min() + ys.max() + 1]) / 2, np.array(
        [xs.max() + 1 - xs.min(), ys.max() + 1 - ys.min()]
    )


def box_in(grid):
    """The first box, as any of its cells tells it."""
    y, x = np.argwhere(grid[8] == 1)[0]
    left, top, right, bottom = grid[1:5, y, x] + [16 * x, 16 * y] * 2
    return np.array([left + right, top + bottom]) / 2, np.array([right - left, bottom - top])


@pytest.mark.parametrize(
    "changes, slack",
    [
        ("", 0.01),
        ("flip_prob: 1", 1.01),  # the fork's flipped boxes are a pixel further left
        ("crop_prob: 1 shift_x: 10 shift_y: 8", 0.01),
        ("scale_prob: 1 scale_min: 0.8 scale_max: 1.3", 1.0),
        ("rotation_prob: 1 max_rotate_degree: 15", 1.6),
    ],
)
def test_boxes_follow_the_picture(changes, slack):
    words = (STILL + " " + changes).split()
    draws = " ".join(
        f"{name} {value}" for name, value in dict(zip(words[::2], words[1::2], strict=True)).items()
    )
    boxes = [[34, 22, 26, 20, 1]]
    centres = set()
    for seed in range(12):
        picture, grid = transformed(text("crop_bboxes: false", draws), boxes, seed=seed)
        (centre, size), (middle, long) = blob(picture), box_in(grid)
        np.testing.assert_allclose(centre, middle, atol=slack)
        if "rotation" not in changes:
            np.testing.assert_allclose(size, long, atol=2 * slack)
        centres.add(tuple(centre))
    assert (len(centres) > 6) == any(word in changes for word in ("shift", "scale", "degree"))


def test_colours():
    draws = STILL.replace("hue_rotation_prob: 0", "hue_rotation_prob: 1 hue_rotation: 30")
    before = cv2.cvtColor(np.float32([[[40, 90, 200]]]) / 255, cv2.COLOR_BGR2HSV)[0, 0]
    hues, shares = [], []
    for seed in range(12):
        picture, _ = transformed(text("", draws), seed=seed)
        pixel = picture[:, 20, 30].reshape(1, 1, 3).astype(np.float32) / 255
        hue, saturation, value = cv2.cvtColor(pixel, cv2.COLOR_BGR2HSV)[0, 0]
        hues.append((hue - before[0] + 180) % 360 - 180)
        np.testing.assert_allclose([saturation, value], before[1:], atol=1e-4)
    assert max(map(abs, hues)) < 30 and max(hues) > 8 and min(hues) < -8
    draws = STILL.replace("desaturation_prob: 0", "desaturation_prob: 1 desaturation_max: 0.5")
    for seed in range(12):
        picture, _ = transformed(text("", draws), seed=seed)
        pixel = picture[:, 20, 30].reshape(1, 1, 3).astype(np.float32) / 255
        hue, saturation, _ = cv2.cvtColor(pixel, cv2.COLOR_BGR2HSV)[0, 0]
        assert hue == pytest.approx(before[0], abs=0.1)
        shares.append(saturation / before[1])
    assert 0.5 < min(shares) < 0.7 and 0.85 < max(shares) < 1


def test_labels_that_are_none():
    layer = make(text("", STILL), (1, 3, 64, 96), (1, 1, 3, 16))
    rows = torch.zeros(1, 1, 3, 16)
    rows[0, 0, 0, :2] = torch.tensor([3.0, 16])
    with pytest.raises(
        LayerError, match="say that they are 3 of 16 numbers each, and have 48 with their first row"
    ):
        layer(torch.zeros(1, 3, 64, 96), rows)
    rows[0, 0, 0, :2] = torch.tensor([1.0, 15])
    with pytest.raises(LayerError, match="1 of 15 numbers each.* rows must have 16"):
        layer(torch.zeros(1, 3, 64, 96), rows)


SHAPES = [(2, 3, 64, 96), (2, 1, 4, 16)]
test_error = errors(
    [
        Error(text("stride: 0").replace("stride: 16 ", ""), SHAPES, "stride is 0 and image_size_x x image_size_y 96 x 64"),
        Error(text("", "resize_param { height: 3 }"), SHAPES, "DetectNetAugmentationParameter.resize_param does nothing"),
        Error(text("", "", "mirror: true"), SHAPES, "TransformationParameter.mirror does nothing in this layer"),
        Error(text("", "", "mean_value: 1 mean_value: 2"), SHAPES, "2 mean_value for 3 channels; give 1 or 3"),
        Error(text("", "", 'mean_file: "none"'), SHAPES, "mean_file 'none' does not exist"),
        Error(text(), [(2, 1, 64, 96), SHAPES[1]], r"bottom 0 of shape \(2, 1, 64, 96\) must be N x 3 x H x W"),
        Error(text(), [SHAPES[0], (3, 1, 4, 16)], "have boxes of as many pictures"),
    ]
)  # fmt: skip
