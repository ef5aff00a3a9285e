"""DenseImageData: pictures and the labels of their pixels stay together."""

import numpy as np
import pytest

from tests.forks.segmentation.segmentation_data import DENSE, HEIGHT, WIDTH, plane
from tests.layers.data_harness import assert_replicas_agree, assert_resumes, load, make
from tests.layers.harness import TEST, TRAIN


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
