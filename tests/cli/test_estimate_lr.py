"""The estimate-lr command: while training, from snapshots, resumed."""

import numpy as np
import pytest

from caffe_compat.cli import main
from caffe_compat.experiments.estimate import read_table
from caffe_compat.log import plot
from tests.cli.test_lr_range import NET
from tests.experiments import synthetic

SOLVER = """net: "net.prototxt" base_lr: 0.05 max_lr: 0.4 lr_policy: "triangular" stepsize: 6 max_iter: 12 display: 4
momentum: 0.9 snapshot: 1 snapshot_prefix: "run" random_seed: 3"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    synthetic.make(tmp_path, ["mnist"])
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def estimate(*words):
    return main(["estimate-lr", "--solver", "solver.prototxt", *words])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # matplotlib's own dependencies
def test_the_picture_shows_the_estimates_themselves_too(folder, monkeypatch):
    pytest.importorskip("matplotlib")
    drawn = []
    monkeypatch.setattr(plot, "_save", lambda figure, out: drawn.append(figure))
    assert estimate("--plot", "p.png") == 0
    rows = read_table("estimate.csv")
    lines = {line.get_label(): list(line.get_ydata()) for line in drawn[0].axes[0].lines}
    assert lines["estimate"] == [row.estimate for row in rows]
    assert lines["estimate, smoothed"] == [row.smoothed for row in rows]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # matplotlib's own dependencies
def test_while_training_and_from_snapshots_are_the_same(folder, capsys):
    pytest.importorskip("matplotlib")
    assert estimate("--every", "2", "--plot", "p.png") == 0
    told = capsys.readouterr().out
    assert told.startswith("4 estimates, the last at iteration 8: ") and told.endswith(
        "smoothed, at rate 0.2833\nestimate.csv\n"
    )
    rows = read_table("estimate.csv")
    assert [row.iteration for row in rows] == [2, 4, 6, 8]
    assert [row.lr for row in rows] == pytest.approx([0.05 + 0.35 * x / 6 for x in (2, 4, 6, 4)], rel=1e-5)
    assert (folder / "p.png").read_bytes().startswith(b"\x89PNG")
    assert estimate("--snapshots", "run", "--every", "2", "--out", "again.csv") == 0
    np.testing.assert_allclose(read_table("again.csv"), rows, rtol=1e-9)
    smoothed = 0.1
    for row in rows:
        assert row.estimate == pytest.approx(row.lr * row.top / row.bottom)
        smoothed = 0.9 * smoothed + 0.1 * row.estimate
        assert row.smoothed == pytest.approx(smoothed)


def test_a_resumed_run_keeps_its_table(folder):
    assert estimate() == 0
    whole = read_table("estimate.csv")
    assert [row.iteration for row in whole] == list(range(1, 11))
    assert estimate("--snapshot", "run_iter_6.solverstate") == 0
    resumed = read_table("estimate.csv")
    assert [row.iteration for row in resumed] == [1, 2, 3, 4, 6, 7, 8, 9, 10]
    by_iteration = {row.iteration: row for row in whole}
    for row in resumed:
        assert row.estimate == pytest.approx(by_iteration[row.iteration].estimate, rel=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--every", "-1"], "--every -1 is below 0"),
        (["--gpu", "0,1"], "--gpu 0,1: estimate-lr trains in one process; use one device, and --replicas N"),
        (["--plot", "a.gif"], "a.gif: a plot's file must end in .png, .svg, .pdf"),
        (["--replicas", "0"], "--replicas 0 is below 1"),
    ],
)
def test_options_that_do_not_fit(words, message, capsys):
    assert estimate(*words) == 2
    assert message in capsys.readouterr().err


def test_torchrun_is_refused(monkeypatch, capsys):
    """Its processes would all write one table."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    assert estimate() == 2
    assert (
        "torchrun: estimate-lr trains in one process; use one device, and --repl" in capsys.readouterr().err
    )


def test_snapshots_that_are_not_there(folder, capsys):
    assert estimate("--snapshots", "run", "--every", "3") == 1
    assert (
        "run_iter_*.caffemodel: 0 files, and no three of them 3 iterations apart" in capsys.readouterr().err
    )
