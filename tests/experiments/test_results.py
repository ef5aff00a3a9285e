"""Results: what a log tells, adopting logs, the report."""

import json
import re

import pytest

from caffe_compat.errors import CaffeError, DataError, UsageError
from caffe_compat.experiments import results
from caffe_compat.experiments.catalogue import ROWS
from caffe_compat.experiments.prepare import Changes, prepare
from caffe_compat.experiments.results import (
    Result,
    accuracy,
    adopt,
    cells,
    from_log,
    lines,
    loss,
    read,
    read_all,
    write,
)
from caffe_compat.experiments.tables import clock, table
from caffe_compat.log.read import read_log
from caffe_compat.log.runs import RunLog, TestRow
from caffe_compat.proto.text import to_text
from tests.experiments.logs import NET_ECHO, write_log

KNOWN = {"id": "fig1a-clr", "label": "full", "seed": 1, "net": "resnet56", "data": "cifar10", "replicas": 8}


def result(**changes):
    base = {
        **KNOWN, "iterations": 10000, "final_accuracy": 0.92, "best_accuracy": 0.93, "best_iteration": 9900,
        "final_test_loss": 0.3, "final_train_loss": 0.1, "seconds": 100.0, "machine": "M", "date": "2026-01-02",
    }  # fmt: skip
    return Result(**{**base, **changes})


def test_a_log_gives_its_result(tmp_path):
    tests = [(0, 1.0, 87.3365), (200, 0.4, 1.5), (400, 0.7, 0.9), (600, 0.65, 1.1)]
    log = write_log(tmp_path / "a.log", tests, [(0, 4.5, 0.1), (500, 0.25, 0.2)])
    got = from_log(read_log(log), **KNOWN)
    assert (got.final_accuracy, got.best_accuracy, got.best_iteration) == (0.65, 0.7, 400)
    assert (got.final_test_loss, got.final_train_loss, got.iterations) == (1.1, 0.25, 600)
    assert got.seconds is not None and got.machine and re.fullmatch(r"\d{4}-\d\d-\d\d", got.date)


@pytest.mark.parametrize("value", [87.3365, float("nan")])
def test_nan_scores_count_for_nothing(tmp_path, value):
    """Caffe's Accuracy takes a NaN score for right, so a net that has diverged prints 1."""
    log = write_log(tmp_path / "a.log", [(100, 0.3, 2.0), (200, 1.0, value)])
    got = from_log(read_log(log), **KNOWN)
    assert (got.final_accuracy, got.best_accuracy) == (None, 0.3)


def test_a_net_without_accuracy(tmp_path):
    got = from_log(read_log(write_log(tmp_path / "a.log", [(100, None, 2.0)])), **KNOWN)
    assert (got.final_accuracy, got.best_accuracy, got.best_iteration, got.final_test_loss) == (
        None,
        None,
        None,
        2.0,
    )


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ("acc_top5 accuracy", "accuracy"),
        ("accuracy@1 accuracy@5", "accuracy@1"),
        ("loss3/top-1 loss3/top-5", "loss3/top-1"),
        ("accuracy_top_5", "accuracy_top_5"),
        ("top5_acc top10_acc", "top5_acc"),
    ],
)
def test_the_accuracy_of_the_best_guess_and_the_sum_of_the_losses(names, chosen):
    outputs = {"a/loss": 2.0, **{name: 0.1 * i for i, name in enumerate(names.split())}, "loss": 3.0}
    row = TestRow(100, 1, outputs=outputs)
    run = RunLog("a.log", losses={"a/loss": 0.3, "loss": 1.0})
    assert accuracy(run, row) == row.outputs[chosen]
    assert loss(run, row) == pytest.approx(3.6)


def test_results_are_written_and_read(tmp_path):
    for at, one in enumerate([result(id="tab1-max-2"), result(seed=2), result()]):
        folder = tmp_path / one.id / one.label / f"seed-{at}"
        folder.mkdir(parents=True)
        write(folder, one)
        assert read(folder / results.FILE) == one
        assert [path.name for path in folder.iterdir()] == [results.FILE]
    assert [(r.id, r.seed) for _, r in read_all(tmp_path)] == [
        ("fig1a-clr", 1),
        ("fig1a-clr", 2),
        ("tab1-max-2", 1),
    ]


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"id": "x"})])
def test_a_file_that_is_no_result(tmp_path, content):
    (tmp_path / results.FILE).write_text(content)
    with pytest.raises(
        DataError, match=r"result\.json is no result of an experiment .*; remove it and run it again"
    ):
        read(tmp_path / results.FILE)


def test_lines_are_over_seeds_and_keep_other_settings_apart():
    found = [
        result(final_accuracy=a, best_accuracy=a + 0.01, seed=s, seconds=60.0 * s)
        for s, a in ((1, 0.90), (2, 0.92), (3, 0.91))
    ]
    found += [result(label="x0.05-r1", replicas=1, iterations=500), result(data="cifar10 (JPEG copy)")]
    full, scaled, jpeg = lines(found)
    assert (full.seeds, full.final, full.best) == (3, pytest.approx(91), pytest.approx(92))
    assert full.deviation == pytest.approx(1)
    assert (full.published, full.difference, full.seconds) == (92.44, pytest.approx(-1.44), 120)
    assert (scaled.seeds, scaled.deviation, scaled.difference) == (1, None, None)
    assert jpeg.data == "cifar10 (JPEG copy)"


def test_a_second_name_shows_the_same_result_beside_its_own_figure():
    line, other = lines([result()], ["fig9a-125", "fig1a-clr"])
    assert (line.id, line.final) == ("fig9a-125", pytest.approx(92))
    assert other.id == "fig1a-clr"
    assert lines([result()], ["fig1a-pc"]) == []


def test_cells_mark_what_was_scaled():
    line = lines(
        [result(label="x0.05-r1", replicas=1, iterations=500), result(label="x0.05-r1", final_accuracy=0.9)]
    )[0]
    assert cells(line) == [
        "fig1a-clr", "500 x 1 replica, scaled: x0.05-r1", "M", "1 min 40 s", "2", "91.00 ± 1.41", "93.00", "92.44", "",
        "cifar10",
    ]  # fmt: skip
    assert cells(lines([result()])[0])[1:2] + cells(lines([result()])[0])[8:9] == [
        "10,000 x 8 replicas",
        "-0.44",
    ]


def test_tables():
    assert table(["a", "bc"], [["1|2", "x"]], markdown=True) == "| a | bc |\n| --- | --- |\n| 1\\|2 | x |"
    assert table(["a", "bc"], [["123", "x"]]) == "a    bc\n123  x"
    assert [clock(s) for s in (None, 45.4, 1040, 21780)] == ["", "45 s", "17 min 20 s", "6 h 03 min"]


# -- adopting -------------------------------------------------------------------------------------


def finished(path, id="cpu20-clr", seed=2, changes=None, net=None, **options):
    """The log of a finished run of a row, with solver fields changed or removed (None)."""
    solver, _ = prepare(ROWS[id], Changes(), seed, "data")
    solver.test_interval, solver.snapshot = 50, 0  # cadences may differ
    solver.train_state.stage.append("")  # the command line adds it
    for name, value in (changes or {}).items():
        solver.ClearField(name) if value is None else setattr(solver, name, value)
    echo = NET_ECHO.format(**{"name": "ResNet-20", "batch": 125, "fraction": 0.95, **(net or {})})
    return write_log(path, [(1000, 0.71, 0.8)], [(950, 0.6, 0.1)], to_text(solver), echo, **options)


def test_a_log_is_adopted(tmp_path):
    log = finished(tmp_path / "my.log")
    folder = adopt(ROWS["cpu20-clr"], log, tmp_path / "out", Changes(), "JPEG copy")
    assert folder == tmp_path / "out" / "cpu20-clr" / "full" / "seed-2"
    got = read(folder / results.FILE)
    assert (got.final_accuracy, got.iterations, got.seed, got.data) == (0.71, 1000, 2, "cifar10 (JPEG copy)")
    assert (got.adopted_from, got.replicas, got.net) == ("my.log", 1, "resnet20")
    assert (folder / results.LOG).read_text() == log.read_text()
    with pytest.raises(
        UsageError, match=r"seed-2 holds a result of cpu20-clr already; give --seed, or remove it"
    ):
        adopt(ROWS["cpu20-clr"], log, tmp_path / "out", Changes())
    folder = adopt(ROWS["cpu20-clr"], log, tmp_path / "out", Changes(), seed=5, host="a big machine")
    assert read(folder / results.FILE).machine == "a big machine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"changes": {"base_lr": 0.2}},
            "base_lr is 0.2 there and 0.1 in cpu20-clr; it is a log of another run",
        ),
        ({"changes": {"clip_gradients": 5}}, "clip_gradients is 5 there and unset in cpu20-clr"),
        ({"changes": {"max_lr": None}}, "max_lr is unset there and 1 in cpu20-clr"),
        ({"changes": {"momentum": None}}, "momentum is 0 there and 0.9 in cpu20-clr"),
        ({"changes": {"type": "Nesterov"}}, "type is Nesterov there and SGD in cpu20-clr"),
        ({"net": {"name": "ResNet-56"}}, 'name is "ResNet-56" there and "ResNet-20" in cpu20-clr'),
        ({"net": {"batch": 100}}, "batch_size is 100 there and 125 in cpu20-clr"),
        ({"net": {"fraction": 0.999}}, "moving_average_fraction is 0.999 there and 0.95 in cpu20-clr"),
        ({"done": False}, r"the run is not finished \(last line of iteration 950\); let it end first"),
    ],
)
def test_a_log_of_something_else_is_not_adopted(tmp_path, options, message):
    log = finished(tmp_path / "my.log", **options)
    with pytest.raises(DataError, match=message):
        adopt(ROWS["cpu20-clr"], log, tmp_path / "out", Changes())
    assert not (tmp_path / "out").exists()


def test_a_multistep_log_is_compared_step_by_step(tmp_path):
    log = finished(tmp_path / "my.log", id="cpu20-pc")
    assert adopt(ROWS["cpu20-pc"], log, tmp_path / "out", Changes()).is_dir()
    text = log.read_text().replace("stepvalue: 875", "stepvalue: 800")
    (tmp_path / "other.log").write_text(text)
    with pytest.raises(DataError, match="stepvalue is 625, 800 there and 625, 875 in cpu20-pc"):
        adopt(ROWS["cpu20-pc"], tmp_path / "other.log", tmp_path / "out", Changes())


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(CaffeError, match=r"seed-2: cannot copy .*my\.log there: Not a directory"):
        adopt(ROWS["cpu20-clr"], finished(tmp_path / "my.log"), tmp_path / "out", Changes())
