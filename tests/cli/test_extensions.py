"""--import and --ignore-unknown-fields: layers of the user's own, and fields that nobody knows."""

import shutil
import sys
from pathlib import Path

import pytest

from caffe_compat.cli import main

REFERENCE = Path(__file__).parents[1] / "reference" / "solvers"

MODULE = '''
"""A layer type with parameters of its own."""
from caffe_compat.layers.base import Layer, layer
from caffe_compat.proto import extend

AMPLIFY = extend("""
    message AmplifyParameter { optional float factor = 1 [default = 3]; repeated uint32 axis = 2; }
    extend LayerParameter { optional AmplifyParameter amplify_param = 1; }
""")["amplify_param"]


@layer("Amplify")
class Amplify(Layer):
    """top = factor * bottom"""

    num_bottom = num_top = 1

    def setup(self, bottom):
        self.factor = self.param.Extensions[AMPLIFY].factor

    def reshape(self, bottom):
        return [bottom]

    def forward(self, bottom):
        return self.factor * bottom
'''
NET = """
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 dim: 3 } data_filler { value: 5 } } }
layer { name: "a" type: "Amplify" bottom: "x" top: "a" amplify_param { factor: 0.5 axis: 1 axis: 2 } }
layer { name: "loss" type: "Reduction" bottom: "a" top: "loss" loss_weight: 1 }
"""
UNKNOWN = """
novel: 3
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 dim: 3 } data_filler { value: 5 } } }
layer { name: "r" type: "ReLU" bottom: "x" top: "r" pooling_param { ceil_mode: false } fury: { a: 1 } }
layer { name: "loss" type: "Reduction" bottom: "r" top: "loss" loss_weight: 1 }
"""
SOLVER = """net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 1 display: 1 snapshot_after_train: false
test_iter: 1 test_interval: 1
larc: true
novelty: 1
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "amplify_layer.py").write_text(MODULE)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "unknown.prototxt").write_text(UNKNOWN)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    return tmp_path


def test_a_layer_of_the_users_own(folder, capsys):
    time = ["time", "--model", "net.prototxt", "--iterations", "1"]
    assert main(time) == 1
    error = capsys.readouterr().err
    assert "net.prototxt:3:56: LayerParameter has no field 'amplify_param'" in error
    # One process imports a file once, under whatever name; so the refusals come before what works.
    assert main([*time, "--import", "amplify.py"]) == 2
    assert "--import amplify.py: there is no such file" in capsys.readouterr().err
    assert main([*time, "--import", "amplify_layers"]) == 2
    assert "--import amplify_layers: there is no such module" in capsys.readouterr().err
    for _ in range(2):  # the second command of a process finds the type registered
        assert main([*time, "--import", "./amplify_layer.py"]) == 0
        assert "Initial loss: 15" in capsys.readouterr().err  # the sum of 6 times 0.5 * 5


def test_messages_of_ones_own_are_written_and_copied(folder):
    from caffe_compat.proto import LayerParameter, extend, fork_fields
    from caffe_compat.proto.text import messages_equal, parse, to_text

    handle = extend(
        "message DampParameter { optional float by = 2; } extend LayerParameter { optional DampParameter damp_param = 7; }"
    )["damp_param"]
    layer = parse('name: "d" damp_param { by: 0.25 } relu_param { }', LayerParameter)
    assert layer.Extensions[handle].by == 0.25
    assert fork_fields(layer) == []
    assert to_text(layer) == 'name: "d"\nrelu_param {\n}\ndamp_param {\n  by: 0.25\n}\n'
    copy = LayerParameter()
    copy.ParseFromString(layer.SerializeToString())
    assert copy.Extensions[handle].by == 0.25
    assert messages_equal(copy, layer)
    copy.Extensions[handle].by = 0.5
    assert not messages_equal(copy, layer)


@pytest.mark.parametrize(
    "schema, message",
    [
        (
            "extend LayerParameter { optional float factor = 1; }",
            "LayerParameter.factor must be an optional message",
        ),
        (
            "extend LayerParameter { repeated FillerParameter f = 1; }",
            "LayerParameter.f must be an optional message",
        ),
        (
            "extend LayerParameter { optional FillerParameter relu_param = 1; }",
            "has a field 'relu_param' already",
        ),
        ("message FillerParameter { }", "give names and numbers that are not taken"),
        ("massage M { }", "expected a message, an enum.* found 'massage'"),
    ],
)
def test_bad_schemas(schema, message):
    from caffe_compat.proto import extend

    with pytest.raises(ValueError, match=message):
        extend(schema)


def test_a_module_that_fails_is_not_hidden(folder):
    (folder / "broken_layer.py").write_text("import a_module_that_is_nowhere\n")
    for name in ("broken_layer", "broken_layer.py"):
        with pytest.raises(ModuleNotFoundError, match="a_module_that_is_nowhere"):
            main(["time", "--model", "net.prototxt", "--import", name])
    assert str(folder) not in sys.path


def told(capsys):
    """The warnings that were printed, without time and place."""
    lines = capsys.readouterr().err.splitlines()
    return [line.partition("] ")[2] for line in lines if line.startswith("W")]


IGNORED = [
    "unknown.prototxt:2:1: NetParameter has no field 'novel'; ignored",
    "unknown.prototxt:4:88: LayerParameter has no field 'fury'; ignored",
    (
        "unknown.prototxt:4: layer 'r' (ReLU): pooling_param.ceil_mode: a fork of Caffe's, which this layer does not act "
        "on; ignored"
    ),
]


def test_unknown_fields_are_listed_once(folder, capsys):
    command = ["time", "--model", "unknown.prototxt", "--iterations", "1"]
    assert main(command) == 1
    error = capsys.readouterr().err
    assert "unknown.prototxt:2:1: NetParameter has no field 'novel'" in error
    assert "--ignore-unknown-fields goes on without it" in error
    assert main([*command, "--ignore-unknown-fields"]) == 0
    assert told(capsys) == IGNORED


@pytest.mark.parametrize("extra", [[], ["--set", "display=2"]], ids=["plain", "set"])
def test_unknown_fields_of_a_training_run(folder, capsys, extra, monkeypatch):
    from caffe_compat.solver import update_rules

    monkeypatch.setattr(update_rules, "FORK_FIELDS", ())  # so that larc is a field that nobody acts on
    shutil.copy("unknown.prototxt", "net.prototxt")
    command = ["train", "--solver", "solver.prototxt", *extra]
    assert main(command) == 1
    assert "solver.prototxt:4:1: SolverParameter has no field 'novelty'" in capsys.readouterr().err
    assert main([*command, "--ignore-unknown-fields"]) == 0
    assert sorted(told(capsys)) == sorted(
        [
            "solver.prototxt:4:1: SolverParameter has no field 'novelty'; ignored",
            "solver.prototxt: larc: a fork of Caffe's, which this solver does not act on; ignored",
            *(line.replace("unknown.prototxt", "net.prototxt") for line in IGNORED),
        ]
    )


def test_schedule_and_upgrade_ignore_them_too(folder, capsys):
    assert main(["schedule", "--solver", "solver.prototxt", "--ignore-unknown-fields"]) == 0
    assert "SolverParameter has no field 'novelty'; ignored" in capsys.readouterr().err
    for kind, name in (("solver", "solver.prototxt"), ("net", "unknown.prototxt")):
        assert main(["upgrade", kind, name, "new.prototxt"]) == 1
        assert main(["upgrade", kind, name, "new.prototxt", "--ignore-unknown-fields"]) == 0
        assert "has no field 'nov" in capsys.readouterr().err
        assert "nov" not in Path("new.prototxt").read_text()
