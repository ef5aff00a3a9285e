"""ImageGtData, DetectionData, EvalData: what is drawn on a picture stays in its box, and maps say what the forks' do."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.data.images import encode
from caffe_compat.errors import DataError, LayerError
from caffe_compat.layers.base import Context
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto import NetParameter
from caffe_compat.proto.text import parse
from tests.layers.data_harness import assert_replicas_agree, assert_resumes, load, make

# Height and width of each picture, its boxes (class, ignored, difficult, x1, y1, x2, y2) and its regions. The first box
# is drawn on it; the second is right of it, so that a mirrored picture can be told.
SCENES = [
    ((60, 80), [(1, 0, 0, 20, 16, 39, 35), (2, 0, 1, 50, 30, 69, 55)], [(0, 0, 29, 13)]),
    ((90, 70), [(3, 0, 0, 8, 40, 31, 71), (4, 1, 0, 40, 10, 63, 25), (5, 0, 0, 45, 60, 48, 63)], []),
    ((64, 64), [(6, 0, 0, 5, 6, 24, 21), (7, 0, 0, 30, 34, 61, 59)], [(40, 0, 61, 23), (51, 10, 63, 29)]),
    ((100, 60), [(8, 0, 1, 11, 12, 22, 31), (9, 0, 0, 30, 50, 55, 95)], []),
    ((48, 96), [(10, 0, 0, 10, 10, 41, 33), (11, 0, 0, 60, 20, 75, 43)], []),
]
DARK, BRIGHT = 40, 240
MAPS = "field_w: 20 field_h: 16 field_w: 30 field_h: 34 field_w: 8 field_h: 8"
FIELDS = [(8, (20, 16)), (16, (30, 34)), (4, (8, 8))]
STRIDES = " ".join(f"%s: {stride}" for stride, _ in FIELDS)


def picture(number):
    height, width = SCENES[number][0]
    pixels = np.full((height, width, 3), DARK, np.uint8)
    _, _, _, x1, y1, x2, y2 = SCENES[number][1][0]
    pixels[y1 : y2 + 1, x1 : x2 + 1] = BRIGHT
    return pixels


def write(root, difficult, scenes=None):
    lines = []
    for number, ((height, width), boxes, regions) in enumerate(SCENES):
        if scenes is not None and number not in scenes:
            continue
        (root / f"{number}.png").write_bytes(encode(picture(number), "png"))
        lines += [f"# {len(lines)}", f"p/{number}.png", f"3 {height} {width}", str(len(boxes))]
        lines += [" ".join(map(str, box if difficult else box[:2] + box[3:])) for box in boxes]
        lines += [str(len(regions)), *(" ".join(map(str, region)) for region in regions)]
    (root / "w.txt").write_text("\n".join(lines))


@pytest.fixture
def root(tmp_path):
    (tmp_path / "p").mkdir()
    for number in range(len(SCENES)):
        (tmp_path / "p" / f"{number}.png").write_bytes(encode(picture(number), "png"))
    write(tmp_path, True)
    return tmp_path


def gt(fields, batch=2, transform="", maps=STRIDES % (("downsample_rate",) * 3) + " " + MAPS):
    return (
        f'type: "ImageGtData" transform_param {{ {transform} }} image_gt_data_param {{ source: "w.txt" '
        f"output_gt_boxes: true batch_size: {batch} {maps} {fields} }}"
    )


def detection(fields, batch=2, transform="", maps=STRIDES % (("stride",) * 3) + " " + MAPS):
    return (
        gt(fields, batch, transform, maps)
        .replace("ImageGtData", "DetectionData")
        .replace("image_gt_data_param", "detection_data_param")
    )


def iou(a, b, pixels, of_first=False):
    """As mscnn's BoxIOU and as cascade-rcnn's JaccardOverlap have it."""
    extra = int(pixels)
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    sides = [(c[2] - c[0], c[3] - c[1]) for c in (a, b)]
    if min(min(s) for s in sides) < 0 or (not pixels and min(min(s) for s in sides) == 0):
        return 0.0
    if (w < 0 or h <= 0) if pixels else (w <= 0 or h <= 0):
        return 0.0
    both = (w + extra) * (h + extra)
    own, other = ((s[0] + extra) * (s[1] + extra) for s in sides)
    return both / (own if of_first else own + other - both)


def half_up(x):
    return math.floor(x + 0.5)


def targets(
    boxes, labels, ignored, regions, frame, size, pixels, threshold=0.5, covered=0.4, pickup=0.2, off=None
):
    """The maps of one picture, position by position; frame: x, y, width and height of what is not padding."""
    tops, best, where, times = [], [0.0] * len(boxes), [0] * len(boxes), [0] * len(boxes)
    for number, (stride, (w, h)) in enumerate(FIELDS):
        rows, columns = half_up(size[0] / stride), half_up(size[1] / stride)
        top = np.zeros((6, rows, columns))
        x0, y0, wide, tall = (half_up(f / stride) for f in frame)
        for i, j in np.ndindex(rows, columns):
            x, y = (j + 0.5) * stride, (i + 0.5) * stride
            field = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
            if not (x0 <= j < x0 + wide and y0 <= i < y0 + tall) or (off and off(field, (w, h))):
                top[5, i, j] = 1
                continue
            hidden = sum(iou(field, r, pixels, True) for r in regions) >= covered
            if hidden and not pixels:
                top[5, i, j] = 1
                continue
            ious = [iou(box, field, pixels) for box in boxes]
            for k, value in enumerate(ious):
                if value > best[k]:
                    best[k], where[k] = value, number
            match = int(np.argmax(ious))
            top[5, i, j] = ious[match]
            if ious[match] > threshold:
                top[:5, i, j] = described(boxes[match], 0 if ignored[match] else labels[match], pixels)
                times[match] += 1
            elif hidden:
                top[5, i, j] = 1
        tops.append(top)
    for k, box in enumerate(boxes):
        if ignored[k] or times[k] or best[k] < pickup:
            continue
        top, stride = tops[where[k]], FIELDS[where[k]][0]
        j, i = (min(max(int((box[a] + box[a + 2]) / 2 // stride), 0), top.shape[2 - a] - 1) for a in (0, 1))
        if top[0, i, j] > 0:
            continue
        top[:5, i, j] = described(box, labels[k], pixels)
        if pixels:
            top[5, i, j] = best[k]
    return tops


def described(box, label, pixels):
    x1, y1, x2, y2 = box
    return label, (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1 + pixels, y2 - y1 + pixels


def part_of(pixels, least):
    """x, y, width and height of what is brighter."""
    ys, xs = (pixels > least).any(1).nonzero()[0], (pixels > least).any(0).nonzero()[0]
    return (xs[0], ys[0], xs[-1] + 1 - xs[0], ys[-1] + 1 - ys[0]) if len(xs) else (0, 0, 0, 0)


def check(layer, batches, pixels, slack=1.5, least=(0, 0), off=None, **options):
    """Boxes lie where pictures are bright, and maps follow from them. How often each kind of thing was seen."""
    seen = {"drawn": 0, "mirrored": 0, "padded": 0, "learned": 0, "ignored": 0, "off": 0}
    scales = []
    for data, *maps, boxes in load(layer, batches):
        boxes = boxes[:, :, 0, 0]
        for n, image in enumerate(data):
            rows = boxes[boxes[:, 0] == n]
            if not len(rows):
                continue
            _, own, regions = SCENES[scene_of(rows)]
            own = np.array(own, float)
            assert rows[:, 5].tolist() == own[:, 0].tolist()
            if pixels:
                assert rows[:, 7].tolist() == own[:, 2].tolist()
            frame = part_of(image[0], 0)
            size = image.shape[1:]
            (scale, shift), mirrored = affine(rows[:, 1:5], own[:, 3:])
            seen["mirrored"] += mirrored
            seen["padded"] += frame[2:] != size[::-1]
            scales.append((scale, rows, own))
            edges = np.array(frame)
            wanted = rows[0, 1:5].clip(np.tile(edges[:2], 2), np.tile(edges[:2] + edges[2:], 2))
            if wanted[2] - wanted[0] > 4 and wanted[3] - wanted[1] > 4:
                x, y, w, h = part_of(image[0], (DARK + BRIGHT) / 2)
                np.testing.assert_allclose([x, y, x + w - 1, y + h - 1], wanted, atol=slack + scale.max())
                seen["drawn"] += 1
            centre = (rows[:, 1:3] + rows[:, 3:5]) / 2
            small = (rows[:, 3:5] - rows[:, 1:3] + 1 < least).any(1)
            outside = (centre < 0).any(1) | (centre >= size[::-1]).any(1)
            ignored = (own[:, 1] != 0) | small | outside
            assert (rows[:, 6] != 0).tolist() == ignored.tolist()
            seen["ignored"] += (ignored & (own[:, 1] == 0)).sum()
            moved = [np.array(r) for r in regions]
            if mirrored:
                width = shift[0] / scale[0]  # where x = 0 came from
                moved = [np.array([width - r[2], r[1], width - r[0], r[3]]) for r in moved]
                moved = [r * np.tile(scale, 2) + np.array([0, shift[1]] * 2) for r in moved]
            else:
                moved = [r * np.tile(scale, 2) + np.tile(shift, 2) for r in moved]
            tops = targets(
                rows[:, 1:5].astype(float), own[:, 0], ignored, moved, frame, size, pixels,
                off=off and (lambda field, long, frame=frame: off(field, long, frame)), **options,
            )  # fmt: skip
            for top, got in zip(tops, maps, strict=True):
                np.testing.assert_allclose(got[n], top, atol=2e-3)
                seen["learned"] += (top[0] > 0).sum()
                seen["off"] += (top[5] == 1).sum()
    return seen, scales


def scene_of(rows):
    return next(n for n, scene in enumerate(SCENES) if scene[1][0][0] == rows[0, 5])


def affine(new, old):
    """Scale and shift that led from old to new boxes, and whether x was mirrored before: x' = shift - scale x then."""
    scale = (new[1, 2:] - new[1, :2]) / (old[1, 2:] - old[1, :2])
    mirrored = (new[1, 0] - new[0, 0]) * (old[1, 0] - old[0, 0]) < 0
    shift = new[1, :2] - scale * old[1, :2]
    if mirrored:
        shift[0] = new[1, 0] + scale[0] * old[1, 2]
    return (scale, shift), mirrored


@pytest.mark.parametrize(
    "fields, transform, wanted, options",
    [
        ("", "", "padded drawn learned", {}),
        ("resize_width: 90 resize_height: 72", "mirror: true", "mirrored drawn learned", {}),
        (
            "resize_width: 90 resize_height: 72 crop_width: 56 crop_height: 44",
            "",
            "drawn learned ignored",
            {},
        ),
        ("crop_width: 56 crop_height: 0 fg_threshold: 0.3", "", "drawn learned ignored", {"threshold": 0.3}),
        ("min_gt_width: 18 min_gt_height: 20", "mirror: true", "ignored", {"least": (18, 20)}),
        (
            "resize_width: 90 resize_height: 72 do_multiple_scale: true min_scale: 12 max_scale: 50",
            "mirror: true",
            "mirrored drawn padded learned ignored",
            {},
        ),
        (
            "do_multiple_scale: true min_scale: 12 max_scale: 50 min_whaspect: 0.3 max_whaspect: 2.5",
            "",
            "drawn padded learned ignored",
            {},
        ),
    ],
)
def test_image_gt_data(root, fields, transform, wanted, options):
    write(root, False)
    layer = make(gt("shuffle: true " + fields, 3, transform), top=5, root=str(root))
    seen, _ = check(layer, 12, False, **options)
    assert all(seen[what] >= 5 for what in wanted.split()), seen


def test_scales_of_image_gt_data(root):
    """Half of the pictures keep their size; the others change by steps of half an octave."""
    write(root, False)
    fields = "crop_width: 64 crop_height: 64 resize_width: 90 resize_height: 90"
    layer = make(gt(fields + " do_multiple_scale: true min_scale: 12 max_scale: 50"), top=5, root=str(root))
    _, scales = check(layer, 60, False)
    steps = []
    for scale, rows, _ in scales:
        height, width = SCENES[scene_of(rows)][0]
        factor = scale / [90 / width, 90 / height]
        assert factor[0] == pytest.approx(factor[1], rel=1e-4)
        steps.append(2 * math.log2(factor[0]))
    steps = np.array(steps)
    np.testing.assert_allclose(steps, steps.round(), atol=1e-3)
    assert 0.4 < (steps.round() == 0).mean() < 0.75 and set(steps.round()) >= {-2, -1, 0, 1, 2}
    assert steps.min() > -5.5 and steps.max() < 5.5  # 12 to 50 are 5 steps


def test_pixels_and_tops(root):
    write(root, False)
    fields = "scale: 0.5 resize_width: 80 resize_height: 60 output_gt_boxes: false".replace(
        "output", "cache_images: true output"
    )
    text = gt("", 2).replace("output_gt_boxes: true", fields)
    text = text.replace("transform_param {", "transform_param { mean_value: 10 mean_value: 20 mean_value: 30")
    layer = make(text, top=4, root=str(root))
    assert layer.reshape() == [(2, 3, 60, 80), (2, 6, 8, 10), (2, 6, 4, 5), (2, 6, 15, 20)]
    (tops,) = load(layer)
    assert [t.shape for t in tops] == layer.reshape()
    want = (picture(0).astype(float) - [10, 20, 30]).transpose(2, 0, 1) / 2
    np.testing.assert_array_equal(tops[0][0], want)


def test_pictures_with_boxes_come_more_often(root):
    write(root, False)
    text = (root / "w.txt").read_text() + "\n# 9 p/1.png 3 90 70 1 8 1 1 1 9 9 0"
    (root / "w.txt").write_text(text)
    layer = make(gt("fg_img_multiple: 3", 1), top=5, root=str(root))
    labels = [int(tops[-1][0, 5, 0, 0]) for tops in load(layer, 17)]
    assert labels == [1, 1, 1, 3, 3, 3, 6, 6, 6, 8, 8, 8, 10, 10, 10, 8, 1]


def test_pictures_without_boxes(root):
    (root / "w.txt").write_text("# 0 p/0.png 3 60 80 0 0")
    layer = make(gt("crop_width: 40 crop_height: 30", 1), top=5, root=str(root))
    corners = set()
    for data, *maps, boxes in load(layer, 20):
        assert boxes[:, :, 0, 0].tolist() == [[0, 1, 1, 2, 2, 1, 1]]
        assert not any(m.any() for m in maps)
        corners.add(part_of(data[0, 0], 200))
    assert len(corners) > 5
    layer = make(detection("", 1), top=5, root=str(root))
    assert load(layer)[0][-1][:, :, 0, 0].tolist() == [[-1] * 8]


def margin(field, long, frame):
    x, y, w, h = frame
    a, b = long[0] / 2 * 0.25, long[1] / 2 * 0.25
    return field[0] < x - a or field[2] >= x + w + a or field[1] < y - b or field[3] >= y + h + b


def inside(field, long, frame):
    x, y, w, h = frame
    return iou(field, (x, y, x + w, y + h), True, True) < 0.75


@pytest.mark.parametrize(
    "fields, transform, wanted, options",
    [
        ("", "", "padded drawn learned", {}),
        ("resize_ratio: 0.75", "mirror: true", "mirrored drawn learned padded", {}),
        ("resize_ratio: 1.5 anchor_ignore_margin_ratio: 0.25", "", "drawn off", {"off": margin}),
        ("resize_width: 90 resize_height: 72 anchor_ignore_iou_thr: 0.75", "", "drawn off learned", {"off": inside}),
        ("short_size: 64 long_size: 96 pickup_iou_thr: 0.05", "mirror: true", "drawn padded", {"pickup": 0.05}),
        ("short_size: 64 long_size: 96 template_ratio: 0.5 template_ratio: 1.5", "", "drawn padded learned", {}),
        ("crop_width: 56 crop_height: 44 ignore_fg_threshold: 0.2", "", "drawn ignored", {"covered": 0.2}),
        ("crop_short_size: 44 crop_long_size: 56 min_gt_width: 18", "", "drawn ignored", {"least": (18, 0)}),
        (
            "low_scale_ratio: 0.5 high_scale_ratio: 3 multiscale_prob: 1 min_whaspect: 0.5 max_whaspect: 2",
            "mirror: true",
            "drawn mirrored padded learned ignored",
            {},
        ),
        ("min_scale: 12 max_scale: 60 multiscale_prob: 0.5 fg_threshold: 0.3", "", "drawn ignored", {"threshold": 0.3}),
    ],
)  # fmt: skip
def test_detection_data(root, fields, transform, wanted, options):
    layer = make(detection('shuffle: "random" ' + fields, 3, transform), top=5, root=str(root))
    seen, _ = check(layer, 12, True, **options)
    assert all(seen[what] >= 5 for what in wanted.split()), seen


def test_scales_of_detection_data(root):
    text = detection("min_scale: 12 max_scale: 24 multiscale_prob: 0.75 crop_width: 50 crop_height: 50", 1)
    _, scales = check(make(text, top=5, root=str(root)), 60, True)
    assert 0.6 < np.mean([scale[0] != 1 for scale, *_ in scales]) < 0.9
    for scale, _, own in scales:
        assert scale[0] == pytest.approx(scale[1], rel=1e-5)
        sizes = np.sqrt((own[:, 5:] - own[:, 3:5] + 1).prod(1)) * scale[0]
        assert scale[0] == 1 or ((sizes > 11.9) & (sizes < 24.1)).any()


@pytest.mark.parametrize(
    "fields, shapes",
    [
        ("short_size: 60 long_size: 100", {True: (96, 64), False: (64, 96)}),
        ("crop_short_size: 40 crop_long_size: 50", {True: (50, 40), False: (40, 50)}),
        ("resize_ratio: 2", None),
    ],
)
def test_size_of_a_batch(root, fields, shapes):
    """It is that of its first picture, or lies as that."""
    layer = make(detection(fields, 1), top=5, root=str(root))
    for number, (data, *_) in enumerate(load(layer, 5)):
        height, width = SCENES[number][0]
        assert data.shape[2:] == (shapes[height >= width] if shapes else (2 * height, 2 * width))
        if number == 0:
            assert layer.reshape()[0] == data.shape


def test_colours(root):
    distort = "distort_param { brightness_prob: 1 brightness_delta: 30 } transform_param { }".split(
        " transform"
    )[0]
    layer = make(detection(distort, 1, "scale: 2"), top=5, root=str(root))
    values = {float(tops[0].max()) / 2 - BRIGHT for tops in load(layer, 20)}
    assert len(values) > 10 and min(values) < -10 and max(values) == 15  # 255 is the end


@pytest.mark.parametrize("shuffle", ["random", "random_aspect", "random_mix_aspect"])
def test_orders(root, shuffle):
    tall = {3: True, 1: False, 6: True, 8: True, 10: False}  # class of the first box: whether height >= width
    layer = make(detection(f'shuffle: "{shuffle}" mix_group_size: 1', 1), top=5, root=str(root))
    epochs = np.array([int(tops[-1][0, 5, 0, 0]) for tops in load(layer, 60)]).reshape(12, 5)
    assert all(sorted(epoch) == [1, 3, 6, 8, 10] for epoch in epochs.tolist())
    assert len({tuple(epoch) for epoch in epochs.tolist()}) > 8
    kinds = {tuple(tall[label] for label in epoch) for epoch in epochs.tolist()}
    t, f = True, False
    if shuffle == "random":
        assert len(kinds) > 4
    else:
        wanted = {(t, t, t, f, f), (f, f, t, t, t)}
        assert kinds == (wanted if shuffle == "random_aspect" else {(t, f, t, f, t), (f, t, f, t, t)})


def test_no_shuffle(root):
    layer = make(detection("", 1), top=5, root=str(root))
    assert [int(tops[-1][0, 5, 0, 0]) for tops in load(layer, 7)] == [1, 3, 6, 8, 10, 1, 3]


def evaluation(fields, batch=1, transform=""):
    return (
        f'type: "EvalData" transform_param {{ {transform} }} eval_data_param {{ source: "w.txt" batch_size: {batch} '
        f"{fields} }}"
    )


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


@pytest.mark.parametrize(
    "text, top",
    [
        (gt("shuffle: true do_multiple_scale: true min_scale: 9 max_scale: 40", 2, "mirror: true"), 5),
        (detection('shuffle: "random_mix_aspect" mix_group_size: 2 short_size: 64 long_size: 96', 2), 5),
        (evaluation(""), 3),
    ],
)
def test_resumes(root, text, top):
    write(root, "ImageGtData" not in text)
    assert_resumes(lambda **more: make(text, top=top, root=str(root), **more))


def test_replicas_agree(root):
    write(root, False)
    text = gt("shuffle: true resize_width: 90 resize_height: 72", 2, "mirror: true")
    text = text.replace("output_gt_boxes: true", "")
    assert_replicas_agree(lambda **more: make(text, top=4, root=str(root), **more))


@pytest.mark.parametrize(
    "text, top", [(gt(""), 5), (detection("resize_ratio: 2").replace("output_gt_boxes: true", ""), 4)]
)
def test_boxes_cannot_be_dealt_out(root, text, top):
    write(root, "ImageGtData" not in text)
    with pytest.raises(LayerError, match=r"serves 2 replicas in one process, but its boxes \(or pictures of"):
        make(text, top=top, root=str(root), replicas=2, rank=None)


def guess(text, top):
    tops = " ".join(f'top: "t{i}"' for i in range(top))
    (param,) = parse(f'layer {{ name: "d" {tops} {text} }}', NetParameter, "test.prototxt").layer
    return create_layer(param, 0, Context()).guess()


@pytest.mark.parametrize(
    "text, shapes",
    [
        (gt("resize_width: 90 resize_height: 76"), [(2, 3, 76, 90), (2, 6, 10, 11), (2, 6, 5, 6), (2, 6, 19, 23), (1, 7, 1, 1)]),
        (gt("crop_width: 40 crop_height: 32"), [(2, 3, 32, 40), (2, 6, 4, 5), (2, 6, 2, 3), (2, 6, 8, 10), (1, 7, 1, 1)]),
        (detection("short_size: 60 long_size: 100"), [(2, 3, 96, 64), (2, 6, 12, 8), (2, 6, 6, 4), (2, 6, 24, 16), (1, 8, 1, 1)]),
        (detection("crop_short_size: 32 crop_long_size: 48", 1, maps="").replace("output_gt_boxes: true", ""), [(1, 3, 48, 32)]),
        (detection("crop_width: 32 crop_height: 48", 1, maps=""), [(1, 3, 48, 32), (1, 8, 1, 1)]),
        (detection("resize_width: 32 resize_height: 48", 1, maps=""), [(1, 3, 48, 32), (1, 8, 1, 1)]),
        (evaluation("short_size: 60 long_size: 100"), [(1, 3, 96, 64), (1, 8, 1, 1)]),
        (evaluation("resize_width: 60 resize_height: 100", 2), [(2, 3, 96, 64), (1, 8, 1, 1), (2, 2, 1, 1)]),
    ],
)  # fmt: skip
def test_shapes_without_a_file(text, shapes):
    assert guess(text, len(shapes)) == shapes


@pytest.mark.parametrize(
    "text, message",
    [
        (gt(""), "neither resize_height and resize_width nor the crop's tell the size"),
        (detection("resize_ratio: 2"), "no resize, no crop and no short_size and long_size tell the size"),
        (evaluation("short_size: 3"), "neither resize_height and resize_width nor short_size and long_size"),
        (evaluation("short_size: 30 long_size: 40", 0), "eval_data_param.batch_size is not set"),
    ],
)
def test_shapes_that_nothing_tells(text, message):
    with pytest.raises(DataError, match=message):
        guess(text, 5)


@pytest.mark.parametrize(
    "text, message",
    [
        (gt("", 0), "image_gt_data_param.batch_size must be above 0"),
        (gt("coord_num: 5"), "coord_num is 5; only 4"),
        (gt("fg_threshold: 0"), "fg_threshold is 0 and must be above 0"),
        (gt("field_w: 3"), r"has 3 strides \[8, 16, 4\], 4 field_w and 3 field_h; give as many"),
        (gt("", maps="downsample_rate: 0 field_w: 3 field_h: 4"), r"has 1 strides \[0\].* the strides above 0"),
        (gt("", maps=""), "image_gt_data_param has no downsample_rate"),
        (gt("", maps="downsample_rate: 8 field_w: 3 field_h: 4"), "has 5 tops, and its 1 kinds of fields and output_gt_boxes make 3"),
        (gt('mean_file: "x"'), "image_gt_data_param.mean_file does nothing in its fork; give transform_param.mean_value"),
        (gt("mirror: true"), "image_gt_data_param.mirror does nothing in its fork; set transform_param.mirror"),
        (gt("", transform="scale: 2"), "transform_param.scale does nothing in this layer, which knows mean_value, mirror"),
        (gt("", transform="mean_value: 2 mean_value: 3"), "2 mean_value for the 3 channels of its pictures; give 1 or 3"),
        (gt("resize_width: 90 resize_height: 72 crop_width: 91 crop_height: 9"), "is 9 x 91, and the pictures are 72 x 90"),
        (gt("do_multiple_scale: true min_scale: 9 max_scale: 8"), "min_scale is 9 and max_scale 8"),
        (gt("do_multiple_scale: true min_scale: 8 max_scale: 9 min_whaspect: 1 max_whaspect: 1.01"), "and at least 0.05 more"),
        (detection("scale: 2"), "detection_data_param.scale does nothing in its fork; set transform_param.scale"),
        (detection("resize_param { height: 3 }"), "resize_param does nothing in its fork; give resize_width"),
        (detection("", transform="crop_size: 20"), "transform_param.crop_size does nothing in this layer"),
        (detection("resize_ratio: 2 short_size: 8 long_size: 9"), "gives both resize_ratio, and short_size and long_size; remove one"),
        (detection("short_size: 9 long_size: 9"), "long_size is 9 and short_size 9; the long one must be larger"),
        (detection("low_scale_ratio: 2 high_scale_ratio: 1"), "low_scale_ratio is 2 and high_scale_ratio 1"),
        (detection('shuffle: "yes"'), "shuffle 'yes' is not known; use one of random, random_aspect, random_mix_aspect"),
        (detection("mix_group_size: 0"), "mix_group_size is 0"),
        (detection("distort_param { hue_delta: -1 }"), "distort_param.hue_delta is -1 and must be at least 0"),
        (evaluation("", 2), "batch_size is 2, and without resize_width and resize_height pictures differ in size"),
        (evaluation("", transform="mirror: true"), "transform_param.mirror does nothing in this layer"),
        (evaluation("scale: 2"), "eval_data_param.scale does nothing in its fork"),
    ],
)  # fmt: skip
def test_errors(root, text, message):
    write(root, "ImageGtData" not in text)
    with pytest.raises(LayerError, match=rf"test.prototxt:\d+: layer 'd' \(\w+\): .*{message}"):
        make(text, top=5 if "Eval" not in text else 2, root=str(root))


def test_missing_files(root):
    with pytest.raises(
        DataError, match=r"layer 'd' \(EvalData\): the window file '.*none.txt' cannot be read"
    ):
        make(evaluation("").replace("w.txt", "none.txt"), root=str(root))
    (root / "p" / "1.png").unlink()
    layer = make(evaluation('root_folder: ""'), root=str(root))
    load(layer)
    with pytest.raises(
        DataError, match=r"cannot open or decode '.*1.png', picture 1 of 'w.txt'; correct it or root_folder"
    ):
        layer.load(torch.device("cpu"))
