"""ImageSegData: pictures and the labels of their pixels stay together."""

import numpy as np
import pytest

from caffe_compat.errors import DataError, LayerError
from tests.forks.segmentation.segmentation_data import HEIGHT, SEG, WIDTH, plane
from tests.layers.data_harness import assert_replicas_agree, assert_resumes, load, make
from tests.layers.harness import TEST, TRAIN


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
