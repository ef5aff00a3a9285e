"""EvalData: pictures and boxes in the sizes that a test has."""

import numpy as np
import pytest

from tests.forks.rcnn.scene_data import BRIGHT, SCENES, evaluation, part_of
from tests.layers.data_harness import load, make


@pytest.mark.parametrize(
    "fields, sizes",
    [
        ("", [(64, 96), (96, 64), (64, 64), (96, 64), (64, 96)]),  # multiples of 32, the halves upwards
        ("short_size: 96 long_size: 120", [(96, 128), (128, 96), (96, 96), (128, 96), (96, 128)]),
        ("resize_width: 70 resize_height: 100", [(96, 64)] * 5),
    ],
)
def test_eval_data(root, fields, sizes):
    layer = make(evaluation(fields, transform="scale: 0.5 mean_value: 20"), top=3, root=str(root))
    for number, (data, boxes, size) in enumerate(load(layer, 5)):
        (height, width), own, _ = SCENES[number]
        assert data.shape == (1, 3, *sizes[number]) and size[:, :, 0, 0].tolist() == [list(sizes[number])]
        factor = np.array([sizes[number][1] / width, sizes[number][0] / height] * 2)
        wanted = np.array(own, float)
        np.testing.assert_allclose(boxes[:, 1:5, 0, 0], wanted[:, 3:] * factor, rtol=1e-5)
        assert boxes[:, [0, 5, 6, 7], 0, 0].tolist() == [[0, *map(float, row[:3])] for row in own]
        x, y, w, h = part_of(data[0, 0], 60)
        np.testing.assert_allclose([x, y, x + w - 1, y + h - 1], boxes[0, 1:5, 0, 0], atol=3)
        assert data.max() == (BRIGHT - 20) / 2
    assert layer.reshape() == [(1, 3, *sizes[0]), (1, 8, 1, 1), (1, 2, 1, 1)]


def test_eval_data_in_batches(root):
    layer = make(evaluation("resize_width: 64 resize_height: 64", 3), top=2, root=str(root))
    assert layer.reshape() == [(3, 3, 64, 64), (1, 8, 1, 1)]
    data, boxes = load(layer)[0]
    assert data.shape == (3, 3, 64, 64)
    assert boxes[:, 0, 0, 0].tolist() == [0, 0, 1, 1, 1, 2, 2]
    (root / "w.txt").write_text("# 0 p/0.png 3 60 80 0 0")
    layer = make(evaluation(""), top=2, root=str(root))
    assert load(layer)[0][1][:, :, 0, 0].tolist() == [[-1] * 8]
