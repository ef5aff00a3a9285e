"""Prototxt written, against Caffe's own logs."""

import re

import pytest

from caffe_compat.proto import LayerParameter, NetParameter, SolverParameter
from caffe_compat.proto.text import parse, to_text


def test_writes_what_caffes_log_echoes(reference):
    echoed = 0
    for log in sorted(reference.glob("solvers/cli/*.log")):
        for kind, text in re.findall(
            r"Initializing (solver|net) from parameters: \n((?:(?![IWEF]\d{4}).*\n)+)", log.read_text()
        ):
            cls = SolverParameter if kind == "solver" else NetParameter
            assert to_text(parse(text, cls)) == text, log
            echoed += 1
    assert echoed == 7  # train and resume: a solver and two nets each; test: a net


def test_max_lr_follows_weights():
    solver = SolverParameter(max_lr=3, weights=["w"], type="Adam")
    assert to_text(solver) == 'type: "Adam"\nweights: "w"\nmax_lr: 3\n'


@pytest.mark.parametrize(
    "value, text",
    [
        (0.1, "0.1"),
        (1e-05, "1e-05"),
        (0.0001, "0.0001"),
        (1 / 255, "0.00392156886"),  # 6 digits are not enough, so 9
        (123456.0, "123456"),
        (1234567.0, "1234567"),
        (16777216.0, "16777216"),
        (1e10, "1e+10"),
        (0.5, "0.5"),
        (-0.0, "-0"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (float("nan"), "nan"),
        (3.4028234663852886e38, "3.40282347e+38"),
    ],
)
def test_floats_print_as_in_cpp(value, text):
    assert to_text(SolverParameter(base_lr=value)) == f"base_lr: {text}\n"


def test_strings_print_as_in_cpp():
    net = NetParameter(name="a\"b'c\\d\n\t\r\x01\x7f\u00e9")
    assert to_text(net) == r'name: "a\"b\'c\\d\n\t\r\001\177\303\251"' + "\n"


def test_doubles_and_unset_messages_print():
    layer = LayerParameter(blobs=[{"double_data": [0.1, 1 / 3]}])
    layer.relu_param.SetInParent()
    expected = "blobs {\n  double_data: 0.1\n  double_data: 0.33333333333333331\n}\nrelu_param {\n}\n"
    assert to_text(layer) == expected
