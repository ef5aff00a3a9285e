"""A row as messages: data, batch, scale, other settings."""

import numpy as np
import pytest

from caffe_compat.errors import CaffeError, DataError, ParseError, UsageError
from caffe_compat.experiments import prepare as module
from caffe_compat.experiments.catalogue import ROWS
from caffe_compat.experiments.prepare import (
    Changes,
    batch_size,
    change,
    prepare,
    require_data,
    same_settings,
    scale,
)
from caffe_compat.proto import TEST, NetParameter, SolverParameter, text
from caffe_compat.solver.schedule import Schedule

FULL = Changes()


def made(id, changes=FULL, seed=3, data="data"):
    return prepare(ROWS[id], changes, seed, data)


def layers(net, kind):
    return [layer for layer in net.layer if layer.type == kind]


def test_data_and_outputs_of_a_row(tmp_path):
    _, net = made("tab1-30k-pc", data=str(tmp_path))
    folder = tmp_path / "cifar10_30000"
    assert [layer.data_param.source for layer in layers(net, "Data")] == [
        str(folder / "cifar10_train_lmdb"), str(folder / "cifar10_test_lmdb"),
    ]  # fmt: skip
    assert {layer.transform_param.mean_file for layer in layers(net, "Data")} == {
        str(folder / "mean.binaryproto")
    }
    assert layers(net, "InnerProduct")[0].inner_product_param.num_output == 10
    _, net = made("fig7a")
    assert layers(net, "Data")[0].data_param.source.endswith("data/cifar100/cifar100_train_lmdb")
    assert layers(net, "InnerProduct")[0].inner_product_param.num_output == 100
    _, net = made("lenet-clr")
    assert [layer.data_param.batch_size for layer in layers(net, "Data")] == [64, 100]
    assert layers(net, "Data")[1].data_param.source.endswith("data/mnist/mnist_test_lmdb")


def test_batch_fraction_and_seed_of_a_row():
    solver, net = made("fig9a-192")
    assert {layer.data_param.batch_size for layer in layers(net, "Data")} == {192}
    assert [list(layer.dummy_data_param.shape[0].dim) for layer in layers(net, "DummyData")] == [
        [192, 16, 16, 16], [192, 32, 8, 8],
    ]  # fmt: skip
    assert solver.random_seed == 3
    _, net = made("tab1-steps-4k")
    fractions = {layer.batch_norm_param.moving_average_fraction for layer in layers(net, "BatchNorm")}
    assert fractions == {float(np.float32(0.85))}


def test_changes_that_are_set():
    settings = {"batch_size": "7", "dropout": "0.3", "max_lr": "2", "test_iter": "5", "type": "Nesterov"}
    solver, net = made("fig9b", Changes(set=settings))
    assert {layer.data_param.batch_size for layer in layers(net, "Data")} == {7}
    assert {layer.dropout_param.dropout_ratio for layer in layers(net, "Dropout")} == {float(np.float32(0.3))}
    assert (solver.max_lr, list(solver.test_iter), solver.type) == (2, [5], "Nesterov")
    solver, _ = made("fig1a-pc", Changes(set={"stepvalue": "10,20,30"}))
    assert list(solver.stepvalue) == [10, 20, 30]


def test_another_batch_tests_as_many_records():
    solver, net = made("cpu20-clr", Changes(set={"batch_size": "40"}))
    assert [layer.data_param.batch_size for layer in layers(net, "Data")] == [40, 40]
    assert list(solver.test_iter) == [-(-made("cpu20-clr")[0].test_iter[0] * 125 // 40)]
    solver, _ = made("cpu20-clr", Changes(set={"test_iter": "3", "batch_size": "40"}))
    assert list(solver.test_iter) == [3]


def test_a_batch_of_any_data_layer():
    net = text.parse(
        """
        layer { type: "HDF5Data" hdf5_data_param { batch_size: 6 } include { phase: TRAIN } }
        layer { type: "ImageData" image_data_param { batch_size: 10 } include { phase: TEST } }
        layer { type: "DummyData" dummy_data_param { shape { dim: 6 dim: 10 } } }""",
        NetParameter,
    )
    solver = text.parse("test_iter: 3 test_iter: 7", SolverParameter)
    change(solver, net, Changes(set={"batch_size": "4"}), 1)
    assert [batch_size(net), batch_size(net, TEST)] == [4, 4]
    assert list(net.layer[2].dummy_data_param.shape[0].dim) == [4, 10]
    assert list(solver.test_iter) == [8, 18]


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        (
            "weigth_decay",
            "1",
            UsageError,
            r"'weigth_decay' is neither a field .*; did you mean 'weight_decay'",
        ),
        ("net_param", "x", UsageError, "'net_param' is neither a field of the solver"),
        ("net", "x", UsageError, "'net' is each run's own; --out chooses the folder and --seeds the seeds"),
        ("random_seed", "7", UsageError, "'random_seed' is each run's own"),
        ("max_lr", "fast", ParseError, "max_lr=fast:1"),
        ("batch_size", "0", UsageError, "batch_size=0: batch_size wants a whole number above 0"),
        ("batch_size", "1.5", UsageError, "batch_size=1.5: batch_size wants a whole number above 0"),
        ("dropout", "-1", UsageError, "dropout=-1: dropout wants a number from 0 on"),
        ("dropout", "0.5", UsageError, "dropout=0.5: the net 'ResNet-56' has no Dropout layer to set it in"),
    ],
)
def test_changes_that_do_not_fit(name, value, error, message):
    with pytest.raises(error, match=message):
        made("fig1a-clr", Changes(set={name: value}))


def test_a_scaled_run_keeps_its_shape():
    solver, _ = made("fig1a-pc", Changes(scale=0.05))
    assert (solver.max_iter, list(solver.stepvalue)) == (4000, [2500, 3500])
    assert (solver.test_interval, list(solver.test_iter), solver.display, solver.snapshot) == (
        200,
        [80],
        40,
        400,
    )
    solver, _ = made("onecycle-56", Changes(scale=0.1))
    assert (solver.max_iter, solver.stepsize, list(solver.cyclical_momentum)[1]) == (1000, 450, 450)
    solver, _ = made("tab1-steps-6k", Changes(scale=0.0333))
    assert solver.max_iter == 200  # a multiple of 20, so that the last test is at the end
    assert solver.stepsize == 100 and solver.max_iter % solver.test_interval == 0


@pytest.mark.parametrize(
    "schedule",
    [
        'lr_policy: "exp" gamma: 0.995',
        'lr_policy: "inv" gamma: 0.01 power: 0.75',
        'lr_policy: "sigmoid" gamma: 0.02 stepsize: 500',
        'lr_policy: "exp_range" gamma: 0.999 max_lr: 2 stepsize: 100 start_lr_policy: 200',
        'lr_policy: "multifixed" stagelr: 0.1 stagelr: 0.4 stageiter: 300 stageiter: 1000',
        'lr_policy: "step" gamma: 0.5 stepsize: 300 warmup_iter: 100 warmup_start_lr: 0.01',
        'lr_policy: "fixed" rampup_interval: 500 rampup_lr: 0.01',
    ],
)
def test_any_schedule_keeps_its_shape(schedule):
    def rates(factor):
        solver = text.parse(f"base_lr: 0.3 max_iter: 1000 {schedule}", SolverParameter)
        scale(solver, factor)
        return Schedule(solver).table(solver.max_iter).lr

    np.testing.assert_allclose(rates(0.2), rates(1)[::5], rtol=1e-4)


@pytest.mark.parametrize(
    ("wanted", "length", "interval"),
    [(30, 30, 2), (250, 250, 25), (1000, 1000, 50), (101, 100, 5), (23, 20, 1)],
)
def test_a_scaled_run_is_as_long_as_its_tests_allow(wanted, length, interval):
    solver = text.parse('lr_policy: "fixed" max_iter: 5000 test_interval: 100', SolverParameter)
    scale(solver, wanted / 5000)
    assert (solver.max_iter, solver.test_interval) == (length, interval)


def test_a_run_of_a_few_iterations_tests_at_both_ends():
    solver, _ = made("fig1a-pc", Changes(scale=0.0001))
    assert (solver.max_iter, list(solver.stepvalue), solver.test_interval, solver.display) == (
        8,
        [5, 7],
        8,
        1,
    )
    assert solver.snapshot == 8
    solver, _ = made("tab1-steps-2k", Changes(scale=0.0001))
    assert (solver.max_iter, solver.stepsize) == (2, 1)


def test_test_iter_is_one_pass_of_a_scaled_run():
    solver, _ = made("fig11b", Changes(scale=0.01))
    assert list(solver.test_iter) == [118]  # 10,000 records by 85
    assert list(made("fig11b")[0].test_iter) == [200]


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf")])
def test_a_scale_that_is_none(factor):
    with pytest.raises(UsageError, match=f"--scale {factor:g} must be a number above 0"):
        scale(SolverParameter(max_iter=10), factor)


def test_labels():
    assert FULL.label(8) == "full"
    assert Changes(replicas=8).label(8) == "full"
    changes = Changes(0.05, 1, {"test_iter": "80", "batch_size": "25"})
    assert changes.label(8) == "x0.05-r1-batch_size=25-test_iter=80"
    assert Changes(set={"type": "a/b"}).label(1) == "type=a_b"


def test_missing_data_names_the_command(tmp_path):
    row = ROWS["tab1-20k-clr"]
    _, net = made(row.id, data=str(tmp_path))
    command = f"caffe-compat data cifar10 --subset 20000 {tmp_path}/cifar10_20000"
    with pytest.raises(
        DataError, match=rf"tab1-20k-clr needs .*cifar10_train_lmdb, which is not there.*{command}"
    ):
        require_data(row, net, str(tmp_path))
    for name in ("cifar10_train_lmdb", "cifar10_test_lmdb"):
        (tmp_path / "cifar10_20000" / name).mkdir(parents=True)
    with pytest.raises(DataError, match=r"mean\.binaryproto, which is not there"):
        require_data(row, net, str(tmp_path))
    (tmp_path / "cifar10_20000" / "mean.binaryproto").touch()
    require_data(row, net, str(tmp_path))


def test_nets_that_are_not_here(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "__file__", str(tmp_path / "a" / "b" / "c.py"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CaffeError, match=r"prototxt/resnet56.prototxt is not here: .* of the source tree"):
        module.net_file("resnet56")
    (tmp_path / "prototxt").mkdir()
    (tmp_path / "prototxt" / "resnet56.prototxt").touch()
    assert module.net_file("resnet56").endswith("resnet56.prototxt")


def test_same_settings():
    one, other = made("fig1a-clr", data="here", seed=1), made("fig1a-clr", data="there", seed=2)
    other[0].snapshot_prefix = "elsewhere"
    assert same_settings(one, other) == ""
    other[0].max_lr = 2
    assert same_settings(one, other) == "'max_lr: 3' and 'max_lr: 2'"
    other = made("fig1a-clr", Changes(set={"batch_size": "50", "test_iter": "200"}))
    assert same_settings(one, other) == "'batch_size: 125' and 'batch_size: 50'"
    one, other = made("fig1a-pc"), made("fig1a-pc", Changes(set={"clip_gradients": "5"}))
    assert same_settings(one, other) == "'clip_gradients: 5' and nothing"


def test_a_net_without_data_layers_takes_no_batch():
    net = text.parse('name: "n" layer { name: "a" type: "Input" }', NetParameter)
    assert module.batch_size(net) == 1
    with pytest.raises(UsageError, match="the net 'n' has no data layer"):
        module.set_net(net, "batch_size", "3")
