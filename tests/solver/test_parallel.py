"""Data parallelism over processes, on gloo: the numbers of virtual replicas, and what happens when one is lost."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from caffe_compat.cli import main
from caffe_compat.errors import ParallelError, UsageError
from caffe_compat.proto import SolverState, binary
from caffe_compat.solver import launch, parallel, reducer, watch
from tests.net import block
from tests.solver import ranks

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests" / "reference" / "solvers"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def start(folder, *command):
    return subprocess.Popen(
        [sys.executable, *command], cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )


def finish(process, seconds=120):
    """What it printed; it must have ended by then."""
    try:
        return process.communicate(timeout=seconds)[1]
    finally:
        process.kill()


# -- the same numbers -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder where two processes have trained every case, and checked themselves."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copytree(REFERENCE / "data_lmdb", folder / "data_lmdb")
    for name, net in ranks.ALONE.items():
        alone = ranks.solver(net, f'snapshot: 4 snapshot_prefix: "{name}"', root=str(folder), replicas=4)
        alone.step(8)
        torch.save(ranks.values(alone), folder / f"{name} in one.pt")
    process = start(folder, ranks.__file__, "numbers")
    errors = finish(process)
    assert process.returncode == 0, errors
    return folder


@pytest.mark.parametrize("case", ranks.CASES)
def test_two_processes_give_the_numbers_of_virtual_replicas(case, run):
    net, extra, replicas = ranks.CASES[case]
    one = ranks.solver(net, extra, root=str(run), replicas=replicas)
    initial = ranks.values(one)
    one.step(10)
    ours, theirs = ranks.values(one), torch.load(run / f"{case}.pt", weights_only=True)
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine - other).abs().max() <= 1e-5 * max(1, mine.abs().max())
    assert not all(torch.equal(before, mine) for before, mine in zip(initial, ours, strict=True))


@pytest.mark.parametrize("name", ranks.ALONE)
def test_two_processes_go_on_where_one_stopped(name, run):
    ours, theirs = (torch.load(run / f"{name}{which}.pt", weights_only=True) for which in ("", " in one"))
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine - other).abs().max() <= 1e-5 * max(1, mine.abs().max())


# -- the command line -------------------------------------------------------------------------


@pytest.fixture
def solvers(tmp_path, monkeypatch):
    shutil.copytree(REFERENCE, tmp_path / "solvers")
    monkeypatch.chdir(tmp_path / "solvers")
    return tmp_path / "solvers"


def lines(log):
    """The log's lines without time and process, and without the speed."""
    return [re.sub(r"^.*?\] |\(\S+ iter/s, \S+ iters\)", "", line) for line in log.splitlines()]


def test_torchrun(solvers, capsys):
    """The train command in 2 processes of 2 replicas each says and writes what it does with 4 virtual replicas."""
    shutil.copytree("replicas_4", "alone")
    text = Path("alone/solver.prototxt").read_text()
    Path("alone/solver.prototxt").write_text(text.replace("replicas_4/", "alone/"))
    assert main(["train", "--solver", "alone/solver.prototxt", "--replicas", "4"]) == 0
    alone = capsys.readouterr().err
    process = start(
        solvers, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "caffe_compat", "train",
        "--solver=replicas_4/solver.prototxt", "--replicas=4",
    )  # fmt: skip
    together = finish(process)
    assert process.returncode == 0, together
    assert "4 replicas on 2 processes (gloo), 2 on each: batch_size 8 each, 32 records a forward" in together
    ours = [line for line in lines(together) if "Iteration" in line or "output" in line]
    theirs = [line for line in lines(alone) if "Iteration" in line or "output" in line]
    assert len(ours) == len(theirs) > 30
    for mine, other in zip(ours, theirs, strict=True):
        numbers, others = (re.findall(r"[\d.e-]+", line) for line in (mine, other))
        assert [float(n) for n in numbers if n[0].isdigit()] == pytest.approx(
            [float(n) for n in others if n[0].isdigit()], rel=1e-4, abs=1e-5
        )
    _, mine = binary.read_caffemodel("replicas_4/snap_iter_10.caffemodel")
    _, other = binary.read_caffemodel("alone/snap_iter_10.caffemodel")
    for (name, _, ours), (_, _, theirs) in zip(mine, other, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert abs(a - b).max() <= 1e-5 * max(1, abs(b).max()), name


def test_a_lost_rank_ends_the_run(solvers):
    """Rank 1 is killed in the middle: rank 0 says so soon, and the last snapshot can be resumed."""
    text = Path("replicas_4/solver.prototxt").read_text()
    text = text.replace("max_iter: 10", "max_iter: 1000000 snapshot: 20").replace(
        "display: 1", "display: 1000"
    )
    Path("endless.prototxt").write_text(text)
    process = start(solvers, ranks.__file__, "endless")
    deadline = time.monotonic() + 60
    while not Path("replicas_4/snap_iter_40.solverstate").exists():
        assert time.monotonic() < deadline and process.poll() is None, finish(process, 1)
        time.sleep(0.05)
    os.kill(int(Path("pid1").read_text()), signal.SIGKILL)
    killed = time.monotonic()
    errors = finish(process, 60)
    assert time.monotonic() - killed < 60
    assert process.returncode == 1
    message = re.search(
        r"caffe-compat: error: rank 1 of 2 was killed by signal 9 \(SIGKILL\); go on with --snapshot (\S+)",
        errors,
    )
    assert message and errors.count("error:") == 1, errors
    assert binary.read(message[1], SolverState).iter >= 40
    again = [
        "train",
        "--solver",
        "endless.prototxt",
        "--snapshot",
        message[1],
        "--iterations",
        "1",
        "--replicas",
        "2",
    ]
    assert main(again) == 0


def test_an_error_of_all_ranks_is_printed_once(solvers):
    Path("endless.prototxt").write_text('net: "missing.prototxt" base_lr: 0.1 lr_policy: "fixed"')
    process = start(solvers, ranks.__file__, "endless")
    errors = finish(process)
    assert process.returncode == 1
    assert errors.count("net 'missing.prototxt' cannot be read: ") == 1, errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--replicas", "0"), "--replicas 0 is below 1"),
        (
            ("--gpu", "0,1,2"),
            "no --gpu (the CPU) with --replicas 3 gives the same numbers",
        ),
    ],
)
def test_usage(options, message, solvers, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert main(["train", "--solver", "replicas_4/solver.prototxt", *options]) == UsageError.exit_code
    assert message in capsys.readouterr().err


def test_fewer_devices_than_the_recipe_has(monkeypatch):
    from caffe_compat.cli.devices import processes_to_start

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(
        UsageError, match="2 CUDA device.s. here; --gpu 0 with --replicas 4 gives the same numbers"
    ):
        processes_to_start("0,1,2,3")
    assert processes_to_start("all") == 2
    assert processes_to_start("1") == 0
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert processes_to_start("0,1") == 0  # torchrun has started them


def test_where_a_process_stands(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert (parallel.world_size(), parallel.local_rank()) == (1, 0)
    monkeypatch.setenv("WORLD_SIZE", "6")  # without RANK this is somebody else's variable
    assert parallel.world_size() == 1
    monkeypatch.setenv("RANK", "4")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert (parallel.world_size(), parallel.local_rank()) == (6, 1)


def test_ranks_that_cannot_meet(monkeypatch):
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_PORT", raising=False)
    with pytest.raises(
        ParallelError, match="the ranks cannot meet at localhost:None: .*MASTER_PORT.* torchrun"
    ):
        parallel.Group()


# -- who is alive -----------------------------------------------------------------------------


@pytest.fixture
def watches(monkeypatch):
    """Makes the watch of a rank of 3, all in this process, with a clock that runs fast; all are closed at the end."""
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(store.port))
    monkeypatch.setattr(watch, "BEAT", 0.05)
    monkeypatch.setattr(watch, "SILENCE", 0.6)
    made = []

    def make(rank):
        made.append(watch.Watch(rank, 3))
        return made[-1]

    yield make
    for one in made:
        one.close()


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_suspended_rank_ends_the_run_within_a_minute():
    """Of which torchrun, which asks it to end and waits in vain, takes 30 seconds."""
    noticed = watch.SILENCE + 2 * watch.BEAT
    ended = noticed + 4 * watch.BEAT + watch.GRACE
    assert ended + 30 < 58


def test_a_silent_rank_is_noticed_by_all(watches, monkeypatch):
    terminated = []
    monkeypatch.setattr(watch._thread, "interrupt_main", terminated.append)
    first, second, third = (watches(rank) for rank in range(3))
    first.interrupts = True
    first.meet()
    time.sleep(1)
    assert first.lost is second.lost is third.lost is None
    second.close()
    until(lambda: first.lost and third.lost)
    assert re.fullmatch(r"rank 1 of 3 was lost: no sign of life for \d s", first.lost[1])
    assert first.lost == third.lost
    assert first.speaks and not third.speaks
    until(lambda: terminated)  # the main thread, if it does not end by itself
    assert terminated == [signal.SIGTERM]


def test_why_a_collective_failed(watches):
    first, second, third = (watches(rank) for rank in range(3))
    time.sleep(0.2)
    assert first.explain("Broken pipe") == "Broken pipe"  # all are there
    third.close()
    time.sleep(0.1)
    first.hint = "; go on"
    assert first.explain("Broken pipe") == "rank 2 of 3 was lost (Broken pipe); go on"
    assert second.report(1, "another reason") == (2, "rank 2 of 3 was lost (Broken pipe)")  # the first counts


def test_if_rank_0_is_lost_rank_1_says_so(watches):
    second, third = watches(1), watches(2)
    second.report(0, "rank 0 of 3 failed: disk full")
    until(lambda: third.lost)
    assert second.speaks and not third.speaks


def test_ranks_that_do_not_come(watches, monkeypatch):
    monkeypatch.setattr(watch, "JOIN", 0.3)
    first = watches(0)
    with pytest.raises(
        ParallelError, match=r"2 of 3 ranks did not come within 0.3 s: \[1, 2\]; see their output"
    ):
        first.meet()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python knows PYTHONSAFEPATH since 3.11")
def test_new_processes_take_no_module_from_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "random.py").write_text("raise SystemExit('from the working folder')")
    for before in (None, "2"):
        if before:
            monkeypatch.setenv("PYTHONSAFEPATH", before)
        with launch._own_modules_first():
            subprocess.run([sys.executable, "-c", "import random"], cwd=tmp_path, check=True)
        assert os.environ.get("PYTHONSAFEPATH") == before


class Noted:
    """Another rank that has the same gradients; notes which blobs had theirs when a bucket left."""

    size = 2

    def __init__(self, blobs):
        self.blobs, self.there = blobs, []

    def reduce(self, values):
        self.there.append([blob.grad is not None for blob in self.blobs])
        return values.mul_(2)

    def wait(self, work):
        pass


def test_buckets_leave_while_backward_runs_also_where_biases_get_no_gradient(monkeypatch):
    monkeypatch.setattr(reducer, "BUCKET_BYTES", 100)
    net = block.make()
    net.layer("in").load = lambda device: list(block.batch())
    blobs = [blob.tensor for blob in net.learned if blob.tensor.requires_grad]
    assert [id(blob) for blob in net.without_gradient] == [
        id(net.layer(name).blobs[1]) for name in ("c1", "c2")
    ]
    group = Noted(blobs)
    averaged = reducer.Reducer(group, blobs, 1, net.without_gradient)
    for _ in range(2):
        net.clear_param_diffs()
        group.there.clear()
        averaged.begin()
        net.forward_backward()
        done = len(group.there)
        averaged.finish()
        assert done >= len(group.there) - 1 and not all(group.there[0])
        assert all(blob.grad is not None for blob in blobs)  # the mean of none is 0
        assert not any(blob.grad.any() for blob in net.without_gradient)
