"""FrcnnOutput."""

import numpy as np
import pytest
import torch

from tests.forks.rcnn.bbox_reg import REG, best_of, denormalised, moved
from tests.layers.harness import Error, draws, errors, make


def frcnn(probability, offsets, regions, size, threshold, limit, most):
    height, width = size[0]
    found = []
    for label in range(1, probability.shape[1]):
        own = []
        for p, o, r in zip(probability, offsets, regions, strict=True):
            x0, y0, x1, y1 = moved(r[1:], denormalised(o[4 * label : 4 * label + 4]))
            if p[label] >= threshold:
                own.append((p[label], [max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)]))
        found += [[0, *box, label, score] for score, box in best_of(own, 0, limit, 0, "IOU", 0)]
    if most:
        best = sorted(found, key=lambda row: -row[6])[:most]
        found = [row for row in found if row in best]
    return np.array([[0, *[-1] * 6], *found])


@pytest.mark.parametrize(
    "fields, options", [("iou_thr: 0.3", (0, 0.3, 0)), ("conf_thr: 0.6 max_det_num: 3", (0.6, 0.5, 3))]
)
def test_frcnn_output(fields, options):
    regions = np.concatenate(
        (np.zeros((9, 1)), np.abs(draws((9, 2), 1)) * 20, np.abs(draws((9, 2), 2)) * 20 + 41), 1
    )
    bottoms = [np.abs(draws((9, 4), 3)) / 2, draws((9, 16), 4), regions, np.array([[70.0, 90.0]])]
    layer = make(f'type: "FrcnnOutput" frcnn_output_param {{ {fields} }} {REG}', *(b.shape for b in bottoms))
    top = layer(*map(torch.from_numpy, bottoms))
    np.testing.assert_allclose(top[:, :, 0, 0], frcnn(*bottoms, *options), rtol=1e-6)
    assert len(top) > 3 and layer.reshape(*(b.shape for b in bottoms)) == [(1, 7, 1, 1)]


def test_frcnn_results(tmp_path):
    (tmp_path / "labels").write_text("".join(f'item {{ name: "c{i}" label: {i} }}' for i in range(2)))
    (tmp_path / "sizes").write_text("pic 140 180\n")
    save = (
        f'save_output_param {{ output_directory: "{tmp_path}/out" output_name_prefix: "p_" output_format: "VOC" '
        f'label_map_file: "{tmp_path}/labels" name_size_file: "{tmp_path}/sizes" }}'
    )
    shapes = [(1, 2), (1, 8), (1, 5), (1, 2)]
    layer = make(f'type: "FrcnnOutput" frcnn_output_param {{ {save} }}', *shapes)
    layer(
        torch.tensor([[0.25, 0.75]]),
        torch.zeros(1, 8),
        torch.tensor([[0.0, 10, 20, 30, 50]]),
        torch.tensor([[70.0, 90.0]]),
    )
    assert (tmp_path / "out" / "p_c1.txt").read_text() == "pic 0.75 20 40 60 100\n"


ERRORS = [
    Error('type: "FrcnnOutput"', [(4, 3), (4, 8), (4, 5), (1, 2)], "has 8 numbers a row and must have 12"),
    Error(
        'type: "FrcnnOutput"', [(4, 3), (4, 12), (4, 7), (1, 2)], "has 7 numbers a row and must have 5 or 6"
    ),
    Error(
        'type: "FrcnnOutput"',
        [(4, 3), (4, 12), (4, 5), (2, 2)],
        r"bottom 3 of shape \(2, 2\) must hold one picture",
    ),
]
test_error = errors(ERRORS)
