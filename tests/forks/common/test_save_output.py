"""Files of detections: VOC's, COCO's, ILSVRC's."""

import json
import math

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from tests.forks.ssd.test_detection_output import CLASSES, inputs, output, text
from tests.layers.harness import make

pytestmark = pytest.mark.gpu(entered=True)


@pytest.fixture
def saving(tmp_path):
    """The fields that save results, and two pictures to save them for."""
    (tmp_path / "labels.prototxt").write_text(
        "".join(f'item {{ name: "c{i}" label: {i} display_name: "C" }}\n' for i in range(CLASSES))
    )
    (tmp_path / "sizes.txt").write_text("000012 300 500\n000034 400 200\n")

    def fields(format, more="", labels="labels.prototxt"):
        return (
            f'confidence_threshold: 0.8 save_output_param {{ output_directory: "{tmp_path}/out" '
            f'output_name_prefix: "comp4_" output_format: "{format}" label_map_file: "{tmp_path}/{labels}" '
            f'name_size_file: "{tmp_path}/sizes.txt" {more} }}'
        )

    return fields, tmp_path / "out"


def expected(rows, sizes, move=lambda box, height, width: box):
    for record, label, score, *box in rows[0, 0]:
        height, width = sizes[int(record)]
        x0, y0, x1, y1 = np.clip(move(np.array(box), height, width), 0, 1) * [width, height, width, height]
        yield (
            int(record),
            int(label),
            score,
            [math.floor(v * 100 + 0.5) / 100 for v in (x0, y0, x1 - x0, y1 - y0)],
        )


SIZES = [(300, 500), (400, 200)]


def test_results_as_voc(saving):
    fields, folder = saving
    bottoms = inputs()
    rows = output(make(text(fields("VOC")), *(b.shape for b in bottoms)), *bottoms)
    assert rows.shape[2] > 3
    for label in range(1, CLASSES):
        lines = [
            f"{('000012', '000034')[n]} {s:.6g} {int(x)} {int(y)} {int(x) + int(w)} {int(y) + int(h)}\n"
            for n, at, s, (x, y, w, h) in expected(rows, SIZES)
            if at == label
        ]
        assert (folder / f"comp4_c{label}.txt").read_text() == "".join(lines)
    assert not (folder / "comp4_c0.txt").exists()


def test_results_as_coco_and_ilsvrc(saving):
    fields, folder = saving
    bottoms = inputs()
    layer = make(text(fields("COCO")), *(b.shape for b in bottoms))
    rows = output(layer, *bottoms)
    output(layer, *bottoms)  # a second round over the pictures writes the same
    found = json.loads((folder / "comp4_.json").read_text())
    assert [(f["image_id"], f["category_id"]) for f in found] == [
        ((12, 34)[n], f"c{label}") for n, label, _, _ in expected(rows, SIZES)
    ]
    np.testing.assert_allclose([f["bbox"] for f in found], [e[3] for e in expected(rows, SIZES)], atol=0.011)
    output(make(text(fields("ILSVRC")), *(b.shape for b in bottoms)), *bottoms)
    lines = (folder / "comp4_.txt").read_text().splitlines()
    assert len(lines) == rows.shape[2] and lines[0].startswith(f"000012 {int(rows[0, 0, 0, 1])} ")


def test_results_of_padded_pictures(saving):
    """A picture of 300 x 500 fills 300 x 180 of 300 x 300: what lies in the padding is cut."""
    fields, folder = saving
    bottoms = inputs()
    resize = "resize_param { resize_mode: FIT_LARGE_SIZE_AND_PAD height: 300 width: 300 }"
    rows = output(make(text(fields("COCO", resize)), *(b.shape for b in bottoms)), *bottoms)

    def move(box, height, width):
        across = width > height
        pad = (1 - min(height, width) / max(height, width)) / 2
        for i in (1, 3) if across else (0, 2):
            box[i] = (box[i] - pad) / (1 - 2 * pad)
        return box

    found = json.loads((folder / "comp4_.json").read_text())
    np.testing.assert_allclose(
        [f["bbox"] for f in found], [e[3] for e in expected(rows, SIZES, move)], atol=0.011
    )


@pytest.mark.parametrize(
    "more, labels, match",
    [
        ("", "missing.prototxt", r"save_output_param: .*missing.prototxt: cannot be read.*correct the path"),
        ("num_test_image: 3", "labels.prototxt", r"num_test_image is 3, but .*sizes.txt names 2 pictures"),
    ],
)
def test_results_that_cannot_be_saved(saving, more, labels, match):
    bottoms = inputs()
    layer = make(text(saving[0]("VOC", more, labels)), *(b.shape for b in bottoms))
    with pytest.raises(LayerError, match=match):
        output(layer, *bottoms)


def test_an_unknown_format(saving):
    bottoms = inputs()
    layer = make(text(saving[0]("XML")), *(b.shape for b in bottoms))
    with pytest.raises(LayerError, match="output_format is 'XML'; use VOC, COCO or ILSVRC"):
        output(layer, *bottoms)
