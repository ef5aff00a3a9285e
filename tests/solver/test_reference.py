"""Our solver against trajectories of a real Caffe: every loss, rate, weight and test score."""

from pathlib import Path

import numpy as np
import pytest

import caffe_compat
from caffe_compat.proto import SolverState, binary

REFERENCE = Path(__file__).parents[1] / "reference" / "solvers"
CASES = sorted(p.parent.name for p in REFERENCE.glob("*/trajectory.npz"))
TOLERANCE = 2e-3  # relative, at every iteration


def options(case):
    return {"replicas": 4} if case == "replicas_4" else {}


def close(ours, theirs, what):
    limit = TOLERANCE * max(1e-3, float(np.abs(theirs).max()))
    difference = float(np.abs(ours - theirs).max())
    assert difference <= limit, f"{what}: differs by {difference}, allowed {limit}"


@pytest.mark.parametrize("case", CASES)
def test_trajectory(case, solvers):
    golden = np.load(f"{case}/trajectory.npz")
    solver = caffe_compat.get_solver(f"{case}/solver.prototxt", **options(case))
    weights = {key: key.split(".")[1:] for key in golden if key.startswith("w.") and key != "w.conv1.1"}
    solver.net.copy_from(f"{case}/init.caffemodel")
    scores = []
    run_test = solver.core.test

    def test(index):
        run_test(index)
        scores.append(dict(solver.core.test_scores))

    solver.core.test = test
    drift = np.zeros(6)
    for iteration, loss in enumerate(golden["loss"]):
        for key, (layer, index) in weights.items():
            ours = solver.net.params[layer][int(index)].data - (drift if key == "w.bn1.0" else 0)
            close(ours, golden[key][iteration], f"{key} at {iteration}")
        # conv1's bias has rounding noise for a gradient, which rules that divide by its size blow up;
        # BatchNorm takes the bias out again, but its stored mean has it.
        drift = 0.95 * drift + solver.net.params["conv1"][1].data - golden["w.conv1.1"][iteration]
        if "lr" in golden:
            assert solver.lr == pytest.approx(golden["lr"][iteration], rel=1e-5)
        solver.step(1)
        # pycaffe's loss blob holds the last of iter_size sub-batches
        close(solver.net.blobs["loss"].data, loss, f"loss at {iteration}")
    for key, (layer, index) in weights.items():
        ours = solver.net.params[layer][int(index)].data - (drift if key == "w.bn1.0" else 0)
        close(ours, golden[key][-1], f"{key} at the end")
    for key in (k for k in golden if k.startswith("test.")):
        ours = np.array([score[key[5:]][0] for score in scores])
        theirs = golden[key]
        assert len(ours) >= len(theirs)
        close(ours[: len(theirs)], theirs, key)


@pytest.mark.parametrize(
    "case", [case for case in CASES if (REFERENCE / case / "snap_iter_6.solverstate").exists()]
)
def test_snapshot_files(case, solvers):
    """What we write at iteration 6 has the fields, shapes and names of what Caffe wrote there."""
    theirs_net, theirs = binary.read_caffemodel(f"{case}/snap_iter_6.caffemodel")
    their_state = binary.read(f"{case}/snap_iter_6.solverstate", SolverState)
    solver = caffe_compat.get_solver(f"{case}/solver.prototxt")
    solver.net.copy_from(f"{case}/init.caffemodel")
    solver.step(6)
    ours_net, ours = binary.read_caffemodel(f"{case}/snap_iter_6.caffemodel")
    our_state = binary.read(f"{case}/snap_iter_6.solverstate", SolverState)
    assert str(ours_net) == str(theirs_net)
    for (name, type_, mine), (their_name, their_type, arrays) in zip(ours, theirs, strict=True):
        assert (name, type_) == (their_name, their_type)
        for index, (a, b) in enumerate(zip(mine, arrays, strict=True)):
            if (name, index) not in (("conv1", 1), ("bn1", 0)):  # see test_trajectory
                close(a, b, f"{name}[{index}]")
    assert (our_state.iter, our_state.learned_net) == (their_state.iter, their_state.learned_net)
    assert our_state.current_step == their_state.current_step
    for index, (a, b) in enumerate(zip(our_state.history, their_state.history, strict=True)):
        assert list(a.shape.dim) == list(b.shape.dim)
        if index % len(solver.core.net.learned) != 1:
            close(binary.blob_to_array(a), binary.blob_to_array(b), f"history {index}")


@pytest.mark.parametrize("case", [case for case in CASES if case != "replicas_4"])
def test_resumes_caffes_snapshot(case, solvers):
    """From Caffe's own snapshot at 6 to Caffe's at 12, at the records the iteration count implies."""
    suffix = ".h5" if (solvers / case / "snap_iter_6.solverstate.h5").exists() else ""
    golden = np.load(f"{case}/trajectory.npz")
    solver = caffe_compat.get_solver(f"{case}/solver.prototxt")
    solver.restore(f"{case}/snap_iter_6.solverstate{suffix}")
    assert solver.iter == 6
    for loss in golden["loss"][6:]:
        solver.step(1)
        close(solver.net.blobs["loss"].data, loss, f"loss before {solver.iter}")
    for key in (k for k in golden if k.startswith("w.") and k not in ("w.conv1.1", "w.bn1.0")):
        _, layer, index = key.split(".")
        close(solver.net.params[layer][int(index)].data, golden[key][-1], key)
