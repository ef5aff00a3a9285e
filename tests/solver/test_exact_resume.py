"""A resumed run is the uninterrupted one: with replicas, in turn, and from a solverstate of Caffe's own."""

import shutil
from dataclasses import replace

import pytest
import torch

from caffe_compat.proto import SolverParameter
from caffe_compat.proto.text import parse
from caffe_compat.solver.solver import Solver
from caffe_compat.solver.state import read_state, write_state
from tests.solver.small_run import (
    BATCH,
    DATA,
    DROPOUT,
    HEAD,
    MIXING,
    REFERENCE,
    REPLICAS,
    blobs,
    solver,
    text_of,
)

pytestmark = pytest.mark.usefixtures("folder")


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_resume_is_exact(kind, folder):
    extra = f'type: "{kind}" average_loss: 3'  # 4, where it is resumed, is no multiple of 3
    whole = solver(DATA + DROPOUT + HEAD, extra=extra, replicas=REPLICAS)
    whole.solve()
    again = solver(DATA + DROPOUT + HEAD, extra=extra, replicas=REPLICAS)
    again.restore("run_iter_4.solverstate")
    again.solve()
    for ours, theirs in zip(blobs(again), blobs(whole), strict=True):
        assert torch.equal(ours, theirs)

    def tail(trained):
        return text_of(trained).split("Iteration 4 ,")[1]

    assert tail(again) == tail(whole)


def test_resume_in_turn_is_exact():
    text = DATA + DROPOUT + MIXING["Reshape"] + HEAD.replace('bottom: "sum"', 'bottom: "mixed"')
    whole = solver(text, replicas=2)
    whole.solve()
    again = solver(text, replicas=2)
    again.solve("run_iter_4.solverstate")
    for ours, theirs in zip(blobs(again), blobs(whole), strict=True):
        assert torch.equal(ours, theirs)


def test_resume_with_another_number_of_replicas():
    solver(replicas=REPLICAS).solve()
    other = solver(replicas=2)
    other.restore("run_iter_4.solverstate")
    assert (
        "run_iter_4.solverstate was written with 3 replicas and this run has 2: an iteration takes 2 x batch_size "
        "records from now on" in text_of(other)
    )
    assert other.iter == 4
    data = other.net.layer("data")
    assert data.position == 4 * REPLICAS * BATCH  # records served, whoever they went to
    other.step(1)
    assert data.position == 4 * REPLICAS * BATCH + 2 * BATCH


def test_caffes_solverstate_goes_on_at_the_record_its_iteration_implies(folder):
    shutil.copytree(REFERENCE, folder / "solvers")
    param = parse(
        (folder / "solvers/sgd_fixed/solver.prototxt").read_text(), SolverParameter, "solver.prototxt"
    )
    for replicas, batch in ((1, 8), (4, 8)):
        resumed = Solver(param, root="solvers", replicas=replicas)
        resumed.restore("sgd_fixed/snap_iter_6.solverstate")
        assert next(resumed.net.data_layers()).position == 6 * batch * replicas


def nets_of(run):
    return [run.net, *run.test_nets]


@pytest.mark.parametrize("first", ["true", "false"])
@pytest.mark.parametrize(("done", "interval"), [(4, 2), (5, 2), (3, 3), (2, 7)])
def test_caffes_solverstate_lets_each_net_go_on_where_it_stood(done, interval, first):
    """What a run without it would have read: one batch an iteration and sub-batch, and test_iter a test."""
    extra = f"test_iter: 3 test_interval: {interval} test_initialization: {first} iter_size: 2"
    run = solver(DATA + HEAD, extra=extra, replicas=1)
    run.step(done)
    _, path = run.snapshot()
    state = read_state(path)
    write_state(path, replace(state, resume=None))  # as Caffe writes it
    resumed = solver(DATA + HEAD, extra=extra, replicas=1)
    resumed.restore(path)
    for mine, theirs in zip(nets_of(resumed), nets_of(run), strict=True):
        assert mine.layer("data").position == theirs.layer("data").position
    assert run.test_nets[0].layer("data").position % (3 * BATCH) == 0
