"""--allow-python-layers: code that a net file names runs only if the user says so."""

import sys

import pytest

from caffe_compat.cli import main
from caffe_compat.layers import python

NET = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "p" type: "Python" bottom: "x" top: "y" python_param { module: "layer_of_a_stranger" layer: "Noted" } }
"""
MODULE = """
from caffe_compat.layers.python import PythonLayer
class Noted(PythonLayer):
    def setup(self, bottom, top): pass
    def reshape(self, bottom, top): top[0].reshape(1)
    def forward(self, bottom, top): pass
    def backward(self, top, propagate_down, bottom): pass
"""
SOLVER = 'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 1 snapshot_after_train: false solver_mode: CPU'


@pytest.fixture
def files(tmp_path, monkeypatch):
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    (tmp_path / "layer_of_a_stranger.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "layer_of_a_stranger", raising=False)
    monkeypatch.setattr(python, "allow_python_layers", True)  # what the commands set is undone after the test


@pytest.mark.parametrize(
    "command",
    [
        ["train", "--solver=solver.prototxt"],
        ["time", "--model=net.prototxt", "--iterations=1"],
        ["test", "--model=net.prototxt", "--iterations=1", "--weights=none.caffemodel"],
    ],
    ids=lambda command: command[0],
)
def test_code_of_a_net_file_runs_only_if_allowed(command, files, capsys):
    assert main(command) == 1
    error = capsys.readouterr().err
    assert (
        "net.prototxt:2: layer 'p' (Python): would run Noted of the Python module layer_of_a_stranger"
        in error
    )
    assert "--allow-python-layers" in error
    assert "layer_of_a_stranger" not in sys.modules
    main([*command, "--allow-python-layers"])
    assert "layer_of_a_stranger" in sys.modules
    assert "would run Noted" not in capsys.readouterr().err
