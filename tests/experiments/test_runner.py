"""Jobs: run, skipped, resumed, shared out, failing; with a stand-in for the training command."""

import fcntl
import os
import signal
import threading
import time

import pytest

from caffe_compat.errors import CaffeError
from caffe_compat.experiments import results, runner
from caffe_compat.experiments.runner import Job, prune, run_jobs, snapshots
from caffe_compat.proto import NetParameter, SolverParameter, text
from tests.experiments import logs


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    monkeypatch.setattr(runner, "command", logs.command)
    monkeypatch.setattr(runner, "_POLL", 0.01)


@pytest.fixture
def job(tmp_path):
    return make_job(tmp_path / "one")


def make_job(folder, id="cpu20-clr", order="", max_iter=9, **options):
    solver = text.parse(f"max_iter: {max_iter} snapshot: 2 base_lr: 0.1", SolverParameter)
    net = text.parse('name: "n" layer { name: "a" type: "Data" data_param { source: "s" } }', NetParameter)
    known = {"id": id, "label": "full", "seed": 1, "net": "n", "data": "d", "replicas": 3}
    if order:
        folder.mkdir(parents=True)
        (folder / "orders").write_text(order)
    return Job(folder, solver, net, known, replicas=3, **options)


def words(job):
    return (job.folder / "words").read_text().splitlines()


def test_a_job_is_run_and_its_result_kept(job):
    said = []
    (outcome,) = run_jobs([job], say=said.append)
    assert not outcome.problem and not outcome.skipped
    assert outcome.result == results.read(job.folder / results.FILE)
    assert (outcome.result.final_accuracy, outcome.result.iterations, outcome.result.replicas) == (0.75, 9, 3)
    assert sorted(path.name for path in job.folder.iterdir()) == [
        "lock", "net.prototxt", "result.json", "snapshot_iter_8.caffemodel", "snapshot_iter_8.solverstate",
        "solver.prototxt", "train.log", "words",
    ]  # fmt: skip
    solver = text.read_solver(str(job.folder / "solver.prototxt"))
    assert (solver.net, solver.snapshot_prefix) == (
        str(job.folder / "net.prototxt"),
        str(job.folder / "snapshot"),
    )
    assert words(job) == [f"train --solver {job.folder}/solver.prototxt --replicas 3 OMP=1"]
    assert said[0].startswith("cpu20-clr (full, seed 1): 1 of 1, log in ")
    assert said[1] == "cpu20-clr (full, seed 1): done in 0 s, test accuracy 75.00 %"


def test_a_finished_job_is_skipped(job):
    run_jobs([job])
    (outcome,) = run_jobs([job])
    assert outcome.skipped and outcome.result.final_accuracy == 0.75
    assert len(words(job)) == 1


def test_a_run_that_ended_unwatched_counts(job):
    run_jobs([job])
    (job.folder / results.FILE).unlink()
    (outcome,) = run_jobs([job])
    assert outcome.skipped and (job.folder / results.FILE).exists()
    assert len(words(job)) == 1


def test_a_killed_run_goes_on_from_its_last_snapshot(tmp_path):
    job = make_job(tmp_path / "one", order="kill 7")
    (outcome,) = run_jobs([job])
    assert outcome.problem == "ended by signal 9; run it again and it goes on from its last snapshot"
    assert [path.name for path in snapshots(job.folder)] == [
        "snapshot_iter_6.solverstate",
        "snapshot_iter_4.solverstate",
    ]
    with open(job.folder / results.LOG, "a") as log:
        log.write("I1122 03:04:05.000007 77 solver.cpp:1] Iteration 7, los")
    (outcome,) = run_jobs([job])
    assert f"--snapshot {job.folder}/snapshot_iter_6.solverstate" in words(job)[1]
    assert outcome.result.iterations == 9
    run = results.read_log(job.folder / results.LOG)
    assert [row.iteration for row in run.train] == list(range(9))


def test_a_run_killed_before_its_first_snapshot_begins_again(tmp_path):
    job = make_job(tmp_path / "one", order="kill 1")
    run_jobs([job])
    (outcome,) = run_jobs([job])
    assert outcome.result and "--snapshot" not in words(job)[1]
    assert (job.folder / results.LOG).read_text().count("Solving") == 1


def test_a_snapshot_without_its_weights_is_none(job):
    job.folder.mkdir()
    (job.folder / "snapshot_iter_6.solverstate").touch()
    for suffix in ("solverstate", "caffemodel"):
        (job.folder / f"snapshot_iter_4.{suffix}").touch()
        (job.folder / f"snapshot_iter_10.{suffix}").touch()
    assert [path.name for path in snapshots(job.folder)] == [
        "snapshot_iter_10.solverstate",
        "snapshot_iter_4.solverstate",
    ]
    prune(job.folder, 1)
    assert sorted(path.name for path in job.folder.iterdir()) == [
        "snapshot_iter_10.caffemodel", "snapshot_iter_10.solverstate", "snapshot_iter_6.solverstate",
    ]  # fmt: skip


def test_a_failing_job_does_not_hold_up_the_others(tmp_path):
    problem = "/x/snapshot_iter_2.caffemodel: cannot be written: No space left on device; free some space"
    bad = make_job(tmp_path / "bad", order=f"fail {problem}")
    good = make_job(tmp_path / "good")
    outcomes = {outcome.job.folder.name: outcome for outcome in run_jobs([bad, good])}
    assert outcomes["bad"].problem == problem and outcomes["bad"].result is None
    assert outcomes["good"].result
    (bad.folder / "orders").unlink()
    assert all(outcome.result for outcome in run_jobs([bad, good]))


def test_jobs_are_spread_over_devices(tmp_path):
    jobs = [make_job(tmp_path / str(at), root="/r") for at in range(5)]
    outcomes = run_jobs(jobs, ["0", "1", "0"])
    assert all(outcome.result for outcome in outcomes)
    used = [words(job)[0].split("--gpu ")[1].split()[0] for job in jobs]
    assert set(used) == {"0", "1"} and used[:3] == ["0", "1", "0"]
    assert all("--root /r" in words(job)[0] and words(job)[0].endswith("OMP=0") for job in jobs)


def test_a_device_with_room_takes_one_more(tmp_path):
    jobs = [make_job(tmp_path / str(at), order="slow" if at == 0 else "") for at in range(3)]
    asked, said = [], []

    def room(running):
        asked.append(list(running))
        return "0" if len(running) == 1 else None

    def say(text):
        said.append(text)
        if sum("done in" in line for line in said) == 2:
            raise KeyboardInterrupt  # the first one would go on for long

    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, ["0"], say, room)
    assert asked[0] == ["0"]
    assert "GPU 0 is idle at times: one more run on it" in said
    assert all((job.folder / "result.json").exists() for job in jobs[1:])


def test_several_at_a_time_share_the_processors(tmp_path):
    jobs = [make_job(tmp_path / str(at), order="slow") for at in range(2)]
    stop_when(lambda: all((job.folder / "running").exists() for job in jobs))
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, ["", ""])
    assert [words(job)[0].split("OMP=")[1] for job in jobs] == ["2", "2"]


def stop_when(ready, number=signal.SIGINT):
    """Send this process a signal once `ready`."""

    def wait():
        for _ in range(2000):
            if ready():
                os.kill(os.getpid(), number)
                return
            time.sleep(0.01)

    threading.Thread(target=wait, daemon=True).start()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_snapshots_and_goes_on(tmp_path, number):
    job = make_job(tmp_path / "one", order="slow")
    handler = signal.getsignal(signal.SIGTERM)
    stop_when((job.folder / "running").exists, number)
    with pytest.raises(KeyboardInterrupt):
        run_jobs([job])
    assert signal.getsignal(signal.SIGTERM) is handler
    assert [path.name for path in snapshots(job.folder)] == ["snapshot_iter_1.solverstate"]
    (job.folder / "orders").unlink()
    (outcome,) = run_jobs([job])
    assert outcome.result and "snapshot_iter_1.solverstate" in words(job)[1]


def test_one_folder_is_one_run(job):
    job.folder.mkdir()
    with open(job.folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (outcome,) = run_jobs([job])
    assert outcome.problem == f"another process is running it in {job.folder}; wait for it, or stop it"
    assert not (job.folder / "solver.prototxt").exists()


def test_a_killed_process_may_take_a_moment_to_end(job):
    job.folder.mkdir(parents=True)
    dying = open(job.folder / "lock", "w")  # noqa: SIM115
    fcntl.flock(dying, fcntl.LOCK_EX)
    threading.Timer(0.3, dying.close).start()
    (outcome,) = run_jobs([job])
    assert outcome.result


def test_a_run_that_has_begun_keeps_its_settings(tmp_path):
    run_jobs([make_job(tmp_path / "one", order="kill 5")])
    with pytest.raises(
        CaffeError,
        match=r"one holds a run of cpu20-clr with other settings \('max_iter: 9' and 'max_iter: 4'",
    ):
        run_jobs([make_job(tmp_path / "one", max_iter=4)])


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "one").write_text("a file")
    with pytest.raises(
        CaffeError, match=r"deeper: cannot make the folder: Not a directory; choose another --out"
    ):
        run_jobs([make_job(tmp_path / "one" / "deeper")])


def test_an_estimate_is_another_command(tmp_path):
    job = make_job(tmp_path / "one", estimate=10)
    run_jobs([job])
    assert words(job)[0].startswith(
        f"estimate-lr --every 10 --solver {job.folder}/solver.prototxt --replicas 3"
    )
    assert f"--out {job.folder}/estimate.csv" in words(job)[0]


def test_a_crash_shows_its_last_line(tmp_path, monkeypatch):
    job = make_job(tmp_path / "one")
    monkeypatch.setattr(logs, "TRAINER", "raise RuntimeError('what happened')")
    (outcome,) = run_jobs([job])
    assert (
        outcome.problem
        == f"ended with exit code 1: RuntimeError: what happened; see {job.folder / results.LOG}"
    )
