"""The lr-range command: reads a log, runs a ramp on any net, stops when it diverges."""

import json

import pytest

from caffe_compat.cli import main
from caffe_compat.log import plot
from caffe_compat.log.read import read_log
from tests.experiments import synthetic
from tests.experiments.logs import range_test
from tests.experiments.test_lr_range import plateau

NET = """name: "small"
layer { name: "d" type: "Data" top: "data" top: "label" transform_param { scale: 0.0039 }
  data_param { source: "mnist/mnist_train_lmdb" batch_size: 6 backend: LMDB } }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { pool: AVE kernel_size: 4 stride: 4 } }
layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }"""
SOLVER = """net: "net.prototxt" test_iter: 2 test_interval: 500 base_lr: 0.01 lr_policy: "step" gamma: 0.1 stepsize: 9
momentum: 0.9 display: 100 max_iter: 5000 snapshot: 100 snapshot_prefix: "gone/x" random_seed: 3"""

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # matplotlib's own dependencies


@pytest.fixture
def folder(tmp_path, monkeypatch):
    synthetic.make(tmp_path, ["mnist"])
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_log_is_read_and_plotted(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    log = range_test(tmp_path / "a.log", plateau(0.2, 3.1))
    assert main(["lr-range", "--log", str(log), "--plot", str(tmp_path / "p.png")]) == 0
    told = capsys.readouterr().out
    assert (
        told.startswith("super-convergence: possible")
        and "max_lr: 3 " in told
        and 'lr_policy: "1cycle"' in told
    )
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "p.png"]


@pytest.mark.parametrize(("policy", "scale"), [("triangular", "linear"), ("exp", "log")])
def test_an_exponential_ramp_is_drawn_over_the_logarithm(policy, scale, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    drawn = []
    monkeypatch.setattr(plot, "_save", lambda figure, out: drawn.append(figure))
    log = range_test(tmp_path / "a.log", plateau(0.2, 3.1))
    log.write_text(log.read_text().replace("Policy: triangular", f"Policy: {policy}"))
    assert main(["lr-range", "--log", str(log), "--plot", str(tmp_path / "p.png")]) == 0
    assert {axis.get_xscale() for axis in drawn[0].axes} == {scale}


@pytest.mark.slow
def test_a_linear_ramp_on_a_net(folder, capsys):
    pytest.importorskip("matplotlib")
    words = ["--max-lr", "0.5", "--iterations", "40", "--tests", "10", "--out", "range", "--replicas", "2"]
    assert main(["lr_range", "--solver", "solver.prototxt", *words]) == 0
    run = read_log(folder / "range.log")
    assert run.done and [row.iteration for row in run.test] == list(range(0, 41, 4))
    assert run.train[0].lr == 0 and run.train[-2].lr == pytest.approx(0.475)  # of iteration 38
    kept = json.loads((folder / "range.json").read_text())
    assert kept["score"] == "test accuracy" and kept["last"] == pytest.approx(0.5)
    assert (folder / "range.png").exists() and not (folder / "gone").exists()


@pytest.mark.slow
def test_an_exponential_ramp_stops_when_it_diverges(folder, capsys):
    words = ["--max-lr", "1e9", "--min-lr", "1e-3", "--exponential", "--iterations", "400", "--tests", "50"]
    assert (
        main(["lr-range", "--solver", "solver.prototxt", *words, "--set", "test_iter=1", "--plot", "p.svg"])
        == 0
    )
    out, err = capsys.readouterr()
    assert "lr-range: the loss has diverged; stopping here" in err
    run = read_log(folder / "lr_range.log")
    assert not run.done and run.train[-1].iteration < 390
    assert json.loads((folder / "lr_range.json").read_text())["diverged_at"] is not None
    assert "the training loss diverged at rate" in out


@pytest.mark.slow
def test_a_ramp_that_diverges_at_once_leaves_its_curves(folder, capsys):
    pytest.importorskip("matplotlib")
    words = ["--max-lr", "1e30", "--iterations", "40", "--tests", "8", "--set", "test_iter=1"]
    assert main(["lr-range", "--solver", "solver.prototxt", *words]) == 0
    out, err = capsys.readouterr()
    assert "the training loss diverged at rate" in out and "max_lr" not in out
    assert "lr-range: the loss has diverged; stopping here" in err
    kept = json.loads((folder / "lr_range.json").read_text())
    assert kept["max_lr"] is None and kept["diverged_at"] > 0
    assert (folder / "lr_range.png").exists() and (folder / "lr_range.log").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "one of the arguments --solver --log is required"),
        (["--solver", "s"], 2, "a range test needs --max-lr and --iterations"),
        (["--solver", "s", "--max-lr", "1", "--iterations", "100", "--min-lr", "2"], 2, "--min-lr 2 must be from 0 and below"),
        (
            ["--solver", "s", "--max-lr", "1", "--iterations", "100", "--min-lr", "0", "--exponential"], 2,
            "--min-lr 0 must be above 0",
        ),
        (["--solver", "s", "--max-lr", "1", "--iterations", "100", "--tests", "4"], 2, "--tests 4 is below 8"),
        (["--solver", "s", "--max-lr", "-1", "--iterations", "100"], 2, "--max-lr -1 must be a number above 0"),
        (["--solver", "s", "--max-lr", "1", "--iterations", "100", "--out", "./"], 2, "--out ./ is a folder; give the beginning"),
        (
            ["--solver", "s", "--max-lr", "1", "--iterations", "100", "--plot", "gone/a.png"], 1,
            "gone/a.png: cannot write the plot: No such file or directory; make the folder 'gone'",
        ),
        (["--solver", "s", "--max-lr", "1", "--iterations", "40"], 2, "--iterations 40 is below 50"),
        (["--solver", "s", "--max-lr", "1", "--iterations", "100", "--plot", "a.gif"], 2, "a.gif: a plot's file must end in .png"),
        (["--log", "gone.log"], 1, "gone.log: cannot read the log"),
        (
            ["--solver", "s", "--max-lr", "1", "--iterations", "100", "--out", "gone/x"], 1,
            "gone/x.log: cannot be written: No such file or directory; choose another --out",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_done(words, code, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["lr-range", *words]) == code
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_the_training_commands_error_is_passed_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["lr-range", "--solver", "gone.prototxt", "--max-lr", "1", "--iterations", "100"]) == 1
    assert (
        "the range test ended with exit code 1: gone.prototxt: " in capsys.readouterr().err.splitlines()[-1]
    )


def test_the_speed_options_reach_the_run(folder, monkeypatch):
    told = []

    def command(words, **_):
        told.extend(words)
        raise OSError(0, "enough")

    monkeypatch.setattr("caffe_compat.experiments.runner.command", command)
    words = ["--max-lr", "1", "--iterations", "100", "--precision", "bf16", "--compile", "off"]
    assert main(["lr-range", "--solver", "solver.prototxt", *words]) == 1
    at = told.index("--precision")
    assert told[at : at + 4] == ["--precision", "bf16", "--compile", "off"] and "--channels_last" not in told
