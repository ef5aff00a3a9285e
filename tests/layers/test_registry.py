"""Where layer classes come from: Caffe's own at once, those of forks when a file names one."""

import subprocess
import sys
from pathlib import Path

import pytest

from caffe_compat.errors import LayerError
from caffe_compat.forks.video.pooling_3d import PoolingOverAxes
from caffe_compat.layers.base import FORMS, TYPES, Layer, form, layer
from caffe_compat.layers.pooling import Pooling
from caffe_compat.layers.registry import class_for, create_layer, find, registry
from caffe_compat.proto import TEST, LayerParameter
from caffe_compat.proto.text import parse

ROOT = Path(__file__).parents[2]


def param(text: str) -> LayerParameter:
    return parse(f"name: 'x' {text}", LayerParameter)


def forks_after(program: str) -> list[str]:
    """The fork modules that a new process has loaded when the program is done."""
    last = "import sys; print([name for name in sys.modules if name.startswith('caffe_compat.forks')])"
    run = subprocess.run(
        [sys.executable, "-c", f"{program}\n{last}"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    names: list[str] = eval(run.stdout.splitlines()[-1])
    return names


@pytest.mark.parametrize(
    "program",
    [
        "from caffe_compat.cli import main; main(['lint', 'prototxt/resnet20.prototxt'])",
        "from caffe_compat.cli import main; main(['show', 'prototxt/lenet.prototxt'])",
        """
text = '''layer { name: "d" type: "Input" top: "d" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 5 } } }
layer { name: "c" type: "Convolution" bottom: "d" top: "c" convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: "p" type: "Pooling" bottom: "c" top: "p" pooling_param { kernel_size: 2 ceil_mode: false } }'''
from caffe_compat.proto.text import parse
from caffe_compat.proto import NetParameter
from caffe_compat.net import Net
Net(parse(text, NetParameter)).forward()
""",
    ],
    ids=["lint", "show", "net"],
)
def test_files_of_caffes_own_types_load_no_fork(program):
    assert forks_after(program) == []


def test_a_forks_type_is_found():
    found = forks_after("from caffe_compat.layers.registry import find; assert find('Permute') is not None")
    assert "caffe_compat.forks.ssd.permute" in found


def test_unknown_types_name_the_nearest():
    assert find("Poling") is None
    with pytest.raises(
        LayerError, match=r"layer 'x' \(Poling\): unknown layer type 'Poling'; did you mean 'Pooling'"
    ):
        create_layer(param("type: 'Poling'"), TEST)


def test_a_form_of_a_type_is_taken_where_its_fields_are_set():
    plain, by_axis = "pooling_param { kernel_size: 2 }", "pooling_param { kernel_size: 2 kernel_size: 3 }"
    assert class_for(param(f"type: 'Pooling' {plain}")) is Pooling
    assert class_for(param(f"type: 'Pooling' {by_axis}")) is PoolingOverAxes
    assert class_for(param(f"type: 'Poling' {plain}")) is None


def test_a_users_form_of_a_type():
    @form("ReLU", lambda param: param.relu_param.negative_slope < 0)
    class Falling(Layer):
        pass

    try:
        assert class_for(param("type: 'ReLU' relu_param { negative_slope: -1 }")) is Falling
        assert class_for(param("type: 'ReLU'")) is registry()["ReLU"]
    finally:
        FORMS["ReLU"].pop()


def test_a_name_taken_twice_is_an_error():
    with pytest.raises(ValueError, match=r"'ReLU' is registered by both caffe_compat.layers.relu and tests"):
        layer("ReLU")(type("Mine", (Layer,), {"__module__": "tests"}))


def test_a_users_layer_of_a_forks_name_is_an_error_when_it_is_asked_for():
    program = """
from caffe_compat.layers.base import Layer, layer
from caffe_compat.layers.registry import find
layer("Permute")(type("Mine", (Layer,), {"__module__": "mine"}))
try:
    find("Permute")
except ValueError as error:
    assert "'Permute' is registered by both mine and caffe_compat.forks.ssd.permute" in str(error)
else:
    raise SystemExit("no error")
"""
    assert forks_after(program)
    assert TYPES["Permute"].__module__ == "caffe_compat.forks.ssd.permute"
