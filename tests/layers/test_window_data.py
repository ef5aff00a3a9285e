"""WindowData: boxes cut and warped as Caffe's formulas say, sampled in Caffe's proportions."""

import cv2
import numpy as np
import pytest
import torch

from caffe_compat.data import windows as module
from caffe_compat.data.images import encode
from caffe_compat.errors import DataError, LayerError
from caffe_compat.proto.binary import write_binaryproto
from tests.layers.data_harness import assert_replicas_agree, assert_resumes, load, make

RNG = np.random.default_rng(4)
PICTURE = RNG.integers(0, 256, (40, 50, 3), np.uint8)
MEAN = RNG.uniform(0, 255, (3, 25, 21)).astype(np.float32)
F = np.float32


def text(crop=16, batch=4, fields="", transform="", fraction=0.5):
    return f"""type: "WindowData" transform_param {{ crop_size: {crop} {transform} }}
        window_data_param {{ source: "windows.txt" batch_size: {batch} fg_fraction: {fraction} {fields} }}"""


def write(root, *boxes):
    """Boxes (label, overlap, x1, y1, x2, y2) of one picture."""
    lines = ["# 0", "p.png", "3", "40", "50", str(len(boxes)), *(" ".join(map(str, box)) for box in boxes)]
    (root / "windows.txt").write_text("\n".join(lines))


@pytest.fixture
def root(tmp_path):
    (tmp_path / "p.png").write_bytes(encode(PICTURE, "png"))
    write_binaryproto(tmp_path / "mean.binaryproto", MEAN[None])
    return tmp_path


def half_away(value):
    return int(np.sign(value) * np.floor(abs(float(value)) + 0.5))


def warp(box, mirrored=False, crop=16, pad=0, square=False, subtract=None, scale=1.0):
    """One box, step by step in the order and with the names of Caffe's code, float32 throughout."""
    x1, y1, x2, y2 = box
    width = height = crop
    pad_w = pad_h = 0
    if pad or square:
        context_scale = F(crop) / F(crop - 2 * pad)
        half_height, half_width = F(y2 - y1 + 1) / F(2), F(x2 - x1 + 1) / F(2)
        center_x, center_y = F(x1) + half_width, F(y1) + half_height
        if square:
            half_width = half_height = max(half_width, half_height)
        x1, x2 = (
            half_away(center_x - half_width * context_scale),
            half_away(center_x + half_width * context_scale),
        )
        y1, y2 = (
            half_away(center_y - half_height * context_scale),
            half_away(center_y + half_height * context_scale),
        )
        unclipped_height, unclipped_width = y2 - y1 + 1, x2 - x1 + 1
        pad_x1, pad_y1, pad_x2, pad_y2 = max(0, -x1), max(0, -y1), max(0, x2 - 49), max(0, y2 - 39)
        x1, x2, y1, y2 = x1 + pad_x1, x2 - pad_x2, y1 + pad_y1, y2 - pad_y2
        scale_x, scale_y = F(crop) / F(unclipped_width), F(crop) / F(unclipped_height)
        width, height = half_away(F(x2 - x1 + 1) * scale_x), half_away(F(y2 - y1 + 1) * scale_y)
        pad_h = half_away(F(pad_y1) * scale_y)
        pad_w = half_away(F(pad_x2 if mirrored else pad_x1) * scale_x)
        height, width = min(height, crop - pad_h), min(width, crop - pad_w)
    warped = cv2.resize(PICTURE[y1 : y2 + 1, x1 : x2 + 1], (width, height), interpolation=cv2.INTER_LINEAR)
    if mirrored:
        warped = warped[:, ::-1]
    out = np.zeros((3, crop, crop), F)
    offset = (MEAN.shape[2] - crop) // 2
    for h, w, c in np.ndindex(height, width, 3):
        pixel = F(warped[h, w, c])
        if subtract == "file":
            pixel -= MEAN[c, h + offset + pad_h, w + offset + pad_w]
        elif subtract is not None:
            pixel -= F(subtract[c % len(subtract)])
        out[c, h + pad_h, w + pad_w] = pixel * F(scale)
    return out


BOXES = [(5, 6, 30, 28), (0, 0, 49, 39), (0, 3, 9, 39), (40, 0, 49, 5), (20, 30, 22, 39), (7, 7, 7, 7)]


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("pad", [0, 2, 5])
@pytest.mark.parametrize("square", [False, True])
@pytest.mark.parametrize("subtract", [None, "file", (104.5,), (104, 117, 123.5)])
def test_boxes_are_warped_as_caffe_does(root, box, pad, square, subtract):
    write(root, (3, 0.9, *box), (0, 0.1, *BOXES[0]))
    transform = 'mean_file: "mean.binaryproto"' if subtract == "file" else ""
    if subtract and subtract != "file":
        transform = " ".join(f"mean_value: {value}" for value in subtract)
    fields = f'context_pad: {pad} crop_mode: "{"square" if square else "warp"}" scale: 0.1'
    layer = make(text(16, 2, fields, transform), root=str(root))
    assert layer.reshape() == [(2, 3, 16, 16), (2,)]
    ((pictures, labels),) = load(layer)
    assert labels.tolist() == [0, 3]
    options = {"pad": pad, "square": square, "subtract": subtract, "scale": 0.1}
    np.testing.assert_array_equal(pictures[0], warp(BOXES[0], **options))
    np.testing.assert_array_equal(pictures[1], warp(box, **options))


@pytest.mark.parametrize("box", BOXES)
def test_mirrored_boxes_mirror_their_padding_too(root, box):
    write(root, (3, 0.9, *box), (0, 0.1, *box))
    layer = make(text(16, 40, "context_pad: 3", "mirror: true"), root=str(root))
    plain, mirrored = warp(box, pad=3), warp(box, mirrored=True, pad=3)
    ((pictures, _),) = load(layer)
    kinds = [np.array_equal(p, mirrored) for p in pictures]
    assert all(kind or np.array_equal(p, plain) for kind, p in zip(kinds, pictures, strict=True))
    assert np.array_equal(plain, mirrored) or 8 < sum(kinds) < 32


def test_background_first_then_objects(root):
    write(
        root, *((1 + i, 0.9, i, 0, i + 9, 9) for i in range(5)), *((9, 0.2, i, 0, i + 9, 9) for i in range(5))
    )
    layer = make(text(4, 7, fraction=0.3), root=str(root))
    for _, labels in load(layer, 20):
        assert (labels[:5] == 0).all() and (labels[5:] > 0).all()  # int(7 * 0.3) = 2 objects
    seen = {int(label) for _, labels in load(layer, 40) for label in labels}
    assert seen == {0, 1, 2, 3, 4, 5}


def test_resumes_exactly_and_replicas_agree(root):
    write(
        root, *((1 + i, 0.9, i, 0, i + 9, 9) for i in range(9)), *((0, 0.2, i, 0, i + 9, 9) for i in range(9))
    )
    assert_resumes(lambda seed: make(text(4, 3, "", "mirror: true"), root=str(root), seed=seed))
    assert_replicas_agree(lambda **context: make(text(4, 3, "", "mirror: true"), root=str(root), **context))


def test_cached_pictures_are_read_once(root):
    write(root, (3, 0.9, *BOXES[0]), (0, 0.1, *BOXES[1]))
    layer = make(text(fields="cache_images: true"), root=str(root))
    load(layer)
    (root / "p.png").unlink()
    load(layer, 9)


def test_pictures_are_read_again_where_memory_is_short(root, monkeypatch):
    monkeypatch.setattr(module, "memory_budget", lambda: 0)
    write(root, (3, 0.9, *BOXES[0]), (0, 0.1, *BOXES[1]))
    layer = make(text(fields="cache_images: true"), root=str(root))
    load(layer)
    (root / "p.png").unlink()
    with pytest.raises(
        DataError,
        match=r"layer 'd' \(WindowData\): cannot open or decode '.*p.png', picture 0 of 'windows.txt'",
    ):
        load(layer, 9)


@pytest.mark.parametrize(
    "layer, error, message",
    [
        (
            text(crop=0),
            LayerError,
            "transform_param.crop_size is 0 and window_data_param.batch_size 4; both must be set",
        ),
        (text(batch=0), LayerError, "crop_size is 16 and window_data_param.batch_size 0"),
        (
            text(fields="context_pad: 8"),
            LayerError,
            "context_pad 8 leaves nothing of crop_size 16; use less than half of it",
        ),
        (
            text(fields='crop_mode: "round"'),
            LayerError,
            "crop_mode 'round' is not known; use 'warp' or 'square'",
        ),
        (
            text(fields="fg_threshold: 0.95"),
            DataError,
            "there is no object box, with an overlap of at least fg_threshold 0.95",
        ),
        (
            text(24, 4, "", 'mean_file: "mean.binaryproto"'),
            LayerError,
            r"is \(3, 25, 21\) and its middle must be \(3, 24, 24\)",
        ),
        (
            text(16, 4, "", "mean_value: 1 mean_value: 2"),
            LayerError,
            "2 mean_value for 3 channels; give 1 or 3",
        ),
    ],
)
def test_refusals_name_the_layer(root, layer, error, message):
    write(root, (3, 0.9, *BOXES[0]), (0, 0.1, *BOXES[1]))
    with pytest.raises(error, match=message) as caught:
        make(layer, root=str(root))
    assert str(caught.value).startswith("test.prototxt:1: layer 'd' (WindowData): ")


@pytest.mark.parametrize("box", [(45, 3, 50, 9), (-1, 3, 5, 9), (9, 3, 5, 9), (3, 38, 9, 40)])
def test_a_box_outside_its_picture(root, box):
    write(root, (3, 0.9, *box), (0, 0.1, *BOXES[1]))
    with pytest.raises(
        DataError, match=r"a box \(.*\) of 'p.png' does not lie in the picture, which is 50 wide and 40 high"
    ):
        load(make(text(), root=str(root)))


def test_a_box_that_stays_outside_with_its_context(root):
    write(root, (3, 0.9, 60, 3, 70, 9), (0, 0.1, *BOXES[1]))
    with pytest.raises(DataError, match=r"a box \(60, 3, 70, 9\) of 'p.png' does not lie in the picture"):
        load(make(text(fields="context_pad: 2"), root=str(root)))


def test_double_precision(root):
    write(root, (3, 0.9, *BOXES[0]), (0, 0.1, *BOXES[1]))
    assert load(make(text(), root=str(root), dtype=torch.float64))[0][0].dtype == np.float64


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_a_window_file_with_other_channels_than_its_pictures(root, channels):
    write(root, (3, 0.9, 3, 3, 9, 9), (0, 0.1, *BOXES[1]))
    windows = root / "windows.txt"
    windows.write_text(windows.read_text().replace("p.png\n3\n", f"p.png\n{channels}\n"))
    with pytest.raises(
        DataError, match=f"the window file says {channels} channels and 'p.png' is read with 3"
    ):
        load(make(text(), root=str(root)))
