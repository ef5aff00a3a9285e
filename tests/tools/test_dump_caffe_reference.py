"""The dump tool: runs where only an old Python and an old pycaffe are, and writes what it says."""

import ast
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

import caffe_compat.pycaffe
from caffe_compat.parity.bundle import open_bundle
from caffe_compat.parity.nets import validate_net
from caffe_compat.parity.steps import validate_solver
from caffe_compat.pycaffe import net as pycaffe_net
from caffe_compat.pycaffe import solvers as pycaffe_solvers
from tests.parity.harness import ROOT, SMALL, SOLVER, dump_net, dump_solver, load_tool

TOOL = ROOT / "tools" / "dump_caffe_reference.py"


def test_it_needs_only_what_every_pycaffe_has():
    tree = ast.parse(TOOL.read_text())
    names = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    roots = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)
    assert roots == {"numpy", "caffe", "google"}


def test_its_syntax_is_python_2s():
    """No syntax that Python 2.7 lacks; read by a Python 2, too, where there is one."""
    new = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Nonlocal, ast.YieldFrom, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(TOOL.read_text())):
        assert not isinstance(node, new), f"line {node.lineno}"
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            assert not (arguments.kwonlyargs or arguments.posonlyargs or node.returns), f"line {node.lineno}"
            assert not any(a.annotation for a in arguments.args), f"line {node.lineno}"
        if isinstance(node, ast.Raise):
            assert node.cause is None, f"line {node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super":
            assert node.args, f"line {node.lineno}"
    assert TOOL.read_bytes().isascii()
    if python := shutil.which("python2.7"):
        check = [python, "-c", "import ast, sys; ast.parse(open(sys.argv[1]).read())", str(TOOL)]
        run = subprocess.run(check, capture_output=True, check=False)
        assert run.returncode == 0 or b"not found" in run.stderr + run.stdout, run.stderr


@pytest.fixture
def arrays(tmp_path):
    with np.load(dump_net(tmp_path) / "bundle.npz") as file:
        return {key: file[key] for key in file.files}


def test_every_version_of_an_in_place_blob_is_there(arrays):
    assert {"top.conv.0", "top.bn.0", "top.scale.0", "blob.conv", "blob.loss"} <= set(arrays)
    assert not any("split" in key for key in arrays if key.startswith("blob."))
    assert not np.array_equal(arrays["top.conv.0"], arrays["blob.conv"])
    assert {"bottomdiff.relu.0", "diff.conv", "diff.norm_norm_0_split_0", "diff.norm"} <= set(arrays)
    assert {"paramgrad.conv.0", "paramgrad.flat.1", "after.bn.2"} <= set(arrays)
    assert "after.conv.0" not in arrays


def test_inputs_are_noise_and_class_numbers(arrays):
    assert set(np.unique(arrays["blob.label"])) <= set(range(7))
    assert abs(arrays["blob.data"].std() - 1) < 0.1


def test_what_was_run_is_noted_down(arrays):
    meta = json.loads(str(arrays["meta"]))
    assert (meta["kind"], meta["phase"], meta["backward"], meta["device"]) == ("net", "TRAIN", True, "cpu")
    assert ["norm", "LRN"] in meta["layers"]


def test_given_inputs_and_forced_gradients(tmp_path):
    deploy = """layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "sig" type: "Sigmoid" bottom: "x" top: "y" }"""
    np.savez(tmp_path / "inputs.npz", x=np.full((4, 3), 0.5, np.float32))
    folder = dump_net(tmp_path, deploy, "--inputs", str(tmp_path / "inputs.npz"), "--force-backward")
    bundle = open_bundle(folder)
    assert bundle.arrays["blob.x"].shape == (4, 3)
    assert {"topdiff.y", "diff.x"} <= set(bundle.arrays)
    report = validate_net(bundle)
    assert report.verdict == "agrees"
    assert [row.what for row in report.rows] == ["value", "gradient"]


def test_a_net_without_a_loss_has_no_gradients(tmp_path):
    deploy = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'
    bundle = open_bundle(dump_net(tmp_path, deploy + 'layer { name: "t" type: "TanH" bottom: "x" top: "y" }'))
    assert set(bundle.arrays) == {"blob.x", "blob.y", "meta"}
    assert validate_net(bundle).verdict == "agrees"


def test_a_solvers_bundle_needs_nothing_outside(tmp_path):
    folder = dump_solver(tmp_path)
    assert sorted(file.name for file in folder.iterdir()) == [
        "bundle.npz", "caffe.log", "net.prototxt", "solver.prototxt", "weights.caffemodel",
    ]  # fmt: skip
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    (tmp_path / "given.prototxt").unlink()
    assert validate_solver(open_bundle(moved)).verdict == "agrees"


def test_an_old_pycaffe(tmp_path, monkeypatch):
    """Without top_names, hooks, callbacks, `lr` and get_solver: the saved net and the blobs say most of it."""
    for cls, name in [
        (pycaffe_net.Net, "top_names"),
        (pycaffe_net.Net, "after_forward"),
        (pycaffe_solvers.Solver, "add_callback"),
        (pycaffe_solvers.Solver, "lr"),
    ]:
        monkeypatch.delattr(cls, name)
    monkeypatch.delattr(caffe_compat.pycaffe, "get_solver")
    bundle = open_bundle(dump_solver(tmp_path))
    assert not bundle.names("grad_of")
    assert "lr" not in bundle.arrays
    assert bundle.names("in") == ["data", "label"]
    report = validate_solver(bundle)
    assert (report.verdict, report.guilty) == ("agrees", [])
    (tmp_path / "net").mkdir()
    assert validate_net(open_bundle(dump_net(tmp_path / "net"))).verdict == "agrees"


def test_rates_come_from_the_log_where_pycaffe_has_none(tmp_path):
    (tmp_path / "caffe.log").write_text(
        "I1122 sgd_solver.cpp:133] Iteration 0, lr = 0.05\nI1122 sgd_solver.cpp:133] Iteration 1, lr = 5e-03, m = 1\n"
    )
    assert load_tool().read_rates(str(tmp_path / "caffe.log")) == [0.05, 0.005]


def test_marks_of_sequences_begin_with_0_and_nothing_is_remembered(tmp_path):
    net = """
    layer { name: "in" type: "Input" top: "x" top: "cont"
      input_param { shape { dim: 9 dim: 4 dim: 3 } shape { dim: 9 dim: 4 } } }
    layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "lstm"
      recurrent_param { num_output: 5 weight_filler { type: "gaussian" std: 0.5 } } }
    """
    bundle = open_bundle(dump_net(tmp_path, net))
    marks = bundle.arrays["blob.cont"]
    assert not marks[0].any()
    assert set(marks[1:].ravel().tolist()) == {0.0, 1.0}
    assert validate_net(bundle).verdict == "agrees"


def test_no_way_back_through_layers_that_have_none(tmp_path):
    net = """
    layer { name: "in" type: "Input" top: "x" top: "label" input_param { shape { dim: 5 dim: 3 } shape { dim: 5 } } }
    layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 4 } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
    layer { name: "acc" type: "Accuracy" bottom: "ip" bottom: "label" top: "acc" }
    """
    folder = dump_net(tmp_path, net, "--phase", "TEST", "--force-backward")
    diffs = set(open_bundle(folder).names("diff"))
    assert "ip_ip_0_split_0" in diffs
    assert "ip_ip_0_split_1" not in diffs
    assert validate_net(open_bundle(folder)).verdict == "agrees"


def test_a_solver_of_another_caffe_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(SystemExit, match=r"solver.prototxt: this Caffe cannot read it: .*no_such_field"):
        dump_solver(tmp_path, SMALL, SOLVER + "no_such_field: 3\n")
