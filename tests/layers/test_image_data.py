"""ImageData: lists of pictures, in order or shuffled."""

import shutil

import numpy as np
import pytest
import torch

from caffe_compat.data.images import encode
from caffe_compat.errors import DataError, LayerError
from caffe_compat.layers import image_data as module
from tests.layers.data_harness import (
    REFERENCE,
    assert_golden,
    assert_replicas_agree,
    assert_resumes,
    load,
    make,
)

TEXT = 'type: "ImageData" image_data_param { source: "list.txt" batch_size: %d %s }'
RESIZED = "new_height: 6 new_width: 5"


@pytest.fixture(params=["kept", "read again"])
def memory(request, monkeypatch):
    monkeypatch.setattr(module, "memory_budget", lambda: 1 << 30 if request.param == "kept" else 0)


@pytest.fixture
def root(tmp_path):
    """A list of 7 gray pictures, 5 x 4, number i of the value 20 i, with the label i."""
    (tmp_path / "p").mkdir()
    for i in range(7):
        (tmp_path / "p" / f"{i}.png").write_bytes(encode(np.full((5, 4), 20 * i, np.uint8), "png"))
    (tmp_path / "list.txt").write_text("".join(f"{i}.png {i}\n" for i in range(7)))
    return str(tmp_path)


def order(batches):
    for pictures, labels in batches:
        np.testing.assert_array_equal(pictures[:, 0, 0, 0], 20 * labels)
    return [int(label) for _, labels in batches for label in labels]


@pytest.mark.parametrize("name", ["imagedata", "imagedata_gray", "imagedata_root"])
def test_golden_batches(name, memory):
    assert_golden(name)


def test_random_sizes_before_the_crop(root, memory):
    text = TEXT % (3, 'is_color: false root_folder: "p/"') + " transform_param { crop_size: 7 %s }"
    sizes = "random_resize_param { min_size: 7 max_size: 9 }"
    for name in (sizes, "img_rand_resize_lower: 7 img_rand_resize_upper: 9 allow_upscale: true"):
        layer = make(text % name, root=root)
        assert layer.reshape() == [(3, 1, 7, 7), (3,)]
        pictures, labels = layer.load(torch.device("cpu"))
        assert pictures.shape == (3, 1, 7, 7)
        np.testing.assert_array_equal(pictures[:, 0, 0, 0], 20 * labels)
    with pytest.raises(LayerError, match="crop_size 7 is larger than '0.png', which is 5 x 4"):
        make(text % "", root=root)


def test_lines_go_round_in_the_middle_of_a_batch(root, memory):
    layer = make(TEXT % (3, 'root_folder: "p/"'), root=root)
    assert layer.reshape() == [(3, 3, 5, 4), (3,)]
    assert order(load(layer, 5)) == [i % 7 for i in range(15)]


def test_gray(root):
    assert make(TEXT % (3, 'root_folder: "p/" is_color: false'), root=root).reshape() == [(3, 1, 5, 4), (3,)]


def test_shuffle_gives_every_line_once_a_round_in_new_orders(root, memory):
    found = order(load(make(TEXT % (5, 'root_folder: "p/" shuffle: true'), root=root), 7))
    rounds = [found[at : at + 7] for at in range(0, 35, 7)]
    assert all(sorted(one) == list(range(7)) for one in rounds)
    assert len({tuple(one) for one in rounds}) == 5


def test_rand_skip_starts_somewhere(root):
    starts = {
        order(load(make(TEXT % (1, 'root_folder: "p/" rand_skip: 4'), root=root, seed=seed)))[0]
        for seed in range(40)
    }
    assert starts == {0, 1, 2, 3}


def test_every_replica_reads_the_whole_list(root):
    text = TEXT % (2, 'root_folder: "p/"')
    assert order(load(make(text, root=root, replicas=3, rank=2), 2)) == [0, 1, 2, 3]
    assert order(load(make(text, root=root, replicas=3, rank=None), 2)) == [
        0,
        0,
        0,
        1,
        1,
        1,
        2,
        2,
        2,
        3,
        3,
        3,
    ]


@pytest.mark.parametrize("more", ["", "shuffle: true", "shuffle: true rand_skip: 5"])
def test_replicas_agree(more):
    text = TEXT % (4, f"{RESIZED} {more}") + "transform_param { mirror: true crop_size: 4 }"
    assert_replicas_agree(lambda **context: make(text, root=str(REFERENCE), **context))


@pytest.mark.parametrize("more", ["", "shuffle: true rand_skip: 5"])
def test_resumes_exactly(more, memory):
    text = TEXT % (4, f"{RESIZED} {more}") + "transform_param { mirror: true crop_size: 4 }"
    assert_resumes(lambda seed: make(text, root=str(REFERENCE), seed=seed))


def test_pictures_of_several_sizes_need_a_crop(root, tmp_path):
    (tmp_path / "p" / "1.png").write_bytes(encode(np.zeros((4, 6), np.uint8), "png"))
    text = TEXT % (3, 'root_folder: "p/"')
    with pytest.raises(
        DataError, match=r"'1.png' has the shape \(3, 4, 6\) and the first of its batch, '0.png', \(3, 5, 4\)"
    ):
        load(make(text, root=root))
    assert load(make(text + "transform_param { crop_size: 3 }", root=root))[0][0].shape == (3, 3, 3, 3)


def test_double_precision(root):
    (tops,) = load(make(TEXT % (2, 'root_folder: "p/"'), root=root, dtype=torch.float64))
    assert tops[0].dtype == np.float64


@pytest.mark.parametrize(
    "text, error, message",
    [
        (TEXT % (0, ""), LayerError, "image_data_param.batch_size must be above 0"),
        (
            TEXT % (2, "new_height: 4"),
            LayerError,
            "new_height is 4 and new_width 0; set both to resize, or none",
        ),
        (
            TEXT.replace("list", "none") % (2, ""),
            DataError,
            "the list '.*none.txt' cannot be read: No such file",
        ),
        (
            TEXT % (2, ""),
            DataError,
            "line 1 of 'list.txt': cannot open or decode '.*/0.png'; correct the list or root",
        ),
        (
            TEXT % (2, 'root_folder: "p/"') + "transform_param { crop_size: 5 }",
            LayerError,
            "crop_size 5 is larger than '0.png'",
        ),
    ],
)
def test_refusals_name_the_layer(root, text, error, message):
    with pytest.raises(error, match=message) as caught:
        make(text, root=root)
    assert str(caught.value).startswith("test.prototxt:1: layer 'd' (ImageData): ")


def test_rand_skip_beyond_the_list(root):
    with pytest.raises(LayerError, match=r"rand_skip 1000 skips \d+ lines and the list has 7; lower it"):
        make(TEXT % (1, 'root_folder: "p/" rand_skip: 1000'), root=root)


def test_a_picture_that_cannot_be_read_is_named_when_it_is_due(root, tmp_path):
    (tmp_path / "p" / "5.png").write_bytes(b"no picture")
    layer = make(TEXT % (2, 'root_folder: "p/"'), root=root)
    assert order(load(layer, 2)) == [0, 1, 2, 3]
    with pytest.raises(
        DataError, match=r"layer 'd' \(ImageData\): line 6 of 'list.txt': cannot open or decode '.*p/5.png'"
    ):
        load(layer)


def test_pictures_that_fit_are_read_once(root, tmp_path, monkeypatch):
    layer = make(TEXT % (7, 'root_folder: "p/"'), root=root)
    load(layer)
    shutil.rmtree(tmp_path / "p")
    assert order(load(layer, 2)) == [*range(7), *range(7)]
