"""Grids: every combination is a job, and the best comes first."""

import pytest

from caffe_compat.errors import UsageError
from caffe_compat.experiments import grid, runner
from caffe_compat.proto import NetParameter, SolverParameter, text
from tests.experiments import logs

SOLVER = 'net: "n" base_lr: 0.1 weight_decay: 1e-4 max_iter: 200 stepsize: 100 snapshot: 100'
NET = """name: "n" layer { name: "d" type: "Data" data_param { source: "some_lmdb" batch_size: 8 } }
layer { name: "drop" type: "Dropout" }"""
AXES = {"weight_decay": ["1e-3", "1e-4"], "batch_size": ["4", "6", "7"], "dropout": ["0.3"]}


def made(tmp_path, axes=AXES, scale=0.1, seeds=1):
    solver, net = text.parse(SOLVER, SolverParameter), text.parse(NET, NetParameter)
    return grid.jobs(solver, net, axes, tmp_path, "g", scale, 2, seeds, "")


def test_every_combination_and_seed_is_a_job(tmp_path):
    jobs = made(tmp_path, seeds=2)
    assert len(jobs) == 2 * 3 * 2
    assert len({job.folder for job in jobs}) == len(jobs)
    job = jobs[2]
    label = "x0.1-r2-batch_size=6-dropout=0.3-weight_decay=1e-3"
    assert job.known == {
        "id": "g", "label": label, "seed": 1, "net": "n", "data": "some_lmdb", "replicas": 2,
    }  # fmt: skip
    assert job.folder == tmp_path / "g" / label / "seed-1"
    assert (job.solver.weight_decay, job.solver.max_iter, job.solver.stepsize) == (
        pytest.approx(1e-3),
        20,
        10,
    )
    assert job.net.layer[0].data_param.batch_size == 6
    assert job.net.layer[1].dropout_param.dropout_ratio == pytest.approx(0.3)
    assert [job.solver.random_seed for job in jobs[:2]] == [1, 2]


def test_the_files_given_are_left_alone(tmp_path):
    solver, net = text.parse(SOLVER, SolverParameter), text.parse(NET, NetParameter)
    grid.jobs(solver, net, AXES, tmp_path, "g", 0.1, 1, 1, "")
    assert (solver.max_iter, solver.random_seed, net.layer[0].data_param.batch_size) == (200, -1, 8)


def test_nothing_to_vary(tmp_path):
    with pytest.raises(
        UsageError, match="nothing to vary; give, say, --weight_decay 1e-3,1e-4 or --vary stepsize="
    ):
        made(tmp_path, axes={})


def test_the_ranking(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "command", logs.command)
    monkeypatch.setattr(runner, "_POLL", 0.01)
    jobs = made(tmp_path, {"weight_decay": ["1e-3", "1e-4", "1e-5"]})
    for job, accuracy in zip(jobs, (0.3, None, 0.6), strict=True):
        job.folder.mkdir(parents=True)
        if accuracy is None:
            (job.folder / "orders").write_text("fail it broke")
        else:
            logs.write_log(job.folder / "train.log", [(20, accuracy, 1.5)])
    outcomes = runner.run_jobs(jobs)
    rows = grid.ranked(outcomes, {"weight_decay": ["1e-3", "1e-4", "1e-5"]}).splitlines()
    assert rows[0].split() == ["weight_decay", "accuracy", "%", "best", "%", "test", "loss", "runs", "time"]
    assert [row.split()[1:3] for row in rows[1:3]] == [["1e-5", "60.00"], ["1e-3", "30.00"]]
    assert rows[3].split()[1:3] == ["1e-4", "0"] and rows[3].endswith("it broke")
