"""Solvers: the seed of those whose file gives none, their classes, and the diffs that a step leaves."""

import re
from pathlib import Path

import numpy as np
import pytest

import caffe_compat as caffe

NET = """layer { name: "x" type: "DummyData" top: "x" top: "label" dummy_data_param {
  shape { dim: 6 dim: 4 } shape { dim: 6 } data_filler { type: "gaussian" } data_filler { type: "constant" } } }
layer { name: "drop" type: "Dropout" bottom: "x" top: "y" }
layer { name: "ip" type: "InnerProduct" bottom: "y" top: "z"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "z" bottom: "label" top: "loss" }"""


@pytest.fixture
def solver_file(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(
        f'net: "{tmp_path}/net.prototxt" base_lr: 0.1 lr_policy: "fixed" snapshot_prefix: "{tmp_path}/s"'
    )
    return str(tmp_path / "solver.prototxt")


@pytest.fixture
def trained(solver_file):
    """A function that gives the weights of a new solver after three steps."""

    def weights():
        solver = caffe.SGDSolver(solver_file)
        solver.step(3)
        return solver.net.params["ip"][0].data.tolist()

    return weights


def test_set_random_seed_makes_solvers_repeatable(trained):
    found = []
    for seed in (7, 7, 8):
        caffe.set_random_seed(seed)
        found.append(trained())
    assert found[0] == found[1] != found[2]


def test_without_a_seed_each_solver_begins_with_other_weights(trained):
    assert trained() != trained()


def test_a_step_leaves_what_it_subtracted_in_the_diffs(solver_file):
    """Which scripts compare with the weights; and a view of the diff that was taken before shows it."""
    with open(solver_file, "a") as file:
        file.write(" momentum: 0.5")
    solver = caffe.SGDSolver(solver_file)
    blobs = solver.net.params["ip"]
    views = [blob.diff for blob in blobs]
    for _ in range(3):
        before = [blob.data.copy() for blob in blobs]
        solver.step(1)
        for old, blob, view in zip(before, blobs, views, strict=True):
            assert view.any()
            np.testing.assert_allclose(blob.data, old - view, rtol=1e-6, atol=1e-7)
            np.testing.assert_array_equal(view, blob.diff)


def test_an_update_by_hand(solver_file):
    solver = caffe.SGDSolver(solver_file)
    blob = solver.net.params["ip"][1]
    view = blob.diff
    solver.net.forward()
    solver.net.backward()
    gradient = view.copy()
    assert gradient.any()
    before = blob.data.copy()
    solver.apply_update()
    assert solver.iter == 1
    np.testing.assert_allclose(view, 0.1 * gradient, rtol=1e-6)
    np.testing.assert_allclose(blob.data, before - view, rtol=1e-6)
    solver.net.clear_param_diffs()
    assert not view.any()


def test_increment_iter_counts_before_the_update(solver_file):
    """DeePSiM's loop: the update has the rate of the iteration counted."""
    Path(solver_file).write_text(
        Path(solver_file).read_text().replace('"fixed"', '"step" stepsize: 1 gamma: 0.5')
    )
    solver = caffe.SGDSolver(solver_file)
    blob = solver.net.params["ip"][1]
    for iter in (1, 2):
        solver.net.forward_simple()
        solver.increment_iter()
        solver.net.clear_param_diffs()
        solver.net.backward_simple()
        gradient, before = blob.diff.copy(), blob.data.copy()
        assert gradient.any()
        solver.apply_update()
        assert solver.iter == iter
        np.testing.assert_allclose(before - blob.data, 0.1 * 0.5**iter * gradient, rtol=1e-4, atol=1e-7)
    solver.apply_update()
    assert solver.iter == 3


def test_stepping_by_ones_has_a_speed(solver_file, capfd):
    """Of the iterations since the last line, as in Caffe, though each call of step starts the clock."""
    with open(solver_file, "a") as file:
        file.write(" display: 1")
    solver = caffe.SGDSolver(solver_file)
    for _ in range(3):
        solver.step(1)
    lines = [line for line in capfd.readouterr().err.splitlines() if "iter/s" in line]
    assert len(lines) == 3
    speeds = [float(re.search(r"\((\S+) iter/s, (\S+)s/1 iters\)", line)[1]) for line in lines]
    assert speeds[0] == 0 and min(speeds[1:]) > 0


def test_every_solver_is_an_sgd_solver(solver_file):
    class Mine(caffe.SGDSolver):
        pass

    for name in ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"):
        assert issubclass(getattr(caffe, f"{name}Solver"), caffe.SGDSolver)
    assert type(caffe.get_solver(solver_file)) is caffe.SGDSolver
    with open(solver_file, "a") as file:
        file.write(' type: "Adam" momentum: 0.9')
    assert type(caffe.get_solver(solver_file)) is caffe.AdamSolver


def test_a_solvers_nets_cannot_be_replaced(solver_file):
    solver = caffe.SGDSolver(solver_file)
    for name in ("net", "test_nets"):
        with pytest.raises(AttributeError):
            setattr(solver, name, None)


def test_the_memory_of_one_step_serves_the_next(trained, monkeypatch):
    """As the train command has it: fetching it again each time takes a sixth of a step."""
    calls = []
    monkeypatch.setattr("caffe_compat.pycaffe.solvers.keep_freed_memory", lambda: calls.append("kept"))
    trained()
    assert calls == ["kept"]
