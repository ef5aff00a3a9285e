"""DetectionEvaluate."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Error, errors, make

# record, label, confidence, corners
FOUND = np.array(
    [
        [0, 1, 0.6, 0.1, 0.1, 0.3, 0.3],  # a worse one of the box that the next takes
        [0, 1, 0.9, 0.1, 0.1, 0.3, 0.32],
        [0, 1, 0.3, 0.7, 0.7, 0.9, 0.9],  # beside every box
        [0, 2, 0.8, 0.5, 0.5, 0.8, 0.8],  # on a difficult box
        [1, 3, 0.7, 0.2, 0.2, 0.4, 0.4],  # a record without boxes
        [2, 1, 0.5, 0.2, 0.2, 0.4, 0.4],  # a class without boxes there
        [-1, 1, 0.5, 0.2, 0.2, 0.4, 0.4],
    ]
)
TRUTH = np.array(
    [
        [0, 1, 0, 0.1, 0.1, 0.3, 0.3, 0],
        [0, 1, 1, 0.4, 0.1, 0.6, 0.3, 0],
        [0, 2, 0, 0.5, 0.5, 0.8, 0.8, 1],
        [2, 3, 0, 0.2, 0.2, 0.4, 0.4, 0],
        [-1, 1, 0, 0, 0, 1, 1, 0],
    ]
)
TEXT = 'type: "DetectionEvaluate" detection_evaluate_param { num_classes: 4 %s }'


def run(fields="", found=FOUND, truth=TRUTH):
    found, truth = (torch.from_numpy(a)[None, None] for a in (found, truth))
    layer = make(TEXT % fields, found.shape, truth.shape)
    return layer, layer(found, truth).numpy()[0, 0]


def test_right_and_wrong():
    layer, top = run()
    wanted = [
        [-1, 1, 2, -1, -1],
        [-1, 2, 1, -1, -1],
        [-1, 3, 1, -1, -1],
        [0, 1, 0.9, 1, 0],
        [0, 1, 0.6, 0, 1],
        [0, 1, 0.3, 0, 1],
        [0, 2, 0.8, 1, 0],
        [1, 3, 0.7, 0, 1],
        [2, 1, 0.5, 0, 1],
    ]
    np.testing.assert_allclose(top, wanted)
    assert layer.reshape((1, 1, 7, 7), (1, 1, 5, 8)) == [(1, 1, 10, 5)]  # at most


def test_difficult_boxes_do_not_count():
    _, top = run("evaluate_difficult_gt: false")
    assert top[:3, 2].tolist() == [2, 0, 1]
    assert top[6].tolist() == [0, 2, 0.8, 0, 0]


def test_threshold():
    found, truth = np.array([[0, 1, 0.5, 0, 0, 0.5, 1]]), np.array([[0, 1, 0, 0, 0, 1, 1, 0.0]])
    assert run("overlap_threshold: 0.5", found, truth)[1][3].tolist() == [0, 1, 0.5, 1, 0]
    assert run("overlap_threshold: 0.51", found, truth)[1][3].tolist() == [0, 1, 0.5, 0, 1]


def test_in_pixels(tmp_path):
    """Of pictures of 9 x 9 and 99 x 99, a box of the left half overlaps by 5 / 9, as both ends are in it."""
    (tmp_path / "sizes.txt").write_text("a 8 8\nb 98 98\n")
    found = np.array([[n, 1, 0.5, 0, 0, 0.5, 1] for n in range(3)])
    truth = np.array([[n, 1, 0, 0, 0, 1, 1, 0.0] for n in range(3)])
    fields = f'name_size_file: "{tmp_path}/sizes.txt" overlap_threshold: 0.54'
    assert run(fields, found, truth)[1][3:, 3].tolist() == [1, 0, 1]  # 5/9, 50/99, and the first size again


def test_a_missing_file(tmp_path):
    with pytest.raises(LayerError, match=r"name_size_file: .*none.txt.*correct the path"):
        run(f'name_size_file: "{tmp_path}/none.txt"')


@pytest.mark.parametrize("what", ["detections", "ground truth"])
def test_the_background(what):
    found, truth = FOUND.copy(), TRUTH.copy()
    (found if what == "detections" else truth)[0, 1] = 0
    with pytest.raises(LayerError, match=f"the background, label 0, is among the {what}"):
        run("", found, truth)


def test_no_detections():
    _, top = run("", np.array([[n, *[-1] * 6] for n in range(2)]))
    assert top.tolist() == [[-1, 1, 2, -1, -1], [-1, 2, 1, -1, -1], [-1, 3, 1, -1, -1]]


def evaluate(tmp_path, found, truth, inputs, sizes, fields="overlap_threshold: 0.5"):
    """Cascade R-CNN's form: rows of record, corners, class and confidence (or ignored and difficult)."""
    (tmp_path / "sizes.txt").write_text("".join(f"p{i} {h} {w}\n" for i, (h, w) in enumerate(sizes)))
    bottoms = [torch.tensor(b, dtype=torch.float64)[:, :, None, None] for b in (found, truth, inputs)]
    layer = make(TEXT % f'name_size_file: "{tmp_path}/sizes.txt" {fields}', *(b.shape for b in bottoms))
    return layer, layer(*bottoms).numpy()


def test_boxes_in_pixels(tmp_path):
    found = [
        [0, -1, -1, -1, -1, -1, -1],  # says only that picture 0 was looked at
        [0, 0, 0, 19, 9, 2, 0.5],
        [0, 10, 10, 29, 29, 1, 0.9],
        [0, 10, 10, 29, 31, 1, 0.8],
        [0, 60, 60, 69, 69, 1, 0.7],
        [1, 0, 0, 9, 9, 3, 0.6],
    ]
    truth = [
        [0, 10, 10, 29, 29, 1, 0, 0],
        [0, 60, 60, 69, 69, 1, 0, 1],
        [0, 0, 0, 9, 9, 2, 0, 0],
        [-1, 0, 0, 9, 9, 2, 0, 0],
    ]
    layer, top = evaluate(tmp_path, found, truth, [[100, 200], [50, 60]], [(100, 200), (50, 60)])
    wanted = [
        *[[-1, 1, 2, -1, -1], [-1, 2, 1, -1, -1], [-1, 3, 0, -1, -1]],
        *[[0, 1, 0.9, 1, 0], [0, 1, 0.8, 0, 1], [0, 1, 0.7, 1, 0]],
        [0, 2, 0.5, 1, 0],  # exactly half, both ends being pixels
        [1, 3, 0.6, 0, 1],
    ]
    assert top.shape == (8, 5, 1, 1) and layer.reshape((6, 7, 1, 1), (4, 8, 1, 1), (2, 2, 1, 1)) == [
        (9, 5, 1, 1)
    ]
    np.testing.assert_allclose(top[:, :, 0, 0], wanted)
    fields = "evaluate_difficult_gt: false"
    _, top = evaluate(tmp_path, found, truth, [[100, 200], [50, 60]], [(100, 200), (50, 60)], fields)
    assert top[0, 2] == 1 and top[5, :, 0, 0].tolist() == [0, 1, 0.7, 0, 0]


def test_boxes_are_scaled_to_the_size_in_the_file(tmp_path):
    """Of boxes 10 and 19 pixels wide, the one in the other: 10 / 19; a tenth as large 1.9 / 2.8, twice as large 19 / 37."""
    found, truth = [[0, 0, 0, 9, 9, 1, 0.5]], [[0, 0, 0, 18, 9, 1, 0, 0]]
    sizes = [(30, 40), (3, 4), (60, 80)]
    rights = []
    for fields in ("overlap_threshold: 0.52", "overlap_threshold: 0.6"):
        layer, top = evaluate(tmp_path, found, truth, [[30, 40]], sizes, fields)
        bottoms = [torch.tensor(b, dtype=torch.float64)[:, :, None, None] for b in (found, truth, [[30, 40]])]
        tops = [top, *(layer(*bottoms).numpy() for _ in range(3))]
        rights.append([t[3, 3, 0, 0] for t in tops])
    assert rights == [[1, 1, 0, 1], [0, 1, 0, 0]]


SHAPES = [(1, 1, 6, 7), (1, 1, 5, 8)]
ERRORS = [
    Error('type: "DetectionEvaluate"', SHAPES, "num_classes must be set and above 0"),
    Error(TEXT % "overlap_threshold: 0", SHAPES, "overlap_threshold is 0 and must be above 0"),
    Error(TEXT % "", [(1, 1, 6, 5), SHAPES[1]], r"bottom 0 of shape \(1, 1, 6, 5\) must be 1 x 1 x N x 7"),
    Error(TEXT % "", [SHAPES[0], (2, 1, 5, 8)], r"bottom 1 of shape \(2, 1, 5, 8\) must be 1 x 1 x N x 8"),
    Error(
        TEXT % "", [(6, 7, 1, 1), (5, 8, 1, 1), (1, 2, 1, 1)], "name_size_file must be set: pixels are those"
    ),
    Error(
        TEXT % 'name_size_file: "sizes.txt"',
        [(6, 7, 1, 1), (5, 7, 1, 1), (1, 2, 1, 1)],
        r"bottom 1 of shape \(5, 7, 1, 1\) must be N x 8 x 1 x 1",
    ),
]
test_error = errors(ERRORS)
