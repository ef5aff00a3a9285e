"""Caffe's transformation against its formula, pixel by pixel, in float32 and to the last bit."""

import numpy as np
import pytest
import torch

from caffe_compat.data import transform
from caffe_compat.data.transform import Transformer
from caffe_compat.proto import TEST, TRAIN
from caffe_compat.proto import TransformationParameter as Param
from caffe_compat.proto.binary import write_binaryproto

RNG = np.random.default_rng(5)
IMAGES = RNG.integers(0, 256, (6, 3, 11, 8), np.uint8)
MEAN = RNG.uniform(0, 255, (3, 11, 8)).astype(np.float32)
VALUES = (104.25, 117.1, 123.68)


class Refused(Exception):
    pass


def refuse(what):
    raise Refused(what)


@pytest.fixture
def root(tmp_path):
    write_binaryproto(tmp_path / "mean.binaryproto", MEAN[None])
    return str(tmp_path)


def transformer(root="", phase=TRAIN, dtype=torch.float32, seed=1, **fields):
    return Transformer(Param(**fields), phase, torch.Generator().manual_seed(seed), refuse, root, dtype)


def formula(
    image, draws, phase, mirror=False, crop_size=0, mean=None, values=(), scale=1.0, dtype=np.float32
):
    """One picture, written as loops over Caffe's indices."""
    draws = [int(d) for d in draws]
    channels, height, width = image.shape
    flip = mirror and draws.pop(0) % 2 == 1
    rows, columns = (crop_size, crop_size) if crop_size else (height, width)
    top = left = 0
    if crop_size and phase == TRAIN:
        top, left = draws[0] % (height - crop_size + 1), draws[1] % (width - crop_size + 1)
    elif crop_size:
        top, left = (height - crop_size) // 2, (width - crop_size) // 2
    out = np.empty((channels, rows, columns), dtype)
    for c, h, w in np.ndindex(*out.shape):
        pixel = dtype(image[c, top + h, left + w])
        if mean is not None:
            pixel = pixel - dtype(mean[c, top + h, left + w])
        elif values:
            pixel = pixel - dtype(values[c % len(values)])
        out[c, h, columns - 1 - w if flip else w] = pixel * dtype(np.float32(scale))
    return out


@pytest.mark.parametrize("phase", [TRAIN, TEST])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("crop_size", [0, 5, 8])
@pytest.mark.parametrize("subtract", ["", "file", "one", "each"])
@pytest.mark.parametrize("scale", [1.0, 0.00390625, 0.1])
def test_every_combination_is_exact(root, phase, mirror, crop_size, subtract, scale):
    values = {"one": VALUES[:1], "each": VALUES}.get(subtract, ())
    fields = {"mirror": mirror, "crop_size": crop_size, "scale": scale, "mean_value": values}
    if subtract == "file":
        fields["mean_file"] = "mean.binaryproto"
    change = transformer(root, phase, **fields)
    draws = change.draw(len(IMAGES))
    before = IMAGES.copy()
    for kind in (np.uint8, np.float32):
        images = IMAGES.astype(kind)
        tops = change(torch.from_numpy(images), draws)
        assert tops.dtype == torch.float32 and tops.is_contiguous()
        assert tuple(tops.shape[1:]) == change.top_shape(IMAGES.shape[1:], lambda: "it")
        for image, draw, top in zip(IMAGES, draws, tops, strict=True):
            mean = MEAN if subtract == "file" else None
            wanted = formula(image, draw, phase, mirror, crop_size, mean, values, scale)
            np.testing.assert_array_equal(top.numpy(), wanted)
        np.testing.assert_array_equal(images, before.astype(kind), err_msg="the source changed")


@pytest.mark.parametrize("phase", [TRAIN, TEST])
@pytest.mark.parametrize("crop", [{"crop_height": 4, "crop_width": 7}, {"crop_size": 4, "crop_width": 7}])
def test_crops_that_are_no_squares(phase, crop):
    change = transformer(phase=phase, **crop)
    draws, images = change.draw(len(IMAGES)), torch.from_numpy(IMAGES)
    height, width = IMAGES.shape[2:]
    tops = change(images, draws)
    assert change.top_shape(IMAGES.shape[1:], lambda: "it") == (IMAGES.shape[1], 4, 7)
    corners = [(height - 4) // 2, (width - 7) // 2]
    for image, draw, top in zip(IMAGES, draws.tolist(), tops, strict=True):
        y, x = (draw[0] % (height - 3), draw[1] % (width - 6)) if phase == TRAIN else corners
        np.testing.assert_array_equal(top.numpy(), image[:, y : y + 4, x : x + 7])
    np.testing.assert_array_equal(change._one_by_one(images, draws).numpy(), tops.numpy())


def test_double_precision(root):
    change = transformer(root, dtype=torch.float64, mean_file="mean.binaryproto", scale=0.1)
    top = change(torch.from_numpy(IMAGES), change.draw(6))[2].numpy()
    np.testing.assert_array_equal(top, formula(IMAGES[2], (), TRAIN, mean=MEAN, scale=0.1, dtype=np.float64))


@pytest.mark.parametrize("width", [6, 8, 16])
def test_mirror_of_any_width(width):
    images = RNG.integers(0, 256, (9, 2, 3, width), np.uint8)
    change = transformer(mirror=True)
    draws = change.draw(9)
    coins = (draws[:, 0] % 2 == 1).numpy()
    assert 0 < coins.sum() < 9
    wanted = np.where(coins[:, None, None, None], images[..., ::-1], images)
    np.testing.assert_array_equal(change(torch.from_numpy(images), draws).numpy(), wanted)
    # A batch that is a slice of longer records, as the records of a database are.
    records = np.zeros((9, 6 * width + 5), np.uint8)
    records[:, 3:-2] = images.reshape(9, -1)
    view = torch.from_numpy(records)[:, 3:-2].view(images.shape)
    np.testing.assert_array_equal(change(view, draws).numpy(), wanted)


def test_draws_come_picture_by_picture_in_caffes_order():
    both = transformer(mirror=True, crop_size=5).draw(4)
    assert both.shape == (4, 3)
    generator = torch.Generator().manual_seed(1)
    one_by_one = torch.cat([torch.randint(0, 1 << 32, (1, 3), generator=generator) for _ in range(4)])
    assert torch.equal(both, one_by_one)
    assert transformer(phase=TEST, mirror=True, crop_size=5).draw(4).shape == (4, 1)
    assert transformer(crop_size=5).draw(4).shape == (4, 2)
    assert transformer(phase=TEST, crop_size=5).draw(4).shape == (4, 0)


def test_crops_are_anywhere_and_coins_are_fair():
    ramp = torch.arange(11 * 8, dtype=torch.float32).view(1, 1, 11, 8).expand(4000, 1, 11, 8)
    change = transformer(mirror=True, crop_size=6)
    corners = change(ramp, change.draw(4000))[:, 0, 0]
    flipped = corners[:, 0] > corners[:, -1]
    assert 1850 < flipped.sum() < 2150
    places = torch.where(flipped, corners[:, -1], corners[:, 0]).long().bincount()
    assert places.nonzero().flatten().tolist() == [8 * y + x for y in range(6) for x in range(3)]
    assert places[places > 0].min() > 150  # 222 each on average


def test_colour():
    assert transformer().colour is None
    assert transformer(force_color=True).colour is True
    assert transformer(force_gray=True).colour is False


@pytest.mark.parametrize(
    "fields, message",
    [
        (
            {"mean_file": "mean.binaryproto", "mean_value": [1]},
            r"both mean_file 'mean.binaryproto' and 1 mean_value are",
        ),
        (
            {"mean_file": "none"},
            r"mean_file '.*none' does not exist; make it with: caffe-compat compute-image-mean SOURCE",
        ),
        ({"force_color": True, "force_gray": True}, "force_color and force_gray are both set"),
        ({"crop_height": 5}, "crop_size is 0, crop_height 5 and crop_width 0; set crop_size, or both"),
        (
            {"crop_height": 5, "crop_width": 9},
            "a crop of 5 x 9 is larger than record 3, which is 11 x 8; use at most 11 x 8",
        ),
        ({"crop_size": 9}, "crop_size 9 is larger than record 3, which is 11 x 8; use at most 8"),
        ({"mean_value": [1, 2]}, "2 mean_value for the 3 channels of record 3; give 1 or 3"),
    ],
)
def test_refusals(root, fields, message):
    with pytest.raises(Refused, match=message):
        transformer(root, **fields).top_shape((3, 11, 8), lambda: "record 3")


def test_a_mean_of_another_size(root):
    change = transformer(root, mean_file="mean.binaryproto", crop_size=4)
    with pytest.raises(
        Refused, match=r"mean.binaryproto' is 3 x 11 x 8 and record 3 is 3 x 8 x 11; make the mean from"
    ):
        change.top_shape((3, 8, 11), lambda: "record 3")


def test_a_mean_of_several_pictures(tmp_path):
    write_binaryproto(tmp_path / "mean.binaryproto", np.stack([MEAN, MEAN]))
    with pytest.raises(Refused, match=r"has the shape \(2, 3, 11, 8\); it must be 1 x C x H x W"):
        transformer(str(tmp_path), mean_file="mean.binaryproto")


@pytest.mark.parametrize("width", [6, 8])
@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_what_runs_on_a_gpu_equals_what_runs_on_the_cpu(width, kind):
    images = torch.from_numpy(RNG.integers(0, 256, (9, 2, 7, width), np.uint8)).to(kind)
    flipped = torch.arange(9) % 3 == 1
    wanted = transform._mirrored(images, flipped)
    assert torch.equal(transform._mirror_on_cpu(images.clone(), flipped), wanted)
    assert not torch.equal(wanted, images)
    tops, lefts = torch.arange(9) % 3, torch.arange(9) % (width - 4)
    windows = transform._windows(images, tops, lefts, (5, 5))
    assert torch.equal(transform._windows_on_cpu(images, tops, lefts, (5, 5)), windows)
    assert torch.equal(windows[4], images[4, :, 1:6, 4 % (width - 4) :][..., :5])


@pytest.mark.parametrize("phase", [TRAIN, TEST])
@pytest.mark.parametrize("crop_size", [0, 5])
@pytest.mark.parametrize("subtract", [{}, {"mean_file": "mean.binaryproto"}, {"mean_value": VALUES}])
def test_large_pictures_one_by_one_equal_small_ones_at_once(root, phase, crop_size, subtract):
    change = transformer(root, phase, mirror=True, crop_size=crop_size, scale=0.1, **subtract)
    draws, images = change.draw(6), torch.from_numpy(IMAGES)
    assert 0 < (draws[:, 0] % 2).sum() < 6
    assert torch.equal(change._one_by_one(images, draws), change._at_once(images, draws))


def test_large_pictures_on_a_cpu_are_done_one_by_one(monkeypatch):
    change = transformer(scale=3)
    monkeypatch.setattr(change, "_one_by_one", lambda images, draws: "one by one")
    for side, wanted in ((254, "at once"), (256, "one by one")):
        images = torch.ones(1, 1, side, 258, dtype=torch.uint8)
        result = change(images, change.draw(1))
        assert wanted == (result if isinstance(result, str) else "at once")


def test_a_batch_is_not_overwritten_while_anything_refers_to_it():
    memory = transform.Recycled()
    first = memory.empty((2, 3), torch.float32)
    place, view = first.data_ptr(), first.fill_(2)[1]
    weight = torch.ones(1, requires_grad=True)
    product = first * weight  # autograd keeps `first` too
    del first
    second = memory.empty((2, 3), torch.float32).zero_()
    assert second.data_ptr() != place and view.tolist() == [2, 2, 2]
    del view
    third = memory.empty((2, 3), torch.float32).zero_()
    assert third.data_ptr() not in (place, second.data_ptr())
    product.sum().backward()
    assert weight.grad.item() == 12
    del product
    assert memory.empty((2, 3), torch.float32).data_ptr() == place
    assert memory.empty((3, 2), torch.float32).shape == (3, 2)


@pytest.mark.gpu
@pytest.mark.parametrize(
    "fields", [{"crop_size": 5}, {"mean_file": "mean.binaryproto"}, {"crop_size": 5, "mean_value": [9]}]
)
def test_the_gpu_gives_the_same(root, fields):
    change = transformer(root, mirror=True, scale=0.1, **fields)
    draws = change.draw(6)
    wanted = change(torch.from_numpy(IMAGES), draws)
    assert torch.equal(change(torch.from_numpy(IMAGES).cuda(), draws.cuda()).cpu(), wanted)
