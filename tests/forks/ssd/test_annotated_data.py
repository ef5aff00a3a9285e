"""AnnotatedData: what is drawn on a picture stays in its box, whatever is done to both."""

import numpy as np
import pytest

from caffe_compat.data import box_sampling, lmdb
from caffe_compat.data.images import encode
from caffe_compat.errors import DataError, LayerError
from caffe_compat.layers.base import TEST, Context
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto import AnnotatedDatum, NetParameter
from caffe_compat.proto.text import parse
from tests.layers.data_harness import CPU, assert_resumes, load, make

SOURCE = 'type: "AnnotatedData" data_param { source: "x" batch_size: %d backend: LMDB } '
HEIGHT, WIDTH = 60, 80
BOX = [20, 16, 48, 40]  # xmin, ymin, xmax, ymax in pixels
COUNT = 5


def picture(number):
    """Dark, with a bright box; its first corner moves with the number."""
    pixels = np.full((3, HEIGHT, WIDTH), 10, np.uint8)
    pixels[:, BOX[1] + number : BOX[3], BOX[0] + 2 * number : BOX[2]] = 250
    return pixels


def record(number, typed=True, encoded=False):
    message = AnnotatedDatum()
    message.datum.label = 40 + number
    if encoded:
        message.datum.data, message.datum.encoded = encode(picture(number).transpose(1, 2, 0), "png"), True
    else:
        message.datum.channels, message.datum.height, message.datum.width = 3, HEIGHT, WIDTH
        message.datum.data = picture(number).tobytes()
    if typed:
        message.type = AnnotatedDatum.BBOX
    if number != 3:  # one picture has no boxes
        group = message.annotation_group.add(group_label=number + 1)
        box = group.annotation.add(instance_id=7).bbox
        box.xmin, box.ymin = (BOX[0] + 2 * number) / WIDTH, (BOX[1] + number) / HEIGHT
        box.xmax, box.ymax, box.difficult = BOX[2] / WIDTH, BOX[3] / HEIGHT, number == 1
        group.annotation.add(instance_id=8).bbox.CopyFrom(box)
    return message.SerializeToString()


@pytest.fixture
def root(tmp_path):
    lmdb.write(str(tmp_path / "x"), ((b"%02d" % i, record(i)) for i in range(COUNT)))
    return str(tmp_path)


def rows(label):
    return label[0, 0]


def drawn(pixels):
    """The corners, in shares, of what is bright in a picture (C, H, W)."""
    bright = pixels.max(0) > 130
    ys, xs = bright.any(1).nonzero()[0], bright.any(0).nonzero()[0]
    height, width = bright.shape
    return np.array([xs[0] / width, ys[0] / height, (xs[-1] + 1) / width, (ys[-1] + 1) / height])


def check_boxes(layer, batches, slack):
    """Every box of every batch is where its picture is bright; how many there were."""
    seen = 0
    for pictures, boxes in load(layer, batches):
        for row in rows(boxes):
            if row[0] < 0:
                continue
            np.testing.assert_allclose(row[3:7], drawn(pictures[int(row[0])]), atol=slack)
            seen += 1
    return seen


def test_records_in_order(root):
    layer = make(SOURCE % 3, root=root)
    assert layer.reshape() == [(3, 3, HEIGHT, WIDTH), (1, 1, 2, 8)]
    (first, boxes), (second, more) = load(layer, 2)
    np.testing.assert_array_equal(first, np.stack([picture(i) for i in range(3)]))
    np.testing.assert_array_equal(second, np.stack([picture(i) for i in (3, 4, 0)]))
    assert rows(boxes)[:, :3].tolist() == [[i, i + 1, k] for i in range(3) for k in (7, 8)]
    assert rows(boxes)[:, 7].tolist() == [0, 0, 1, 1, 0, 0]
    assert rows(more)[:, 0].tolist() == [1, 1, 2, 2]  # the first has none
    np.testing.assert_allclose(rows(boxes)[0, 3:7], drawn(picture(0)))


def test_no_boxes_at_all(root):
    layer = make(SOURCE % 1, root=root)
    assert [rows(label).tolist() for _, label in load(layer, 4)][3] == [[-1] * 8]


def test_records_without_a_type_have_a_label(tmp_path):
    lmdb.write(str(tmp_path / "x"), ((b"%02d" % i, record(i, typed=False)) for i in range(COUNT)))
    layer = make(SOURCE % 2, root=str(tmp_path))
    assert layer.reshape()[1] == (2,) and load(layer)[0][1].tolist() == [40, 41]
    typed = make(SOURCE % 2 + "annotated_data_param { anno_type: BBOX }", root=str(tmp_path))
    assert typed.reshape()[1] == (1, 1, 2, 8) and load(typed)[0][1].shape == (1, 1, 4, 8)


def test_pictures_alone_and_encoded(tmp_path):
    lmdb.write(str(tmp_path / "x"), ((b"%02d" % i, record(i, encoded=True)) for i in range(COUNT)))
    layer = make(SOURCE % 2, top=1, root=str(tmp_path))
    ((pictures,),) = load(layer)
    assert layer.reshape() == [(2, 3, HEIGHT, WIDTH)]
    np.testing.assert_array_equal(pictures[1], picture(1))


@pytest.mark.parametrize(
    "fields, slack",
    [
        ("mirror: true", 1e-6),
        ("crop_size: 44", 1e-6),
        ("mirror: true resize_param { height: 120 width: 40 }", 0.03),
        ("resize_param { height: 50 width: 90 interp_mode: AREA interp_mode: CUBIC interp_mode: NEAREST }", 0.03),
        ("resize_param { height: 90 width: 90 resize_mode: FIT_LARGE_SIZE_AND_PAD }", 0.03),
        ("resize_param { height: 90 width: 200 resize_mode: FIT_LARGE_SIZE_AND_PAD }", 0.03),
        ("expand_param { prob: 1 max_expand_ratio: 3 } resize_param { height: 240 width: 240 }", 0.02),
        ("mirror: true crop_size: 70 resize_param { height: 80 width: 90 }", 0.04),
        (("distort_param { brightness_prob: 1 brightness_delta: 20 contrast_prob: 1 contrast_lower: 0.8 "
         "contrast_upper: 1.2 random_order_prob: 1 hue_prob: 1 hue_delta: 18 saturation_prob: 1 "
         "saturation_lower: 0.5 saturation_upper: 1.5 }"), 1e-6),
    ],
)  # fmt: skip
def test_boxes_follow_the_picture(root, fields, slack):
    layer = make(SOURCE % 4 + f"transform_param {{ {fields} }}", root=root)
    assert check_boxes(layer, 5, slack) >= 20


def test_samples_follow_the_picture(root):
    sampler = (
        "annotated_data_param { batch_sampler { max_sample: 1 max_trials: 50 sampler { min_scale: 0.3 max_scale: 1 "
        "min_aspect_ratio: 0.5 max_aspect_ratio: 2 } sample_constraint { min_jaccard_overlap: 0.1 } } }"
    )
    resize = (
        "transform_param { resize_param { height: 200 width: 200 } emit_constraint { emit_type: CENTER } }"
    )
    layer = make(SOURCE % 4 + sampler + resize, root=root)
    shapes = []
    for pictures, boxes in load(layer, 5):
        for row in rows(boxes)[::2]:
            if row[0] >= 0:
                np.testing.assert_allclose(row[3:7], drawn(pictures[int(row[0])]), atol=0.06)
                shapes.append(row[3:7].tolist())
    assert len(shapes) > 8 and len({tuple(s) for s in shapes}) > 5


def test_small_sides_fit(root):
    resize = "transform_param { resize_param { height: 120 width: 120 resize_mode: FIT_SMALL_SIZE } }"
    layer = make(SOURCE % 1 + resize, root=root)
    assert layer.reshape()[0] == (1, 3, 120, 160)
    assert check_boxes(layer, 3, 0.02) == 6
    with pytest.raises(
        LayerError, match="FIT_SMALL_SIZE, whose pictures differ in size, and batch_size is 2"
    ):
        make(SOURCE % 2 + resize, root=root)


def test_it_goes_on_where_it_was(root):
    fields = "transform_param { mirror: true expand_param { max_expand_ratio: 2 } resize_param { height: 50 width: 40 } }"
    assert_resumes(lambda seed: make(SOURCE % 2 + fields, root=root, seed=seed))


def test_processes_share_the_records(root):
    fields = "transform_param { mirror: true }"
    whole = load(make(SOURCE % 4 + fields, root=root))[0]
    for rank in range(2):
        part, boxes = load(make(SOURCE % 2 + fields, root=root, replicas=2, rank=rank))[0]
        np.testing.assert_array_equal(part, whole[0][rank::2])
        mine = rows(whole[1])[np.isin(rows(whole[1])[:, 0], (rank, rank + 2))]
        np.testing.assert_array_equal(rows(boxes)[:, 1:], mine[:, 1:])


def test_shapes_without_the_source():

    text = SOURCE % 4 + "transform_param { resize_param { height: 30 width: 40 } }"
    (param,) = parse(f'layer {{ name: "d" top: "a" top: "b" {text} }}', NetParameter).layer
    assert create_layer(param, TEST, Context()).guess() == [(4, 3, 30, 40), (1, 1, 1, 8)]


@pytest.mark.parametrize(
    "fields, match",
    [
        (
            "transform_param { resize_param { height: 30 } }",
            "resize_param is 30 x 0; height and width must both",
        ),
        (
            "transform_param { resize_param { height: 3 width: 3 height_scale: 2 } }",
            "has height_scale 2 and width_scale 0",
        ),
        (
            "transform_param { distort_param { contrast_lower: 2 contrast_upper: 1 } }",
            "contrast_lower 2 and contrast_upper 1",
        ),
        ("transform_param { distort_param { hue_delta: -1 } }", "hue_delta is -1 and must be at least 0"),
        (
            "annotated_data_param { batch_sampler { sampler { max_scale: 2 } } }",
            "min_scale 1 and max_scale 2; use 0 < min_scale",
        ),
        (
            "annotated_data_param { batch_sampler { sampler { min_aspect_ratio: 2 } } }",
            "min_aspect_ratio 2 and max_aspect_ratio 1",
        ),
        ("transform_param { noise_param { prob: 1 } }", "transform_param.noise_param: a fork of Caffe's"),
    ],
)
def test_refused(root, fields, match):
    with pytest.raises(LayerError, match=match):
        make(SOURCE % 2 + fields, root=root)


def test_no_batch_size_and_two_replicas_in_one_process(root):
    with pytest.raises(LayerError, match="batch_size must be set"):
        make(SOURCE % 0, root=root)
    with pytest.raises(LayerError, match="serves 2 replicas in one process"):
        make(SOURCE % 2, root=root, replicas=2, rank=None)


@pytest.mark.parametrize(
    "value, match", [(b"\xff", "is not an AnnotatedDatum"), (b"", "has 0 bytes for its shape")]
)
def test_bad_records(tmp_path, value, match):
    lmdb.write(str(tmp_path / "x"), [(b"00", record(0)), (b"01", value)])
    layer = make(SOURCE % 2, root=str(tmp_path))
    with pytest.raises(DataError, match=rf"layer 'd' \(AnnotatedData\): record 1 \(key '01'\) .* {match}"):
        layer.load(CPU)


# -- MobileNet-YOLO's ------------------------------------------------------------------------------

YOLO = "annotated_data_param { yolo_data_type: 1 %s } "
SIZES = (
    "transform_param { resize_param { prob: 0.5 height: 100 width: 120 } resize_param { prob: 0.25 height: 90 width: 200 "
    "resize_mode: FIT_LARGE_SIZE_AND_PAD } resize_param { prob: 0.25 height: 80 width: 70 } }"
)


def as_corners(label):
    """The boxes of one record of yolo_data_type 1, as corners."""
    return [[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for _, x, y, w, h in label[0] if w]


def test_yolo_labels(root):
    layer = make(SOURCE % 4 + YOLO % "yolo_data_jitter: 0", root=root)
    assert layer.reshape() == [(4, 3, HEIGHT, WIDTH), (4, 1, 300, 5)]
    ((pictures, labels),) = load(layer)
    assert labels.shape == (4, 1, 300, 5)
    assert labels[:, 0, :3, 0].tolist() == [[0, 0, 0], [1, 1, 0], [2, 2, 0], [0, 0, 0]]
    for i, boxes in enumerate(map(as_corners, labels)):
        assert len(boxes) == (0 if i == 3 else 2)
        for box in boxes:
            np.testing.assert_allclose(box, drawn(pictures[i]), atol=1e-6)
    ((_, labels),) = load(make(SOURCE % 4 + YOLO % "yolo_data_jitter: 0 train_diffcult: false", root=root))
    assert [len(as_corners(label)) for label in labels] == [2, 0, 2, 0]


def test_jitter(root):
    layer = make(
        SOURCE % 4 + "transform_param { mirror: true resize_param { height: 200 width: 200 } }" + YOLO % "",
        root=root,
    )
    shapes = []
    for pictures, labels in load(layer, 12):
        for picture, boxes in zip(pictures, map(as_corners, labels), strict=True):
            for box in boxes[::2]:
                np.testing.assert_allclose(box, drawn(picture), atol=0.06)
                shapes.append((box[2] - box[0], box[3] - box[1]))
    assert len(shapes) > 20 and len(set(np.round(shapes, 4)[:, 0])) > 10


def test_jitters_sides():
    parts = np.array([box_sampling.jittered(0.4, i % 2 == 0, np.random.default_rng(i)) for i in range(400)])
    assert parts.min() >= 0 and parts.max() <= 1 + 1e-6
    size = parts[:, 2:] - parts[:, :2]
    assert 0.1 < (size.min(1) > 0.9999).mean() < 0.3 and size.min() > 0.5999
    np.testing.assert_allclose(size[::2, 0], size[::2, 1], atol=1e-6)
    assert np.abs(size[1::2, 0] - size[1::2, 1]).max() > 0.2


def test_sizes_are_drawn_every_ten_batches(root):
    layer = make(SOURCE % 2 + SIZES, root=root)
    assert layer.reshape()[0] == (2, 3, 100, 120)
    batches = load(layer, 200)
    sizes = [pictures.shape[2:] for pictures, _ in batches]
    for i in range(0, 200, 10):
        assert len(set(sizes[i : i + 10])) == 1
    assert set(sizes) == {(100, 120), (90, 200), (80, 70)}
    for pictures, boxes in batches[::10]:
        for row in rows(boxes):
            if row[0] >= 0:
                np.testing.assert_allclose(row[3:7], drawn(pictures[int(row[0])]), atol=0.03)
    assert_resumes(lambda seed: make(SOURCE % 2 + SIZES, root=root, seed=seed), batches=15)


def test_yolo_labels_are_dealt_to_replicas(root):
    text = SOURCE % 2 + YOLO % "yolo_data_jitter: 0"
    both = load(make(text, root=root, replicas=2, rank=None))[0]
    for rank in range(2):
        part = load(make(text, root=root, replicas=2, rank=rank))[0]
        for ours, whole in zip(part, both, strict=True):
            np.testing.assert_array_equal(ours, whole[rank::2])


def test_yolo_shapes_without_the_source():
    text = SOURCE % 4 + SIZES + YOLO % ""
    (param,) = parse(f'layer {{ name: "d" top: "a" top: "b" {text} }}', NetParameter).layer
    assert create_layer(param, TEST, Context()).guess() == [(4, 3, 100, 120), (4, 1, 300, 5)]


@pytest.mark.parametrize(
    "fields, match",
    [
        ("annotated_data_param { yolo_data_type: 2 }", "yolo_data_type is 2; use 0 or 1"),
        ("annotated_data_param { yolo_data_jitter: 1 }", "yolo_data_jitter is 1 and must be at least 0"),
        (
            SIZES.replace("0.5", "0.4"),
            "the 3 resize_param have prob 0.4, 0.25, 0.25, which sum to 0.9; make them 1",
        ),
        ("annotated_data_param { seg_scales: 4 }", "annotated_data_param.seg_scales: a fork of Caffe's"),
    ],
)
def test_yolo_refused(root, fields, match):
    with pytest.raises(LayerError, match=match):
        make(SOURCE % 2 + fields, root=root)


def test_yolo_needs_boxes(tmp_path):
    lmdb.write(str(tmp_path / "x"), ((b"%02d" % i, record(i, typed=False)) for i in range(COUNT)))
    with pytest.raises(LayerError, match="yolo_data_type is 1, but the first record has no type"):
        make(SOURCE % 2 + YOLO % "", root=str(tmp_path))


def test_the_means_tell_how_many_channels_there_are():
    text = 'name: "d" top: "a" type: "AnnotatedData" data_param { batch_size: 4 } transform_param { crop_size: 9 %s }'

    def channels(means):
        layers = text % "".join(f"mean_value: {mean} " for mean in range(means))
        (param,) = parse(f"layer {{ {layers} }}", NetParameter).layer
        return create_layer(param, TEST, Context()).guess()[0][1]

    assert [channels(means) for means in (0, 1, 2, 6)] == [3, 3, 2, 6]
