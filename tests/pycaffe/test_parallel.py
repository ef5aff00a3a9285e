"""pycaffe's NCCL and Timer: a script that spreads a solver over two processes, as Caffe's python/train.py does."""

import multiprocessing
import time

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.data import lmdb, records
from caffe_compat.errors import ParallelError
from caffe_compat.pycaffe.solvers import get_solver

SOLVER = """
base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 max_iter: 4 display: 0 random_seed: {seed} solver_mode: CPU
snapshot_after_train: false iter_size: {iter_size} layer_wise_reduce: true
net_param {{
  layer {{ name: "data" type: "Data" top: "x" top: "label"
    data_param {{ source: "{folder}/lmdb" batch_size: 3 backend: LMDB }} transform_param {{ scale: 0.01 }} }}
  layer {{ name: "conv" type: "Convolution" bottom: "x" top: "y" convolution_param {{
    num_output: 4 kernel_size: 3 weight_filler {{ type: "msra" }} }} }}
  layer {{ name: "norm" type: "BatchNorm" bottom: "y" top: "y" }}
  layer {{ name: "score" type: "InnerProduct" bottom: "y" top: "score" inner_product_param {{
    num_output: 5 weight_filler {{ type: "xavier" }} }} }}
  layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }}
}}
"""


def weights(solver):
    return {name: [blob.data.copy() for blob in blobs] for name, blobs in solver.net.params.items()}


def solve(path, uid, rank, count, results):
    """What python/train.py does in each of its processes."""
    caffe.set_mode_cpu()
    caffe.set_solver_count(count)
    caffe.set_solver_rank(rank)
    caffe.set_multiprocess(True)
    solver = caffe.SGDSolver(path)
    nccl = caffe.NCCL(solver, uid)
    nccl.bcast()
    timer, passed = caffe.Timer(), []
    solver.add_callback(lambda: timer.start(), lambda: (timer.stop(), passed.append(timer.ms)))
    solver.add_callback(nccl)
    if solver.param.layer_wise_reduce:
        solver.net.after_backward(nccl)
    solver.step(solver.param.max_iter)
    results.put((rank, weights(solver), passed))


def test_processes_may_wait_for_one_another_for_hours(tmp_path, monkeypatch):
    """As for one that tests; torch's own limit for NCCL is 10 minutes."""
    told = {}
    monkeypatch.setattr(caffe.pycaffe.parallel.dist, "TCPStore", lambda *_, **__: None)
    monkeypatch.setattr(
        caffe.pycaffe.parallel.dist, "init_process_group", lambda *_, **given: told.update(given)
    )
    path = tmp_path / "solver.prototxt"
    path.write_text(SOLVER.format(folder=tmp_path, iter_size=1, seed=5))
    lmdb.write(str(tmp_path / "lmdb"), iter([(b"0", records.serialize(np.zeros((2, 6, 5), np.uint8), 0))]))
    caffe.NCCL(caffe.SGDSolver(str(path)), b"127.0.0.1:1")
    assert told["timeout"].days >= 1


@pytest.mark.parametrize("iter_size", [1, 2])
def test_two_processes_do_what_two_virtual_replicas_do(tmp_path, iter_size):
    random = np.random.default_rng(3)
    values = [
        (b"%04d" % i, records.serialize(random.integers(0, 256, (2, 6, 5), np.uint8), i % 5))
        for i in range(19)
    ]
    lmdb.write(str(tmp_path / "lmdb"), iter(values))
    path = tmp_path / "solver.prototxt"
    path.write_text(SOLVER.format(folder=tmp_path, iter_size=iter_size, seed=5))
    one = get_solver(str(path), replicas=2)
    one.step(4)

    context = multiprocessing.get_context("spawn")
    results, uid = context.Queue(), caffe.NCCL.new_uid()
    ranks = [context.Process(target=solve, args=(str(path), uid, rank, 2, results)) for rank in range(2)]
    for process in ranks:
        process.start()
    found = sorted((results.get(timeout=90) for _ in ranks), key=lambda result: result[0])
    for process in ranks:
        process.join(30)
    assert [process.exitcode for process in ranks] == [0, 0]
    for rank, seen, passed in found:
        assert len(passed) == 4 and min(passed) > 0
        for name, blobs in weights(one).items():
            if name == "norm" and rank:
                continue  # a process keeps its own replica's statistics
            for ours, theirs in zip(blobs, seen[name], strict=True):
                np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("uid", [b"nowhere", "host:", "host:x"])
def test_a_uid_that_is_none(tmp_path, uid):
    class Built:
        core = None

    with pytest.raises(ParallelError, match=r"is no uid; take one from caffe.NCCL.new_uid\(\)"):
        caffe.NCCL(Built(), uid)


def test_a_timer():
    timer = caffe.Timer()
    assert timer.ms == 0
    timer.start()
    time.sleep(0.02)
    timer.stop()
    first = timer.ms
    assert 20 <= first < 2000
    time.sleep(0.01)
    assert timer.ms == first
    timer.start()
    assert 0 < timer.ms < 2000  # reading it stops it
