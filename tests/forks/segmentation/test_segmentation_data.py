"""DenseImageData and ImageSegData: pictures and the labels of their pixels stay together."""

import re

import numpy as np
import pytest
import torch

from caffe_compat.data.images import encode
from caffe_compat.errors import DataError, LayerError
from caffe_compat.layers.base import Context
from caffe_compat.layers.registry import create_layer
from tests.layers.data_harness import assert_replicas_agree, assert_resumes, load, make
from tests.layers.harness import TEST, TRAIN, layer_param

DENSE = 'type: "DenseImageData" dense_image_data_param { source: "list.txt" batch_size: %d %s }'
SEG = 'type: "ImageSegData" image_data_param { source: "list.txt" label_type: PIXEL batch_size: %d %s } %s'
HEIGHT, WIDTH = 5, 7


def plane(i):
    """Every pixel tells its picture and its place; labels are the same numbers."""
    return (40 * i + np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)).astype(np.uint8)


@pytest.fixture
def root(tmp_path):
    """A list of 6 gray pictures, 5 x 7, and labels that equal them."""
    for i in range(6):
        for name in (f"{i}.png", f"{i}_labels.png"):
            (tmp_path / name).write_bytes(encode(plane(i), "png"))
    (tmp_path / "list.txt").write_text("".join(f"{i}.png {i}_labels.png\n" for i in range(6)))
    return str(tmp_path)


def test_dense_in_order(root):
    layer = make(DENSE % (4, ""), root=root)
    assert layer.reshape() == [(4, 3, HEIGHT, WIDTH), (4, 1, HEIGHT, WIDTH)]
    first, second = load(layer, 2)
    np.testing.assert_array_equal(first[0], np.stack([[plane(i)] * 3 for i in range(4)]))
    np.testing.assert_array_equal(first[1], first[0][:, :1])
    np.testing.assert_array_equal(second[1][:, 0], [plane(i) for i in (4, 5, 0, 1)])


def test_dense_mean_and_scale_are_for_pictures_only(root):
    text = DENSE % (2, "is_color: false") + " transform_param { mean_value: 3 scale: 0.5 }"
    ((data, labels),) = load(make(text, root=root))
    np.testing.assert_array_equal(data[:, 0], [(plane(i) - 3.0) / 2 for i in range(2)])
    np.testing.assert_array_equal(labels[:, 0], [plane(0), plane(1)])


@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_dense_cuts_and_mirrors_both_alike(root, phase):
    layer = make(DENSE % (6, "mirror: true crop_height: 3 crop_width: 4"), phase, root=root)
    assert layer.reshape() == [(6, 3, 3, 4), (6, 1, 3, 4)]
    corners, coins = set(), set()
    for data, labels in load(layer, 8):
        np.testing.assert_array_equal(data, np.repeat(labels, 3, 1))
        for i, window in enumerate(labels[:, 0] - 40 * np.arange(6)[:, None, None]):
            coins.add(flipped := bool(window[0, 0] > window[0, 1]))
            window = window[:, ::-1] if flipped else window
            row, column = divmod(int(window[0, 0]), WIDTH)
            corners.add((row, column))
            np.testing.assert_array_equal(
                window, plane(0)[row : row + 3, column : column + 4], err_msg=str(i)
            )
    assert coins == {False, True} and corners == {(row, column) for row in range(3) for column in range(4)}


def test_dense_resizes_labels_to_the_nearest(root):
    layer = make(DENSE % (1, "new_height: 10 new_width: 14"), root=root)
    ((data, labels),) = load(layer)
    np.testing.assert_array_equal(labels[0, 0], plane(0).repeat(2, 0).repeat(2, 1))
    assert data.shape == (1, 3, 10, 14) and (data[0, 0] != labels[0, 0]).any()


SHUFFLED = "shuffle: true rand_skip: 3 mirror: true crop_height: 3 crop_width: 4"


def test_dense_resumes_and_splits(root):
    assert_resumes(lambda seed: make(DENSE % (4, SHUFFLED), seed=seed, root=root))
    assert_replicas_agree(lambda **context: make(DENSE % (2, SHUFFLED), root=root, **context))


def test_sizes_may_differ_from_batch_to_batch_of_one(root, tmp_path):
    small = encode(np.ones((2, 3), np.uint8), "png")
    for name in ("1.png", "1_labels.png"):
        (tmp_path / name).write_bytes(small)
    shapes = [data.shape for data, _ in load(make(DENSE % (1, ""), root=root), 3)]
    assert shapes == [(1, 3, 5, 7), (1, 3, 2, 3), (1, 3, 5, 7)]
    with pytest.raises(
        DataError, match=r"picture 1 of a batch has the shape \(3, 2, 3\) and the first one \(3, 5, 7\)"
    ):
        load(make(DENSE % (2, ""), root=root))


def seg(root, count=3, fields="is_color: false", transform="", phase=TEST, top=3):
    return make(SEG % (count, fields, f"transform_param {{ {transform} }}"), phase, top=top, root=root)


def test_seg_with_sizes(root):
    layer = seg(root, transform="mean_value: 4 scale: 0.25")
    assert layer.reshape() == [(3, 1, 5, 7), (3, 1, 5, 7), (3, 1, 1, 2)]
    ((data, labels, sizes),) = load(layer)
    np.testing.assert_array_equal(data[:, 0], [(plane(i) - 4.0) / 4 for i in range(3)])
    np.testing.assert_array_equal(labels[:, 0], [plane(i) for i in range(3)])
    assert sizes.reshape(3, 2).tolist() == [[5, 7]] * 3
    assert seg(root, top=2).reshape() == [(3, 1, 5, 7), (3, 1, 5, 7)]


def test_seg_cuts_the_middle_and_fills_up(root):
    """Crop 8 x 4: two lines of filling below, one and a half columns off each side."""
    layer = seg(root, 1, "is_color: false ignore_label: 17", "mean_value: 4 crop_height: 8 crop_width: 4")
    ((data, labels, sizes),) = load(layer)
    np.testing.assert_array_equal(data[0, 0, :5], plane(0)[:, 1:5] - 4.0)
    np.testing.assert_array_equal(labels[0, 0, :5], plane(0)[:, 1:5])
    assert (data[0, 0, 5:] == 0).all() and (labels[0, 0, 5:] == 17).all()
    assert sizes.ravel().tolist() == [5, 4]


def test_seg_cuts_and_mirrors_both_alike_in_training(root):
    layer = seg(root, 6, "is_color: false", "crop_size: 4 mirror: true", TRAIN)
    corners, coins = set(), set()
    for data, labels, _ in load(layer, 8):
        np.testing.assert_array_equal(data, labels)
        for window in labels[:, 0] - 40 * np.arange(6)[:, None, None]:
            coins.add(flipped := bool(window[0, 0] > window[0, 1]))
            window = window[:, ::-1] if flipped else window
            row, column = divmod(int(window[0, 0]), WIDTH)
            corners.add((row, column))
            np.testing.assert_array_equal(window, plane(0)[row : row + 4, column : column + 4])
    assert coins == {False, True} and corners == {(row, column) for row in range(2) for column in range(4)}


def test_seg_scale_factors(root):
    layer = seg(
        root, 1, "is_color: false", "scale_factors: 1 scale_factors: 2 crop_height: 10 crop_width: 14", TRAIN
    )
    twice = plane(0).repeat(2, 0).repeat(2, 1)
    seen = set()
    for i, (_, labels, _) in enumerate(load(layer, 24)):
        window = labels[0, 0] - 40 * (i % 6) * (labels[0, 0] != 255)
        kind = "twice" if (labels[0, 0, 5:] != 255).any() else "once"
        seen.add(kind)
        np.testing.assert_array_equal(
            window[:5, :7] if kind == "once" else window, plane(0) if kind == "once" else twice
        )
    assert seen == {"once", "twice"}


@pytest.mark.parametrize("kind, word, label", [("IMAGE", "37", 37), ("NONE", "", 255)])
def test_seg_one_label_for_all_pixels(root, tmp_path, kind, word, label):
    (tmp_path / "list.txt").write_text(f"0.png {word}\n")
    ((_, labels, _),) = load(make((SEG % (1, "", "")).replace("PIXEL", kind), top=3, root=root))
    assert (labels == label).all() and labels.shape == (1, 1, 5, 7)


def test_seg_resumes_and_splits(root):
    text = SEG % (2, "shuffle: true", "transform_param { crop_size: 3 mirror: true }")
    assert_resumes(lambda seed: make(text, seed=seed, top=3, root=root))
    assert_replicas_agree(lambda **context: make(text, top=3, root=root, **context))


@pytest.mark.parametrize(
    "text, error, message",
    [
        (DENSE % (0, ""), LayerError, "dense_image_data_param.batch_size must be above 0"),
        (DENSE % (1, "new_height: 3"), LayerError, "new_height is 3 and new_width 0; set both"),
        (DENSE % (1, "crop_width: 3"), LayerError, "crop_height is 0 and crop_width 3; set both"),
        (DENSE % (1, "crop_height: 6 crop_width: 3"), DataError, "is 6 x 3, larger than a picture of 5 x 7; crop less"),
        (
            DENSE % (1, "") + " transform_param { mirror: true }",
            LayerError,
            "would treat pictures and labels apart; set dense_image_data_param.mirror instead",
        ),
        (
            DENSE % (1, "") + " transform_param { crop_size: 3 }",
            LayerError,
            "transform_param.crop_size would .* set dense_image_data_param.crop_height and crop_width instead",
        ),
        ((DENSE % (1, "")).replace("list", "nothing"), DataError, "nothing.txt' cannot be read: .* give a file of"),
        (SEG % (1, "", "transform_param { mean_file: 'm' }"), LayerError, "mean_file"),
        (SEG % (1, "", "transform_param { crop_width: 3 }"), LayerError, "crop_size is 0, crop_height 0 and crop_width 3"),
        (SEG % (1, "", "transform_param { mean_value: [1, 2] }"), LayerError, "2 mean_value for 3 channels; give 1 or 3"),
        ((SEG % (1, "", "")).replace("PIXEL", "IMAGE"), DataError, "label '0_labels.png' is no number; set label_type"),
    ],
)  # fmt: skip
def test_refusals(root, text, error, message):
    with pytest.raises(error, match=message):
        layer = make(text, top=3 if "Seg" in text else 2, root=root)
        layer.reshape()
        load(layer)


@pytest.mark.parametrize(
    "line, message",
    [
        ("0.png", "line 1 of 'list.txt' has no labels; write `picture labels`"),
        ("0.png 9.png", "line 1 of 'list.txt': cannot open or decode"),
        ("0.png wide.png", "the picture is 5 x 7 and its labels 2 x 3; they must be of one size"),
        ("", "is empty; it needs one `picture labels` a line"),
    ],
)
@pytest.mark.parametrize("text", [DENSE % (1, ""), SEG % (1, "", "")])
def test_bad_lists(root, tmp_path, text, line, message):
    (tmp_path / "wide.png").write_bytes(encode(np.ones((2, 3), np.uint8), "png"))
    (tmp_path / "list.txt").write_text(line + "\n")
    with pytest.raises(DataError, match=re.escape(message)):
        make(text, top=3 if "Seg" in text else 2, root=root)


def test_guesses_without_a_list():
    shapes = make_unopened(DENSE % (4, "crop_height: 3 crop_width: 6")).guess()
    assert shapes == [(4, 3, 3, 6), (4, 1, 3, 6)]
    assert make_unopened(SEG % (2, "", "transform_param { crop_size: 9 }"), 3).guess() == [
        (2, 3, 9, 9),
        (2, 1, 9, 9),
        (2, 1, 1, 2),
    ]


LABELMAP = 'type: "ImageLabelmapData" image_data_param { source: "list.txt" batch_size: %d %s } %s'


def edges(i):
    return (plane(i) >= 128) * 1.0


def test_labelmap_in_order(root):
    layer = make(LABELMAP % (6, "is_color: false", "transform_param { mean_value: 3 scale: 0.5 }"), root=root)
    assert layer.reshape() == [(6, 1, 5, 7), (6, 1, 5, 7)]
    ((data, maps),) = load(layer)
    np.testing.assert_array_equal(data[:, 0], [(plane(i) - 3.0) / 2 for i in range(6)])
    np.testing.assert_array_equal(maps[:, 0], [edges(i) for i in range(6)])
    assert {0, 1} == set(maps.ravel())


@pytest.mark.parametrize(
    "phase, corners", [(TRAIN, {(y, x) for y in range(2) for x in range(4)}), (TEST, {(0, 1)})]
)
def test_labelmap_cuts_and_mirrors_both_alike(root, phase, corners):
    text = LABELMAP % (6, "is_color: false", "transform_param { crop_size: 4 mirror: true }")
    seen, coins = set(), set()
    for data, maps in load(make(text, phase, root=root), 12):
        np.testing.assert_array_equal(maps, data >= 128)
        for window in data[:, 0] - 40 * np.arange(6)[:, None, None]:
            coins.add(flipped := bool(window[0, 0] > window[0, 1]))
            seen.add(divmod(int(window[0, -1 if flipped else 0]), WIDTH))
    assert coins == {False, True} and seen == corners


@pytest.mark.parametrize(
    "transform, error, message",
    [
        ("mean_file: 'm'", LayerError, "mean_file"),
        ("mean_value: [1, 2]", LayerError, "2 mean_value for 3 channels; give 1 or 3"),
        ("crop_size: 6", (DataError, LayerError), "crop_size (is )?6"),
    ],
)
def test_labelmap_refusals(root, transform, error, message):
    with pytest.raises(error, match=message):
        layer = make(LABELMAP % (1, "", f"transform_param {{ {transform} }}"), root=root)
        layer.reshape()
        load(layer)


def make_unopened(text, top=2):
    """The layer, not set up: nothing is read."""
    tops = " ".join(f'top: "t{i}"' for i in range(top))
    return create_layer(layer_param(f"{tops} {text}", 0), TEST, Context(generator=torch.Generator()))


BITS = SEG.replace("label_type: PIXEL", "label_type: PIXELML")


def bits(i):
    """A bit a class: 32 for each pixel, some with the last one, which floats keep in their sign."""
    numbers = (1 << np.arange(HEIGHT * WIDTH, dtype=np.uint32) % 32) + np.uint32(i)
    return numbers.reshape(HEIGHT, WIDTH).astype(np.uint32)


@pytest.fixture
def of_bits(root, tmp_path):
    for i in range(6):
        bits(i).tofile(tmp_path / f"{i}.bin")
    (tmp_path / "list.txt").write_text("".join(f"{i}.png {i}.bin\n" for i in range(6)))
    return root


def test_seg_takes_a_bit_a_class(of_bits):
    layer = make(BITS % (2, "", "transform_param { crop_size: 4 }"), TEST, root=of_bits)
    ((data, labels),) = load(layer)
    assert data.shape == (2, 3, 4, 4) and labels.dtype == np.float32
    np.testing.assert_array_equal(data[:, 0], [plane(i)[0:4, 1:5] for i in range(2)])
    np.testing.assert_array_equal(labels[:, 0].view(np.uint32), [bits(i)[0:4, 1:5] for i in range(2)])


def test_seg_refuses_bits_that_do_not_fit(of_bits, tmp_path):
    with pytest.raises(LayerError, match="PIXELML has labels that cannot be resized; remove"):
        make(BITS % (2, "", "transform_param { crop_size: 4 scale_factors: 2 }"), root=of_bits)
    with pytest.raises(LayerError, match="num_label_chn is 2; only labels of one channel are known"):
        make(BITS % (2, "num_label_chn: 2", ""), root=of_bits)
    bits(0)[1:].tofile(tmp_path / "0.bin")
    with pytest.raises(
        DataError, match=r"0.bin' has 28 labels of 4 bytes and the picture 5 x 7 pixels; give one"
    ):
        load(make(BITS % (2, "", ""), root=of_bits))
    (tmp_path / "0.bin").unlink()
    with pytest.raises(DataError, match=r"line 1 of 'list.txt': '.*0.bin' cannot be read: No such file"):
        load(make(BITS % (2, "", ""), root=of_bits))
