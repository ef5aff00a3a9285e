"""All golden data of a real Caffe pass through `validate`."""

from pathlib import Path

import pytest

from caffe_compat.parity.batches import validate_data
from caffe_compat.parity.bundle import open_bundle
from caffe_compat.parity.logs import validate_log
from caffe_compat.parity.nets import validate_net
from caffe_compat.parity.steps import validate_solver

REFERENCE = Path(__file__).parents[1] / "reference"
SOLVERS = sorted(path.parent.name for path in REFERENCE.glob("solvers/*/trajectory.npz"))


@pytest.mark.parametrize("case", sorted(path.stem for path in REFERENCE.glob("layers/*.npz")))
def test_layers(case):
    report = validate_net(open_bundle(REFERENCE / "layers" / f"{case}.npz"))
    assert report.verdict == "agrees", report.first or report.missing
    assert any(row.compared for row in report.rows)


@pytest.mark.parametrize("case", SOLVERS)
def test_solvers(case):
    report = validate_solver(
        open_bundle(REFERENCE / "solvers" / case), replicas=4 if case == "replicas_4" else 1
    )
    assert report.verdict == "agrees", report.first or report.missing
    assert {row.what for row in report.rows} >= {"loss", "weights", "update"}
    assert not report.guilty


@pytest.mark.parametrize("case", sorted(path.stem for path in REFERENCE.glob("data/*.npz")))
def test_data(case):
    report = validate_data(open_bundle(REFERENCE / "data" / f"{case}.npz"))
    assert report.verdict == "agrees", report.first
    assert [row.what for row in report.rows][-1] == "batch3"


@pytest.mark.parametrize("case", [case for case in SOLVERS if case != "replicas_4"])
def test_logs_of_solvers(case):
    """Only the lines about structure, iterations and outputs were kept of these: no solver and no net is echoed."""
    folder = REFERENCE / "solvers"
    report = validate_log(
        str(folder / case / "caffe.log"),
        solver=str(folder / case / "solver.prototxt"),
        weights=str(folder / case / "init.caffemodel"),
        root=str(folder),
    )
    checks = {check.name: check for check in report.checks}
    assert {name for name, check in checks.items() if check.status != "agrees"} == {"displays"}
    assert checks["displays"].details == ["the log ends at iteration 11 of 12"]
    assert checks["structure of the training net"].text.startswith("11 of 11 layers")
    assert "from the same weights" in checks["loss at iteration 0"].text
    assert report.exit_code == 3
