"""The experiment command: its actions, what it refuses, and real runs of a few iterations."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import pytest

import caffe_compat
from caffe_compat.cli import experiment as command
from caffe_compat.cli import main
from caffe_compat.experiments import results, runner
from caffe_compat.experiments.sharing import Sharing
from caffe_compat.log.read import read_log
from caffe_compat.proto.text import read_solver
from tests.experiments import logs, synthetic
from tests.experiments.test_results import finished

ROOT = Path(caffe_compat.__file__).parents[1]


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """Runs are made up, and data is there in name only."""
    monkeypatch.setattr(runner, "command", logs.command)
    monkeypatch.setattr(runner, "_POLL", 0.01)
    monkeypatch.chdir(tmp_path)
    for folder, prefix in (("cifar10", "cifar10"), ("cifar10_10000", "cifar10"), ("mnist", "mnist")):
        for part in ("train", "test"):
            (tmp_path / "data" / folder / f"{prefix}_{part}_lmdb").mkdir(parents=True)
        (tmp_path / "data" / folder / "mean.binaryproto").touch()


def experiment(*words):
    return main(["experiment", *map(str, words)])


def test_list(capsys):
    assert experiment("list") == 0
    told = capsys.readouterr().out
    assert (
        "fig1a-clr" in told and "figures: fig1a, fig1b, fig2b" in told and "tables: tab1, tab5, tab6" in told
    )
    assert experiment("list", "tab6") == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].split()[:5] == ["id", "net", "data", "iterations", "replicas"]
    assert [row.split()[0] for row in rows[1:]] == [f"fig10a-0.{m}" for m in (80, 85, 90, 95)]
    assert rows[1].split()[1:7] == ["resnet56", "cifar10", "10,000", "8", "92.10", "91.86"]


def test_show(capsys):
    assert experiment("show", "tab1-10k-pc", "--scale", 0.1, "--replicas", 1) == 0
    told = capsys.readouterr().out
    for part in (
        "tab1-10k-pc: the first 10,000 training pictures",
        "net: prototxt/resnet56.prototxt, batch 125 on each of 1 replica, moving_average_fraction 0.999",
        "data: data/cifar10_10000   (caffe-compat data cifar10 --subset 10000 data/cifar10_10000)",
        "paper: 71.40 %\npublished log: 71.20 %",
        "run: caffe-compat experiment run tab1-10k-pc\n\nsolver:\n",
        "max_iter: 8000",
        "stepvalue: 5000\nstepvalue: 7000",
    ):
        assert part in told
    assert experiment("show", "fig9a-125") == 0
    assert "the run of fig1a-clr, under another name" in capsys.readouterr().out


def test_run_report_and_figure(stand_in, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    run = [
        "run",
        "cpu20",
        "--out",
        "out",
        "--seeds",
        2,
        "--jobs",
        3,
        "--data-note",
        "made up",
        "--scale",
        0.01,
    ]
    assert experiment(*run) == 0
    told = capsys.readouterr().err
    assert (
        "cpu20-pc (x0.01, seed 2): done in" in told
        and "6 of 6 finished (0 before); next: caffe-compat" in told
    )
    assert experiment(*run) == 0
    assert "6 of 6 finished (6 before)" in capsys.readouterr().err
    kept = json.loads((tmp_path / "out/cpu20-clr/x0.01/seed-2/result.json").read_text())
    assert (kept["id"], kept["seed"], kept["replicas"], kept["data"]) == (
        "cpu20-clr",
        2,
        1,
        "cifar10 (made up)",
    )
    assert experiment("report", "cpu20", "fig1a", "--out", "out", "--markdown", "--plot", "r.png") == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"| {' | '.join(results.COLUMNS)} |"
    row = next(line for line in out.splitlines() if line.startswith("| cpu20-clr |"))
    assert row.startswith("| cpu20-clr | 10 x 1 replica, scaled: x0.01 |")
    assert "| 75.00 ± 0.00 |" in row
    assert "not run: fig1a-pc, fig1a-clr" in err
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_a_table_is_run_once_under_all_its_names(stand_in, capsys):
    assert experiment("run", "fig1a-clr", "fig9a-125", "tab1-max-3", "fig1b-5k", "--scale", 0.001) == 0
    assert "1 of 1 finished" in capsys.readouterr().err


def test_failed_runs_are_told_and_the_rest_done(stand_in, capsys, tmp_path):
    folder = tmp_path / "out/cpu20-onecycle/full/seed-1"
    folder.mkdir(parents=True)
    (folder / "orders").write_text("fail no space left")
    assert experiment("run", "cpu20", "--out", "out") == 1
    told = capsys.readouterr().err
    assert "2 of 3 finished" in told
    assert "error: cpu20-onecycle (full, seed 1): no space left" in told


def test_the_settings_reach_the_files(stand_in, tmp_path):
    words = ["--set", "batch_size=5", "--set", "test_iter=3", "--set", "weight_decay=0.01", "--out", "out"]
    assert experiment("run", "cpu20-clr", *words, "--scale", "0.02") == 0
    folder = tmp_path / "out/cpu20-clr/x0.02-batch_size=5-test_iter=3-weight_decay=0.01/seed-1"
    solver, net = (folder / "solver.prototxt").read_text(), (folder / "net.prototxt").read_text()
    assert "weight_decay: 0.01" in solver and "test_iter: 3" in solver and "max_iter: 20" in solver
    assert net.count("batch_size: 5") == 2 and f'source: "{tmp_path}/data/cifar10/cifar10_train_lmdb"' in net


def test_the_speed_options_reach_the_runs(stand_in, tmp_path, monkeypatch):
    """Another precision is another result."""
    told = []
    monkeypatch.setattr(
        runner,
        "command",
        lambda words, *rest, **options: told.append(words) or logs.command(words, *rest, **options),
    )
    assert experiment("run", "cpu20-clr", "--compile", "off") == 0
    assert experiment("run", "cpu20-clr", "--compile", "off", "--precision", "tf32", "--scale", 0.5) == 0
    assert told[0][told[0].index("--compile") :][:2] == ["--compile", "off"] and "--precision" not in told[0]
    assert "--precision tf32 --compile off" in " ".join(told[1])
    assert {path.name for path in (tmp_path / "experiments" / "cpu20-clr").iterdir()} == {"full", "x0.5-tf32"}


def test_adopt(capsys, tmp_path):
    log = finished(tmp_path / "my.log")
    assert (
        experiment(
            "adopt", "cpu20-clr", log, "--out", tmp_path / "out", "--machine", "M", "--data-note", "JPEG"
        )
        == 0
    )
    assert capsys.readouterr().out.strip() == str(tmp_path / "out/cpu20-clr/full/seed-2")
    assert experiment("report", "--out", tmp_path / "out") == 0
    assert "cifar10 (JPEG)" in capsys.readouterr().out
    assert experiment("adopt", "cpu20-pc", log, "--out", tmp_path / "out") == 1
    assert "base_lr is 0.1 there and 0.35 in cpu20-pc" in capsys.readouterr().err


@pytest.fixture
def write_grid(stand_in, tmp_path):
    """Writes the solver and the net that a grid is made of, the net named by this field."""

    def write(field="net"):
        (tmp_path / "s.prototxt").write_text(
            f'{field}: "n.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 100 test_iter: 1 test_interval: 10 '
            "snapshot: 50"
        )
        (tmp_path / "n.prototxt").write_text(
            'name: "n" layer { name: "d" type: "Data" data_param { batch_size: 4 } }'
        )

    return write


def test_grid(write_grid, capsys, tmp_path):
    write_grid()
    words = [
        "grid",
        "--solver",
        "s.prototxt",
        "--weight_decay",
        "1e-3,1e-4,1e-3",
        "--vary",
        "momentum=0.8,0.9",
    ]
    assert experiment(*words, "--iterations", 10, "--out", "out") == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split()[:2] == ["weight_decay", "momentum"] and len(out.splitlines()) == 5
    assert "4 of 4 finished" in err
    assert len(list((tmp_path / "out/grid-s").iterdir())) == 4
    assert experiment(*words, "--iterations", 10, "--out", "out") == 0
    assert "4 of 4 finished (4 before)" in capsys.readouterr().err


@pytest.mark.parametrize("field", ["net", "train_net"])
@pytest.mark.parametrize("option", [[], ["--net", "n.prototxt"]])
def test_grid_of_a_solver_that_names_its_net_otherwise(write_grid, tmp_path, field, option):
    write_grid(field)
    words = ["--iterations", 10, "--max_lr", "1", *option, "--out", "out"]
    assert experiment("grid", "--solver", "s.prototxt", *words) == 0
    (path,) = (tmp_path / "out").rglob("solver.prototxt")
    solver = read_solver(path)
    assert solver.net == str(path.with_name("net.prototxt")) and not solver.HasField("train_net")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["run", "fig1a-cir"], 2, "no experiment is called 'fig1a-cir'; did you mean 'fig1a-clr'"),
        (["show", "nothing"], 2, "no experiment is called 'nothing'"),
        (["run", "cpu20-clr"], 1, "make it with: caffe-compat data cifar10 data/cifar10"),
        (
            ["run", "tab1-20k-pc"],
            1,
            "make it with: caffe-compat data cifar10 --subset 20000 data/cifar10_20000",
        ),
        (["run", "lenet-clr"], 1, "make it with: caffe-compat data mnist data/mnist"),
        (["run", "cpu20-clr", "--scale", "0"], 2, "--scale 0 must be a number above 0"),
        (["run", "cpu20-clr", "--jobs", "0"], 2, "--jobs 0 is below 1"),
        (["run", "cpu20-clr", "--seeds", "0"], 2, "--seeds 0 is below 1"),
        (["run", "cpu20-clr", "--replicas", "-1"], 2, "--replicas -1 is below 1"),
        (
            ["run", "cpu20-clr", "--set", "max_lr"],
            2,
            "--set 'max_lr' is not FIELD=VALUE; write, say, test_iter=80",
        ),
        (["run", "cpu20-clr", "--gpu", "x"], 2, "--gpu 'x' is not 'all' nor a list"),
        (["report"], 1, "experiments holds no result; make one with caffe-compat experiment run ID"),
        (["figure", "fig3", "--out", "a.png"], 2, "no figure is called 'fig3'"),
        (["figure", "fig1a", "--out", "a.png"], 1, "no log of fig1a-pc, fig1a-clr at hand"),
        (["figure", "fig1a", "--out", "a.png", "--logs", "x"], 2, "--logs 'x' is not ID=FILE"),
        (["adopt", "cpu20-clr", "gone.log"], 1, "gone.log: cannot read the log: No such file"),
        (["grid", "--solver", "gone.prototxt", "--max_lr", "1"], 1, "gone.prototxt"),
    ],
)
def test_what_cannot_be_done(words, code, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert experiment(*words) == code
    assert message in capsys.readouterr().err


def test_grids_that_cannot_be_made(tmp_path, capsys):
    solver, net = tmp_path / "s.prototxt", tmp_path / "n.prototxt"
    solver.write_text("base_lr: 1 max_iter: 10")
    net.write_text('name: "n"')
    for words, message in (
        (["--max_lr", "1"], "s.prototxt names no net in its field `net`; give one with --net"),
        (["--net", net], "nothing to vary; give, say, --weight_decay"),
        (["--net", net, "--vary", "x"], "--vary 'x' is not FIELD=A,B; write, say, stepsize=100,200"),
        (
            ["--net", net, "--max_lr", "1", "--iterations", 11],
            "--iterations 11 must be from 1 to the solver's max_iter, 10",
        ),
        (["--net", net, "--vary", "max_rl=1"], "'max_rl' is neither a field"),
    ):
        assert experiment("grid", "--solver", solver, *words) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("action", [["list"], ["show", "fig1a-clr"], ["report", "--out", "out"]])
def test_the_catalogue_starts_without_torch(action, tmp_path):
    (tmp_path / "out").mkdir()
    code = (
        "import sys; from caffe_compat.cli import main\n"
        "main(['experiment', *sys.argv[1:]]); assert not {'torch', 'matplotlib'} & set(sys.modules), 'imported'"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", code, *action], check=True, capture_output=True, cwd=tmp_path, env=environment
    )


# -- real runs ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    synthetic.make(folder)
    return folder


@pytest.mark.slow
def test_real_runs_of_three_data_sets(data, tmp_path, capsys):
    names = ["fig7b-clr", "fig5a-constant", "lenet-clr"]
    words = [
        "--data",
        data,
        "--scale",
        "0.0005",
        "--replicas",
        1,
        "--set",
        "test_iter=1",
        "--set",
        "batch_size=4",
    ]
    assert experiment("run", *names, *words, "--out", tmp_path) == 0
    found = {result.id: result for _, result in results.read_all(tmp_path)}
    assert set(found) == set(names)
    assert found["lenet-clr"].iterations == 5 and found["lenet-clr"].final_accuracy is not None
    assert list(tmp_path.glob("fig7b-clr/*/seed-1/snapshot_iter_5.caffemodel"))
    assert list(tmp_path.glob("fig5a-constant/*/seed-1/estimate.csv"))


@pytest.mark.slow
def test_a_real_run_that_is_killed_ends_like_one_that_is_not(data, tmp_path, capsys):
    def command(out):
        return [
            "experiment", "run", "lenet-clr", "--data", str(data), "--out", str(tmp_path / out), "--scale", "0.01",
            "--set", "snapshot=5", "--set", "batch_size=6", "--set", "test_iter=2", "--set", "display=1",
        ]  # fmt: skip

    assert main(command("whole")) == 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "caffe_compat", *command("cut")], env=environment, cwd=tmp_path, start_new_session=True,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    for _ in range(6000):
        if list((tmp_path / "cut").rglob("*.solverstate")):
            break
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert main(command("cut")) == 0
    (whole, _), (cut, _) = (results.read_all(tmp_path / name)[0] for name in ("whole", "cut"))
    one, other = (read_log(folder / results.LOG) for folder in (whole, cut))
    assert [row.loss for row in one.train] == [row.loss for row in other.train]
    assert one.test[-1].outputs == other.test[-1].outputs
    assert len(one.train) == 101


def test_what_tells_whether_a_gpu_has_room(monkeypatch, capsys):
    args = Namespace(gpu="0", jobs=None)
    assert command._room(args).__func__ is Sharing.room
    assert not capsys.readouterr().err
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    command._room(args)
    assert re.search(r"takes one run at a time: .* pip install nvidia-ml-py$", capsys.readouterr().err)
    assert command._room(Namespace(gpu="0", jobs=2))(["0"]) is None
