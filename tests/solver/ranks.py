"""What the processes of test_parallel run: `python ranks.py numbers|endless`, in a folder with `data_lmdb`.

A program of its own, because started processes import it by its path.
"""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from caffe_compat.cli import main
from caffe_compat.errors import SolverError
from caffe_compat.proto import NetParameter, SolverParameter
from caffe_compat.proto.text import parse
from caffe_compat.solver import launch, parallel, reducer
from caffe_compat.solver.solver import Solver

RANKS = 2

DATA = """
layer { name: "data" type: "Data" top: "data" top: "label"
  transform_param { scale: 0.004 crop_size: 10 mirror: true }
  data_param { source: "data_lmdb" batch_size: 7 backend: LMDB } }
layer { name: "noise" type: "DummyData" top: "noise"
  dummy_data_param { shape { dim: 7 dim: 6 dim: 5 dim: 4 } data_filler { type: "gaussian" std: 0.5 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 6 kernel_h: 3 kernel_w: 4 pad_h: 1 stride: 2 bias_term: false weight_filler { type: "msra" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" }
layer { name: "scale" type: "Scale" bottom: "bn" top: "bn" scale_param { bias_term: true } }
layer { name: "sum" type: "Eltwise" bottom: "bn" bottom: "noise" top: "sum" }
"""
HEAD = """
layer { name: "ip" type: "InnerProduct" bottom: "sum" top: "ip"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_param { ignore_label: 0 } }
"""
DROPOUT = """layer { name: "drop" type: "Dropout" bottom: "sum" top: "sum"
  dropout_param { sample_weights_test: true } }"""
RESHAPE = (
    'layer { name: "r" type: "Reshape" bottom: "sum" top: "sum" reshape_param { shape { dim: 7 dim: 120 } } }'
)
DROPPED = (DROPOUT + RESHAPE.replace('top: "sum"', 'top: "flat"')
    + DROPOUT.replace('"drop"', '"again"').replace('"sum"', '"flat"') + HEAD.replace('"sum"', '"flat"'))  # fmt: skip
SHARED = """
layer { name: "a" type: "InnerProduct" bottom: "sum" top: "a" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 120 weight_filler { type: "xavier" } } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "sum" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 120 weight_filler { type: "xavier" } } }
layer { name: "idle" type: "InnerProduct" bottom: "a" top: "idle"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "silence" type: "Silence" bottom: "idle" }
""".replace('top: "sum"', 'top: "sum2"')

ALONE = {"alone": DATA + HEAD, "dropping": DATA + DROPOUT + HEAD, "dropping in turn": DATA + DROPPED}

# name: (net, what the solver adds, replicas)
CASES = {
    "one a process": (DATA + HEAD, "", 2),
    "two a process": (DATA + HEAD, "", 4),
    "two a process in turn": (DATA + RESHAPE.replace('top: "sum"', 'top: "flat"') + HEAD.replace('"sum"', '"flat"'), "", 4),
    "iter_size, clipped, Adam": (DATA + HEAD, 'iter_size: 3 clip_gradients: 0.5 type: "Adam" momentum2: 0.99', 2),
    "Dropout": (DATA + DROPOUT + HEAD, "test_iter: 2 test_interval: 3", 2),
    "Dropout, two a process": (DATA + DROPOUT + HEAD, "", 4),
    "Dropout in turn": (DATA + DROPPED, "test_iter: 2 test_interval: 3", 2),
    "Dropout, two a process in turn": (DATA + DROPPED, "", 4),
    "shared, and without gradient": (DATA + SHARED + HEAD.replace('"sum"', '"sum2"'), "", 2),
}  # fmt: skip

SOLVER = """
base_lr: 0.01 lr_policy: "step" gamma: 0.5 stepsize: 3 momentum: 0.9 weight_decay: 0.004
display: 1 max_iter: 8 snapshot_prefix: "run" random_seed: 11
"""


def solver(net: str, extra: str = "", **options: Any) -> Solver:
    param = parse(SOLVER, SolverParameter, "solver.prototxt")
    param.MergeFrom(parse(extra, SolverParameter, "extra.prototxt"))
    param.net_param.CopyFrom(parse(net, NetParameter, "net.prototxt"))
    return Solver(param, **options)


def values(trained: Solver) -> list[torch.Tensor]:
    """All blobs, then the histories."""
    return [blob.tensor.detach().clone() for blob in trained.net.learned] + trained.rule.history


def learned(trained: Solver) -> list[torch.Tensor]:
    """The blobs that have gradients, which are the same on all ranks."""
    return [blob.tensor.detach() for blob in trained.net.learned if blob.tensor.requires_grad]


def equal(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def check_cases(group: parallel.Group) -> None:
    for name, (net, extra, replicas) in CASES.items():
        trained = solver(net, extra, replicas=replicas, group=group)
        trained.step(10)
        assert all(equal(learned(trained), theirs) for theirs in group.gather(learned(trained))), name
        states = group.gather([layer.get_state() for layer in trained.net.data_layers()])
        assert states[0] == states[1], name
        if group.rank == 0:
            torch.save(values(trained), f"{name}.pt")


def check_exact_resume(group: parallel.Group) -> None:
    """With Dropout, as one batch and in turn, with one and two replicas a process."""
    for net in (DATA + DROPOUT + HEAD, DATA + DROPPED):
        for replicas in (2, 4):
            whole = solver(net, "snapshot: 4", group=group, replicas=replicas)
            whole.solve()
            again = solver(net, "snapshot: 4", group=group, replicas=replicas)
            again.restore("run_iter_4.solverstate")
            again.solve()
            if group.rank == 0:  # of BatchNorm's sums only rank 0's are kept
                assert equal(values(again), values(whole))
            assert equal(learned(again), learned(whole))


def check_resume_of_what_one_process_wrote(group: parallel.Group) -> None:
    for name, net in ALONE.items():
        resumed = solver(net, replicas=4, group=group)
        resumed.restore(f"{name}_iter_4.solverstate")
        resumed.step(4)
        if group.rank == 0:
            torch.save(values(resumed), f"{name}.pt")


def check_dropout_differs(group: parallel.Group) -> None:
    trained = solver(DATA + DROPOUT + HEAD, group=group)
    masks = group.gather(trained.net.layer("drop")(torch.ones(7, 60)))
    assert not torch.equal(*masks)


def check_resume_of_another_number(group: parallel.Group) -> None:
    """What 4 replicas in one process wrote at iteration 4 goes on with 2 ranks of 1."""
    resumed = solver(DATA + HEAD, group=group)
    resumed.restore("alone_iter_4.solverstate")
    assert resumed.iter == 4
    assert [layer.position for layer in resumed.net.data_layers()] == [4 * 4 * 7, 0]
    resumed.step(1)
    assert [layer.position for layer in resumed.net.data_layers()] == [4 * 4 * 7 + 2 * 7, 0]
    assert all(equal(learned(resumed), theirs) for theirs in group.gather(learned(resumed)))


def check_requests(group: parallel.Group) -> None:
    """What a signal asks of one rank, all do, in the same iteration."""
    calls: list[int] = []

    def action() -> str:
        calls.append(len(calls))
        return {3: "snapshot", 6: "stop"}.get(calls[-1], "none") if group.rank == 1 else "none"

    stopped = solver(
        DATA + HEAD, 'snapshot_after_train: false snapshot_prefix: "asked"', group=group, action=action
    )
    stopped.solve()
    assert group.gather((stopped.iter, stopped.requested_early_exit)) == [(7, True)] * 2
    assert Path("asked_iter_4.solverstate").exists()


def check_stop_during_test(group: parallel.Group) -> None:
    """Only rank 0 tests; the others wait for it and stop where it does."""
    extra = 'test_iter: 3 test_interval: 2 snapshot_prefix: "test" snapshot_after_train: false'
    stopped = solver(DATA + HEAD, extra, group=group)
    batches: list[str] = []

    def action() -> str:
        if not stopped.net.context.rank and stopped.iter == 4:
            batches.append({1: "snapshot", 2: "stop"}.get(len(batches), "none"))
            return batches[-1]
        return "none"

    stopped.action = action
    stopped.solve()
    assert len(stopped.test_nets) == (1 if group.rank == 0 else 0)
    assert group.gather((stopped.iter, stopped.requested_early_exit)) == [(4, True)] * 2


def check_snapshot_during_test(group: parallel.Group) -> None:
    extra = 'test_iter: 3 test_interval: 2 snapshot_prefix: "later"'
    trained = solver(DATA + HEAD, extra, group=group)
    asked = ["none", "snapshot"] if group.rank == 0 else []
    trained.action = lambda: asked.pop() if asked and trained.iter == 2 else "none"
    trained.step(4)
    assert Path("later_iter_3.solverstate").exists()  # once the test is over and all ranks are at one point


def check_buckets_leave_during_backward(group: parallel.Group) -> None:
    """The gradients of the last layers are on their way before those of the first are computed."""
    trained = solver(DATA + HEAD, group=group)
    sent: list[str] = []
    reduce, (conv, *_) = group.reduce, [blob.tensor for blob in trained.net.learned]
    conv.register_hook(lambda _: sent.append("conv's gradient"))

    def spy(values: torch.Tensor) -> Any:
        sent.append("bucket")
        return reduce(values)

    group.reduce = spy  # type: ignore[method-assign]
    trained.step(1)
    del group.reduce
    assert sent == ["bucket", "conv's gradient", "bucket"]


def check_uneven(group: parallel.Group) -> None:
    try:
        solver(DATA + HEAD, replicas=3, group=group)
    except SolverError as error:
        assert "3 replicas cannot be shared evenly by 2 processes; use a multiple of 2" in str(error)
    else:
        raise AssertionError("3 replicas on 2 processes")


def numbers() -> int:
    reducer.BUCKET_BYTES = 1000  # several buckets even of these small nets
    with parallel.join() as group:
        group.connect("cpu")
        checks: list[Callable[[parallel.Group], None]] = [
            function for name, function in sorted(globals().items()) if name.startswith("check_")
        ]
        for check in checks:
            check(group)
    return 0


def endless() -> int:
    """The train command on a solver that never ends; writes where each process can be found."""
    Path(f"pid{os.environ['RANK']}").write_text(str(os.getpid()))
    return main(["train", "--solver", "endless.prototxt"])


if __name__ == "__main__":
    sys.exit(launch.launch(functools.partial({"numbers": numbers, "endless": endless}[sys.argv[1]]), RANKS))
