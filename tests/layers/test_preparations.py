"""Data and ImageData with what SSD's fork does to pictures before they are cropped."""

import numpy as np
import pytest

from caffe_compat.data import lmdb
from caffe_compat.data.records import serialize
from caffe_compat.errors import LayerError
from caffe_compat.layers import data as module
from caffe_compat.layers.base import TEST, TRAIN
from tests.layers.data_harness import load, make
from tests.layers.harness import draws

cv2 = pytest.importorskip("cv2")

DATA = 'type: "Data" data_param { source: "x" batch_size: 2 backend: LMDB } transform_param { %s }'
LIST = 'type: "ImageData" image_data_param { source: "list" batch_size: 2 } transform_param { %s }'
RESIZE = "resize_param { height: 8 width: 15 interp_mode: NEAREST }"


def pictures():
    """Three pictures of 3 channels, 4 x 5."""
    return (draws((3, 3, 4, 5)) * 40 + 120).astype(np.uint8)


@pytest.fixture(params=["kept", "streamed"])
def memory(request, monkeypatch):
    monkeypatch.setattr(module, "memory_budget", lambda: 1 << 30 if request.param == "kept" else 0)


@pytest.fixture
def root(tmp_path):
    records = ((b"%02d" % i, serialize(picture, i)) for i, picture in enumerate(pictures()))
    lmdb.write(str(tmp_path / "x"), records)
    for i, picture in enumerate(pictures()):
        cv2.imwrite(str(tmp_path / f"{i}.png"), picture.transpose(1, 2, 0))
    (tmp_path / "list").write_text("".join(f"{tmp_path}/{i}.png {i}\n" for i in range(3)))
    return str(tmp_path)


@pytest.mark.parametrize("layer", [DATA, LIST])
def test_resized_by_nearest_neighbours(layer, root, memory):
    layer = make(layer % f"{RESIZE} scale: 0.5", root=root)
    assert layer.reshape() == [(2, 3, 8, 15), (2,)]
    wanted = pictures().repeat(2, 2).repeat(3, 3) * 0.5
    (first, _), (second, _) = load(layer, 2)
    np.testing.assert_array_equal(np.concatenate((first, second)), wanted[[0, 1, 2, 0]])


def test_the_crop_comes_after(root, memory):
    layer = make(DATA % f"{RESIZE} crop_size: 6 mirror: true", root=root, phase=TEST)
    assert layer.reshape()[0] == (2, 3, 6, 6)
    wanted = pictures().repeat(2, 2).repeat(3, 3)[:2, :, 1:7, 4:10]
    for top, picture in zip(load(layer, 1)[0][0], wanted, strict=True):
        assert (top == picture).all() or (top == picture[..., ::-1]).all()


def test_fit_small_size_keeps_the_proportions(root):
    resize = "resize_param { height: 8 width: 8 resize_mode: FIT_SMALL_SIZE }"
    assert make(DATA % resize, root=root).reshape()[0] == (2, 3, 8, 10)


def test_brightness_is_drawn_for_each_picture_and_comes_again_from_a_state(root, memory):
    distort = "distort_param { brightness_prob: 1 brightness_delta: 32 }"
    layer = make(DATA % distort, root=root, phase=TRAIN)
    load(layer, 1)
    state = layer.get_state()
    top = load(layer, 1)[0][0]
    changes = top - pictures()[[2, 0]]
    assert (abs(changes) <= 32).all()
    assert (
        all(len(np.unique(change)) == 1 for change in changes) and changes[0, 0, 0, 0] != changes[1, 0, 0, 0]
    )
    layer.set_state(state)
    np.testing.assert_array_equal(load(layer, 1)[0][0], top)


def test_expansion_puts_pictures_on_a_ground_of_the_mean(root):
    text = f"expand_param {{ prob: 1 max_expand_ratio: 3 }} mean_value: 7 {RESIZE}"
    top = load(make(DATA % text, root=root), 1)[0][0]
    assert top.shape == (2, 3, 8, 15) and (top == 0).any()


def test_what_nobody_does_is_refused(root):
    with pytest.raises(LayerError, match="transform_param.resize_param.max_angle: a fork of Caffe's"):
        make(DATA % "resize_param { height: 4 width: 3 max_angle: 15 }", root=root)
    make(DATA % "resize_param { height: 4 width: 3 max_angle: 0 center_object: false }", root=root)


def test_a_size_is_needed(root):
    with pytest.raises(LayerError, match="resize_param is 4 x 0; height and width must both be above 0"):
        make(DATA % "resize_param { height: 4 }", root=root)
