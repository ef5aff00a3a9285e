"""Training on a GPU: the CPU's numbers, and no wait for the GPU between the lines that are displayed."""

import io
import re
import shutil
from pathlib import Path

import pytest
import torch

from caffe_compat.log.write import NULL, Log
from caffe_compat.net.execution import Execution
from caffe_compat.proto import SolverParameter
from caffe_compat.proto.text import parse
from caffe_compat.solver.reducer import Reducer
from caffe_compat.solver.solver import Solver
from caffe_compat.solver.update import UpdateRule
from tests import pretended

REFERENCE = Path(__file__).parents[1] / "reference" / "solvers"

NET = """
layer { name: "in" type: "Data" top: "x" top: "label" include { phase: TRAIN }
  data_param { source: "data_lmdb" batch_size: 6 backend: LMDB }
  transform_param { mirror: true crop_size: 7 mean_file: "mean.binaryproto" scale: 0.1 } }
layer { name: "in" type: "Data" top: "x" top: "label" include { phase: TEST }
  data_param { source: "data_lmdb" batch_size: 6 backend: LMDB } transform_param { crop_size: 7 mean_value: 120 scale: 0.1 } }
layer { name: "noise" type: "DummyData" top: "noise"
  dummy_data_param { shape { dim: 4 dim: 3 } data_filler { type: "gaussian" std: 0.1 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 4 kernel_size: 3 bias_term: false weight_filler { type: "msra" } } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "sc" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "pool" type: "Pooling" bottom: "c" top: "p" pooling_param { pool: AVE kernel_size: 3 stride: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "p" top: "y"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "acc" type: "Accuracy" bottom: "y" bottom: "label" top: "acc" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" include { phase: TRAIN } }
"""  # the test net has no loss
SOLVER = """base_lr: 0.01 lr_policy: "inv" gamma: 0.1 power: 0.5 weight_decay: 0.001 random_seed: 3 max_iter: 9 display: 3
test_iter: 2 test_interval: 100 snapshot_prefix: "s" net_param { %s } """


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    shutil.copytree(REFERENCE / "data_lmdb", tmp_path / "data_lmdb")
    shutil.copy(REFERENCE / "mean.binaryproto", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(words, device="cpu", replicas=0, net=NET, compile="off", log=NULL):
    param = parse(SOLVER % net + words, SolverParameter, "solver.prototxt")
    execution = Execution(compile=compile, channels_last="off")
    return Solver(param, device=device, replicas=replicas, execution=execution, log=log)


def numbers(solver):
    values = [
        *(blob.detach() for layer in solver.net.layers for blob in layer.owned_blobs()),
        *solver.rule.history,
    ]
    return [value.cpu() for value in values]


def same(solver, wanted):
    torch.testing.assert_close(numbers(solver), numbers(wanted), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("words", "replicas"),
    [
        ('type: "SGD" momentum: 0.9', 0),
        ('type: "SGD" momentum: 0.9', 2),
        ('type: "Nesterov" momentum: 0.9', 0),
        ('type: "AdaGrad"', 0),
        ('type: "RMSProp" rms_decay: 0.9', 0),
        ('type: "AdaDelta" momentum: 0.9 delta: 1e-6', 0),
        ('type: "Adam" momentum: 0.9', 0),
        ('type: "SGD" momentum: 0.9 clip_gradients: 0.1', 0),
        ('type: "SGD" regularization_type: "L1" iter_size: 2', 0),
        ('type: "SGD" larc: true', 0),
        ('type: "SGD" local_lr_auto: true', 0),
        ('type: "SGD" momentum: 0.9 snapshot_diff: true average_loss: 4', 0),
    ],
)
def test_a_step_waits_for_nothing_and_gives_the_same(words, replicas):
    wanted = make(words, replicas=replicas)
    wanted.step(3)
    wanted.test(0)
    with pretended.cuda() as device:
        solver = make(words, "cuda", replicas)
        solver.step(1)  # a line is displayed
        with device.no_waiting():
            solver.step(2)
        solver.test(0)
        same(solver, wanted)
    torch.testing.assert_close(solver.test_scores, wanted.test_scores)


@pytest.mark.parametrize("small", [0, 1 << 20])
def test_batches_read_ahead_wait_for_nothing(monkeypatch, small):
    """A set that does not fit in memory, decoded by threads or not."""
    monkeypatch.setattr("caffe_compat.layers.data.memory_budget", lambda: 0)
    monkeypatch.setattr("caffe_compat.data.feed._QUICK", small)
    wanted = make('type: "SGD"')
    wanted.step(4)
    with pretended.cuda() as device:
        solver = make('type: "SGD"', "cuda")
        solver.step(1)
        with device.no_waiting():
            solver.step(2)
        solver.step(1)
        same(solver, wanted)
        for net in (wanted.net, solver.net):
            next(net.data_layers())._streamed.close()


def test_a_set_that_is_decoded_as_it_is_used_waits_for_nothing(monkeypatch):
    monkeypatch.setattr("caffe_compat.data.feed._KEPT_BLOCK", 1)
    with pretended.cuda() as device:
        solver = make('type: "SGD"', "cuda")
        solver.step(1)
        with device.no_waiting():
            solver.step(2)
        kept = next(solver.net.data_layers())._kept
        assert kept._images.device.type == "cuda" and kept._have == 18


def test_the_set_stays_on_the_host_if_the_gpu_is_full(monkeypatch):
    wanted = make('type: "SGD"')
    wanted.step(3)
    with pretended.cuda() as device:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (0, 1 << 30))
        solver = make('type: "SGD"', "cuda")
        solver.step(1)
        with device.no_waiting():
            solver.step(2)
        assert next(solver.net.data_layers())._kept._images.device.type == "cpu"
        same(solver, wanted)


class Twin:
    """Another rank that always has the same gradients."""

    size = 2

    def reduce(self, values):
        return values.mul_(2)

    def wait(self, work):
        pass


@pytest.mark.parametrize("compile", ["off", "capture"])
def test_gradients_of_other_ranks(monkeypatch, compile):
    """They are sent off while backward runs, which no graph could do."""
    monkeypatch.setattr("caffe_compat.solver.reducer.BUCKET_BYTES", 100)
    wanted = make('type: "SGD" momentum: 0.9 iter_size: 2')
    wanted.step(5)
    with pretended.cuda() as device:
        solver = make('type: "SGD" momentum: 0.9 iter_size: 2', "cuda", compile=compile)
        reducer = Reducer(Twin(), [blob.tensor for blob in solver.net.learned], 2)
        solver.callbacks.append((reducer.begin, reducer.finish))
        solver.step(1)
        with device.no_waiting():
            solver.step(2)
        solver.step(2)
        assert not any(kept.recorded for kept in solver.net._runner._captured.values())
        same(solver, wanted)


def test_a_snapshot_goes_on_where_it_was():
    whole = make('type: "Adam" momentum: 0.9')
    whole.step(5)
    with pretended.cuda():
        first = make('type: "Adam" momentum: 0.9', "cuda")
        first.step(2)
        _, state = first.snapshot()
        second = make('type: "Adam" momentum: 0.9', "cuda")
        second.restore(state)
        second.step(3)
        same(second, whole)


def test_debug_info_on_a_gpu():
    wanted = make('type: "SGD"')
    wanted.step(2)
    with pretended.cuda():
        solver = make('type: "SGD" debug_info: true', "cuda")
        solver.step(2)
        solver.test_all()
        same(solver, wanted)


CARRIED = """layer { name: "rows" type: "Reshape" bottom: "p" top: "rows" reshape_param { shape { dim: -1 dim: 1 dim: 16 } } }
layer { name: "cont" type: "DummyData" top: "cont" dummy_data_param { shape { dim: 6 dim: 1 } data_filler { value: 1 } } }
layer { name: "lstm" type: "LSTM" bottom: "rows" bottom: "cont" top: "h"
  recurrent_param { num_output: 3 weight_filler { type: "uniform" min: -0.5 max: 0.5 } } }
layer { name: "d" type: "Dropout" bottom: "h" top: "h" }
layer { name: "flat" type: "Reshape" bottom: "h" top: "q" reshape_param { shape { dim: -1 dim: 3 } } }
"""  # state from one pass to the next: of LSTM, BatchNorm, and the random numbers
SHARED = """layer { name: "half" type: "InnerProduct" bottom: "y" top: "z"  param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "again" type: "InnerProduct" bottom: "z" top: "y2" param { name: "w" } param { name: "b" lr_mult: 1 }
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "small" type: "Reduction" bottom: "y2" top: "small" loss_weight: 0.02
  reduction_param { operation: SUMSQ axis: 1 } }"""
MIXED = """layer { name: "mix" type: "Reshape" bottom: "c" top: "mixed" reshape_param { shape { dim: 6 dim: 100 } } }
layer { name: "use" type: "InnerProduct" bottom: "mixed" top: "u" inner_product_param { num_output: 3 } }
layer { name: "small" type: "Reduction" bottom: "u" top: "small" loss_weight: 0.02 }"""


def with_layers(before, layers):
    """NET with more layers in front of the one of that name."""
    at = NET.index(f'layer {{ name: "{before}"')
    return NET[:at] + layers + NET[at:]


@pytest.mark.parametrize(
    ("words", "replicas", "net"),
    [
        ('type: "SGD" momentum: 0.9', 0, NET),
        ('type: "SGD" momentum: 0.9 average_loss: 4', 2, NET),
        ('type: "SGD" momentum: 0.9 iter_size: 3', 0, NET),
        ('type: "Adam" momentum: 0.9 clip_gradients: 0.1', 0, NET),
        (
            'type: "SGD" momentum: 0.9 snapshot_diff: true',
            0,
            with_layers("ip", CARRIED).replace('"p" top: "y"', '"q" top: "y"'),
        ),
        ('type: "SGD" iter_size: 2', 0, with_layers("acc", SHARED)),
        ('type: "SGD"', 2, with_layers("acc", MIXED)),
    ],
)
def test_a_captured_step_is_the_step(words, replicas, net):
    """Through displayed iterations, tests, a snapshot and debug_info, which runs layer by layer."""
    if pretended.real() and "Dropout" in net:
        pytest.skip("a captured pass draws other random numbers")
    results = []
    with pretended.cuda() as device:
        for compile in ("off", "capture"):
            text = io.StringIO()
            solver = make(words, "cuda", replicas, net, compile, Log(text, progress=False))
            solver.step(4)
            with device.no_waiting():
                solver.step(2)
            solver.test_all()
            solver.step(1)
            solver.param.debug_info = True
            solver.step(1)
            solver.param.debug_info = False
            solver.snapshot()
            solver.step(2)
            shown = re.findall(r"(\w+ [=:] [-+.e\d]+)", text.getvalue())
            results.append((numbers(solver), solver.test_scores, shown))
            passes = [
                kept for net in (solver.net, *solver.test_nets) for kept in net._runner._captured.values()
            ]
            captured = [kept.recorded for kept in passes]
            assert captured == ([] if compile == "off" else [True, True])
            update = solver._update._captured
            assert (update is not None and update.recorded) == (
                compile != "off" and not solver.rule.keep_diff
            )
    (plain, scores, told), (ours, own_scores, own_told) = results
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(own_scores, scores, rtol=1e-4, atol=1e-5)
    assert len(told) > 20
    assert own_told == told or pretended.real()


def test_an_update_that_cannot_be_recorded_runs_as_it_is(monkeypatch):
    results = []
    with pretended.cuda():
        for broken in (False, True):
            text = io.StringIO()
            solver = make(
                'type: "Adam" momentum: 0.9', "cuda", compile="capture", log=Log(text, progress=False)
            )
            solver.step(5)
            if broken:
                monkeypatch.setattr(UpdateRule, "_update", waiting(UpdateRule._update))
            solver.step(6)
            results.append(numbers(solver))
            assert (
                "the update cannot be recorded as a CUDA graph and runs as it is" in text.getvalue()
            ) == broken
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-6)


def waiting(update):
    def waits(self, group, rates, t):
        if isinstance(t, torch.Tensor):
            t.item()
        update(self, group, rates, t)

    return waits


@pytest.mark.parametrize(
    ("precision", "where", "major", "told"),
    [
        ("fp32", "cuda", 8, 1),
        ("tf32", "cuda", 8, 0),
        ("bf16", "cuda", 9, 0),
        ("fp32", "cuda", 7, 0),
        ("fp32", "cpu", 9, 0),
    ],
)
def test_a_faster_precision_is_named_once(precision, where, major, told, monkeypatch):
    text = io.StringIO()
    with pretended.cuda():
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (major, 0))
        param = parse(SOLVER % NET, SolverParameter, "solver.prototxt")
        Solver(param, device=where, execution=Execution(precision), log=Log(text, progress=False)).step(1)
        monkeypatch.undo()
    assert text.getvalue().count("--precision tf32 is faster on this GPU") == told
