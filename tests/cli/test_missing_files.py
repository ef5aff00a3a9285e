"""Files that are not there: who asked for them, and from where they are looked for."""

from pathlib import Path

import pytest

from caffe_compat.cli import main

SOLVER = """base_lr: 0.1 lr_policy: "fixed" max_iter: 2
net: "{net}"
{more}"""
NET = """layer {{ name: "d" type: "{type}" top: "x" top: "l" {param} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "x" bottom: "l" top: "loss" }}"""


def write(folder, net, more=""):
    Path(folder, "solver.prototxt").write_text(SOLVER.format(net=net, more=more))


@pytest.mark.parametrize("command", [["train", "--solver"], ["show"], ["lint"]])
def test_a_net_that_a_solver_names(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "gone.prototxt", "warm_up_iters: 3" if command == ["lint"] else "")
    assert main([*command, "solver.prototxt"]) == 1
    told = "".join(capsys.readouterr())
    where = f"it is looked for from '{tmp_path}' on, and --root DIR starts elsewhere; check the path"
    assert (
        "solver.prototxt:2: " in told and f"net 'gone.prototxt' cannot be read: no such file; {where}" in told
    )
    assert ("warm_up_iters: a fork of Caffe's" in told) == (
        command == ["lint"]
    )  # fields are told all the same


@pytest.mark.parametrize(
    ("type", "param"),
    [
        ("Data", 'data_param { source: "gone" batch_size: 2 backend: LMDB }'),
        ("ImageData", 'image_data_param { source: "gone" batch_size: 2 }'),
        ("HDF5Data", 'hdf5_data_param { source: "gone" batch_size: 2 }'),
        ("WindowData", 'window_data_param { source: "gone" batch_size: 2 } transform_param { crop_size: 3 }'),
    ],
)
def test_data_is_missed_before_a_place_for_snapshots(type, param, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(NET.format(type=type, param=param))
    write(tmp_path, "net.prototxt", 'snapshot: 1 snapshot_prefix: "nowhere/x"')
    assert main(["train", "--solver", "solver.prototxt"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"net.prototxt:1: layer 'd' ({type}): the " in last and "'gone'" in last
    assert f"it is looked for from '{tmp_path}' on, and --root DIR starts elsewhere" in last


def test_weights_that_a_solver_names(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shapes = "dummy_data_param { shape { dim: 2 dim: 3 } shape { dim: 2 } }"
    (tmp_path / "net.prototxt").write_text(NET.format(type="DummyData", param=shapes))
    write(tmp_path, "net.prototxt", 'weights: "gone.caffemodel"')
    assert main(["train", "--solver", "solver.prototxt"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert (
        f"solver.prototxt: weights 'gone.caffemodel': no such file; it is looked for from '{tmp_path}'"
        in last
    )
