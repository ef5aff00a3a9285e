"""The drawn set: the same bytes everywhere, balanced, and told apart by more than colour."""

import hashlib

import numpy as np

from caffe_compat.data import shapes


def drawn(count, seed):
    chunks = list(shapes.generate(count, seed))
    return np.concatenate([p for p, _ in chunks]), np.concatenate([labels for _, labels in chunks])


def test_bytes_never_change():
    pictures, labels = drawn(700, 1)
    assert (pictures.shape, pictures.dtype) == ((700, 3, 32, 32), np.uint8)
    digest = hashlib.sha256(pictures.tobytes() + labels.astype("<i4").tobytes()).hexdigest()
    assert digest == "5366453116dad3440623b3102cacae39d004c767a18f20cf73925cb6a233a271"


def test_more_pictures_start_with_the_same_ones():
    few, many = drawn(500, 3), drawn(1000, 3)
    np.testing.assert_array_equal(many[0][:500], few[0])
    np.testing.assert_array_equal(many[1][:500], few[1])


def test_seeds_give_different_pictures():
    assert not np.array_equal(drawn(10, 0)[0], drawn(10, 1)[0])


def test_every_class_is_as_frequent():
    _, labels = drawn(5000, 0)
    counts = np.bincount(labels)
    assert len(counts) == len(shapes.SHAPES) == 10
    assert counts.min() > 400 and counts.max() < 600


def test_no_shape_changes_when_mirrored():
    place = np.arange(-20, 21) * 64
    u, v = np.meshgrid(place, place)
    for name, covers in shapes.SHAPES.items():
        covered = covers(u, v, np.int64(600))
        np.testing.assert_array_equal(covered, covered[:, ::-1], err_msg=name)
        assert 20 < covered.sum() < 400, name


def test_the_mean_colour_tells_little():
    pictures, labels = drawn(3000, 0)
    colour = pictures.mean((2, 3))
    centres = np.stack([colour[labels == k].mean(0) for k in range(10)])
    guess = ((colour[:, None] - centres) ** 2).sum(2).argmin(1)
    assert (guess == labels).mean() < 0.2
