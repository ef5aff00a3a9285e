"""BoxData: what is drawn on a picture stays in its box."""

import numpy as np
import pytest

from caffe_compat.data import lmdb
from caffe_compat.data.images import encode
from caffe_compat.errors import DataError, LayerError
from caffe_compat.forks.yolo import box_data
from caffe_compat.layers.base import TEST, Context
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto import Datum, NetParameter
from caffe_compat.proto.text import parse
from tests.layers.data_harness import CPU, assert_resumes, load, make

HEIGHT, WIDTH, COUNT = 60, 80, 5
SOURCE = 'type: "BoxData" data_param { source: "x" batch_size: %d backend: LMDB %s } '


def corners(number):
    return np.array([20 + 2 * number, 16 + number, 48, 40])  # xmin, ymin, xmax, ymax in pixels


def record(number, boxes=True, encoded=True, label=None):
    left, top, right, bottom = corners(number)
    pixels = np.full((HEIGHT, WIDTH, 3), 10, np.uint8)
    pixels[top:bottom, left:right] = 250
    datum = Datum(data=encode(pixels, "png"), encoded=encoded)
    if boxes:
        x, y = (left + right) / 2 / WIDTH, (top + bottom) / 2 / HEIGHT
        box = [x, y, (right - left) / WIDTH, (bottom - top) / HEIGHT]
        datum.float_data.extend([number if label is None else label, number % 2, *box])
    return datum.SerializeToString()


@pytest.fixture
def root(tmp_path):
    lmdb.write(str(tmp_path / "x"), ((b"%02d" % i, record(i)) for i in range(COUNT)))
    return str(tmp_path)


def drawn(pixels):
    """Centre and size, in shares, of what is bright in a picture (C, H, W)."""
    bright = pixels.max(0) > 130
    ys, xs = bright.any(1).nonzero()[0], bright.any(0).nonzero()[0]
    x0, x1, y0, y1 = xs[0] / WIDTH, (xs[-1] + 1) / WIDTH, ys[0] / HEIGHT, (ys[-1] + 1) / HEIGHT
    return [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]


def test_lists_of_boxes(root):
    layer = make(SOURCE % (3, "side: 13"), phase=TEST, root=root)
    assert layer.reshape() == [(3, 3, HEIGHT, WIDTH), (3, 150)]
    for start, (pictures, label) in zip((0, 3), load(layer, 2), strict=True):
        rows = label.reshape(3, 30, 5)
        assert rows[:, 0, 0].tolist() == [(start + i) % COUNT for i in range(3)] and not rows[:, 1:].any()
        for i in range(3):
            np.testing.assert_allclose(rows[i, 0, 1:], drawn(pictures[i]), atol=1e-6)


def test_grids(root):
    layer = make(SOURCE % (2, "side: 7 side: 13"), phase=TEST, top=3, root=root)
    assert layer.reshape() == [(2, 3, HEIGHT, WIDTH), (2, 343), (2, 150)]
    ((pictures, grid, listed),) = load(layer)
    assert listed.shape == (2, 150)
    for i in range(2):
        x, y, *_ = box = drawn(pictures[i])
        place = int(y * 7) * 7 + int(x * 7)
        difficult, present, label = grid[i, :147].reshape(3, 49)
        assert present.nonzero()[0].tolist() == [place] and (difficult[place], label[place]) == (i % 2, i)
        assert (np.delete(label, place) == -1).all()
        boxes = grid[i, 147:].reshape(49, 4)
        np.testing.assert_allclose(boxes[place], box, atol=1e-6)
        assert not np.delete(boxes, place, 0).any()
    assert make(SOURCE % (2, ""), phase=TEST, root=root).reshape()[1] == (2, 343)


def test_parts_of_pictures(root):
    layer = make(SOURCE % (5, "side: 13"), root=root)
    sizes = set()
    for pictures, label in load(layer, 8):
        for picture, row in zip(pictures, label.reshape(5, 30, 5)[:, 0], strict=True):
            centre, size = np.array(drawn(picture)).reshape(2, 2)
            if (centre - size / 2).min() > 0.01 and (centre + size / 2).max() < 0.99:  # nothing was cut off
                np.testing.assert_allclose(row[1:], [*centre, *size], atol=0.06)
            sizes.add(round(float(row[3]), 3))
    assert len(sizes) > 10


def test_a_part_has_a_centre():
    picture = np.zeros((1, 30, 40), np.uint8)
    boxes = np.array([[3, 0, 0.02, 0.03, 0.1, 0.1], [1, 1, 0.97, 0.5, 0.2, 0.2]], np.float32)
    counts = set()
    for seed in range(60):
        part, kept = box_data.cut(picture, boxes, np.random.default_rng(seed))
        assert part.shape == picture.shape and kept[:, 2:4].min() >= 0 and kept[:, 2:4].max() < 1
        counts.add(tuple(kept[:, 0]))
    assert {(3,), (1,)} <= counts
    outside = boxes[:1] + np.float32([0, 0, 5, 0, 0, 0])
    assert box_data.cut(picture, outside, np.random.default_rng(0))[1] is outside


def test_more_boxes_than_a_list_holds():
    boxes = np.arange(33 * 6, dtype=np.float32).reshape(33, 6)
    listed = box_data.as_list(boxes).reshape(30, 5)
    np.testing.assert_array_equal(listed, boxes[:30, [0, 2, 3, 4, 5]])


def test_it_goes_on_where_it_was(root):
    assert_resumes(lambda seed: make(SOURCE % (2, "side: 13"), root=root, seed=seed))


def test_replicas_share_the_records(root):
    whole = load(make(SOURCE % (4, "side: 13"), phase=TEST, root=root))[0]
    text = SOURCE % (2, "side: 13")
    both = load(make(text, root=root, replicas=2, rank=None))[0]
    assert both[1].reshape(4, 30, 5)[:, 0, 0].tolist() == whole[1].reshape(4, 30, 5)[:, 0, 0].tolist()
    for rank in range(2):
        part = load(make(text, root=root, replicas=2, rank=rank))[0]
        for ours, all_of_them in zip(part, both, strict=True):
            np.testing.assert_array_equal(ours, all_of_them[rank::2])


def test_shapes_without_the_source():
    text = SOURCE % (4, "side: 13") + "transform_param { force_color: true }"
    (param,) = parse(f'layer {{ name: "d" top: "a" top: "b" {text} }}', NetParameter).layer
    with pytest.raises(DataError, match="tell the shape of its pictures"):
        create_layer(param, TEST, Context()).guess()
    param.transform_param.crop_size = 9
    assert create_layer(param, TEST, Context()).guess() == [(4, 3, 9, 9), (4, 150)]


@pytest.mark.parametrize(
    "text, match",
    [
        (SOURCE % (0, ""), "batch_size must be set"),
        (SOURCE % (2, "side: 7 side: 13"), "has 2 tops and 2 data_param.side; give one a top but the first"),
        (SOURCE % (2, "") + "transform_param { mirror: true }", "transform_param has mirror, after which"),
        (SOURCE % (2, "") + "transform_param { crop_size: 9 }", "transform_param has crop_size, after which"),
    ],
)
def test_refused(root, text, match):
    with pytest.raises(LayerError, match=match):
        make(text, root=root)


@pytest.mark.parametrize(
    "value, match",
    [
        (b"\xff", "is not a Datum"),
        (record(1, boxes=False), "has 0 float_data, where six a box are needed, and its picture is encoded"),
        (record(1, encoded=False), "has 6 float_data, .* its picture is not encoded"),
        (record(1, label=-2), "has a box of class -2; classes begin at 0"),
        (
            Datum(data=b"x", encoded=True, float_data=[0] * 6).SerializeToString(),
            "its 1 bytes are no picture",
        ),
    ],
)
def test_bad_records(tmp_path, value, match):
    lmdb.write(str(tmp_path / "x"), [(b"00", record(0)), (b"01", value)])
    layer = make(SOURCE % (2, ""), root=str(tmp_path))
    with pytest.raises(DataError, match=rf"layer 'd' \(BoxData\): record 1 \(key '01'\) .*{match}"):
        layer.load(CPU)
