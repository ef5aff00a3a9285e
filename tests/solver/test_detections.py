"""Tests of detections: SSD's eval_type "detection"."""

import io

import numpy as np
import pytest
import torch

from caffe_compat.errors import SolverError
from caffe_compat.log.write import Log
from caffe_compat.proto import SolverParameter
from caffe_compat.proto.text import parse
from caffe_compat.solver.detections import average_precision
from caffe_compat.solver.solver import Solver

SOLVER = """
net_param {
  layer { name: "data" type: "DummyData" top: "rows" dummy_data_param { shape { dim: 1 dim: 1 dim: 2 dim: 5 } } }
  layer { name: "fc" type: "InnerProduct" bottom: "rows" top: "fc" include { phase: TRAIN } loss_weight: 1
          inner_product_param { num_output: 1 } }
}
test_iter: 2 test_interval: 1 base_lr: 0 lr_policy: "fixed" max_iter: 1 test_compute_loss: true
"""
# -1, class, true boxes, -1, -1; then record, class, confidence, right, wrong
BATCHES = [
    [[-1, 1, 2, -1, -1], [-1, 2, 1, -1, -1], [-1, 3, 0, -1, -1], [0, 1, 0.9, 1, 0], [0, 1, 0.5, 0, 1]],
    [
        *([-1, 1, 0, -1, -1], [-1, 2, 3, -1, -1], [-1, 3, 0, -1, -1]),
        *([3, 1, 0.4, 1, 0], [3, 2, 0.7, 0, 0], [4, 2, 0.6, 1, 0]),
    ],
]


def run_test(text, batches):
    """The log of one test with these outputs."""
    stream = io.StringIO()
    solver = Solver(parse(text, SolverParameter, "s.prototxt"), log=Log(stream=stream, progress=False))
    (net,) = solver.test_nets
    left = iter(batches)
    net.forward = lambda: (torch.tensor(0.25), {"rows": torch.tensor(next(left))[None, None]})
    solver.test(0)
    return solver, stream.getvalue()


def test_precision_is_over_all_batches_of_a_test():
    extra = ' eval_type: "detection" ap_version: "Integral" show_per_class_result: true'
    solver, log = run_test(SOLVER + extra, BATCHES)
    first = 0.5 + 0.5 * 2 / 3  # right, wrong, right of two boxes
    assert f"class1: {first:.6g}\n" in log and "class2: 0.25\n" in log
    assert "Missing true_pos for label: 3" in log and "Test loss: 0.25" in log
    assert (
        f"Test net output #0: rows = {(first + 0.25) / 3:.6g}\n" in log
        and "#1" not in log.split("Test loss")[1]
    )
    assert solver.test_scores == {"rows": [pytest.approx((first + 0.25) / 3, rel=1e-6)]}


def test_nothing_is_said_where_nothing_was_detected():
    solver, log = run_test(SOLVER + ' eval_type: "detection"', [b[:3] for b in BATCHES])
    assert "Test net output" not in log and solver.test_scores == {}


def test_rows_that_are_no_detections():
    message = r"needs rows of 5 numbers, as DetectionEvaluate gives them, and output 'rows' has shape \(1, 1, 2, 4\)"
    with pytest.raises(SolverError, match=message):
        run_test(SOLVER + ' eval_type: "detection"', [[[1.0, 2, 3, 4]] * 2])


def test_outputs_of_different_lengths_have_no_mean():
    message = r"test net \(#0\): batch 1 has 30 output values and the one before 25.*eval_type: \"detection\""
    with pytest.raises(SolverError, match=message):
        run_test(SOLVER, BATCHES)


def test_an_unknown_way_to_integrate():
    message = 'ap_version is "12point" and must be one of 11point, MaxIntegral, Integral'
    with pytest.raises(SolverError, match=message):
        text = SOLVER + 'eval_type: "detection" ap_version: "12point"'
        Solver(parse(text, SolverParameter, "s.prototxt"))


def test_another_forks_type_of_test_prints_means():
    _, log = run_test(SOLVER + 'eval_type: "segmentation"', BATCHES[:1] * 2)
    assert 'eval_type "segmentation" does nothing here: tests print means' in log
    assert "Test net output #2: rows = 2\n" in log


def test_fields_without_use():
    solver_text = SOLVER + 'show_per_class_result: true ap_version: "11point"'
    _, log = run_test(solver_text, BATCHES[:1] * 2)
    for field in ("show_per_class_result", "ap_version"):
        assert f'{field} does nothing without eval_type: "detection"' in log


def by_definition(confidences, right, count, version):
    """From the curve's points, one at a time."""
    order = sorted(range(len(right)), key=lambda i: -confidences[i])
    points, hits = [], 0
    for n, i in enumerate(order, 1):
        hits += right[i]
        points.append((hits / count, hits / n))
    if version == "11point":
        at = [max((p for r, p in points if float(np.float32(r)) >= k / 10), default=0) for k in range(11)]
        return sum(at) / 11
    area, before = 0, 0
    for i, (recall, precision) in enumerate(points):
        height = max(p for _, p in points[i:]) if version == "MaxIntegral" else precision
        area += (recall - before) * height
        before = recall
    return area


@pytest.mark.parametrize("version", ["11point", "MaxIntegral", "Integral"])
@pytest.mark.parametrize("seed", range(6))
def test_average_precision(version, seed):
    random = np.random.default_rng(seed)
    number = int(random.integers(1, 40))
    right = (random.uniform(size=number) < 0.6).astype(int)
    count = int(right.sum() + random.integers(0, 7)) or 3
    confidences = random.uniform(size=number).astype(np.float32)
    found = average_precision(confidences, right, count, version)
    assert found == pytest.approx(by_definition(confidences, right, count, version), rel=1e-5, abs=1e-7)
    assert average_precision(confidences, right, 0, version) == 0
