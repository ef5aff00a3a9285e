"""Pictures with boxes and regions, layers over them, and maps as the forks make them, position by position."""

import math

import numpy as np

from caffe_compat.data.images import encode
from tests.layers.data_harness import load

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


def evaluation(fields, batch=1, transform=""):
    return (
        f'type: "EvalData" transform_param {{ {transform} }} eval_data_param {{ source: "w.txt" batch_size: {batch} '
        f"{fields} }}"
    )
