"""ImageLabelmapData: pictures and their edges stay together."""

import numpy as np
import pytest

from caffe_compat.errors import DataError, LayerError
from tests.forks.segmentation.segmentation_data import WIDTH, plane
from tests.layers.data_harness import load, make
from tests.layers.harness import TEST, TRAIN

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
