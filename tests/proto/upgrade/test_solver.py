"""Solvers made new, with the nets inside them."""

import pytest

from caffe_compat.errors import ParseError
from caffe_compat.log.write import NULL, Log
from caffe_compat.proto import SolverParameter
from caffe_compat.proto.text import messages_equal, parse
from caffe_compat.proto.upgrade import upgrade_solver


@pytest.mark.parametrize(
    "old, new",
    [("SGD", "SGD"), ("NESTEROV", "Nesterov"), ("ADAGRAD", "AdaGrad"), ("RMSPROP", "RMSProp"), ("ADADELTA", "AdaDelta"),
     ("ADAM", "Adam")],
)  # fmt: skip
def test_solver_types(old, new):
    solver = parse(f"net: 'n' solver_type: {old}", SolverParameter)
    assert upgrade_solver(solver, "s.prototxt", NULL) == ["solver_type"]
    assert messages_equal(solver, SolverParameter(net="n", type=new))
    assert upgrade_solver(solver, "s.prototxt", NULL) == []


def test_solver_with_both_types():
    with pytest.raises(
        ParseError, match=r"s.prototxt: solver_type \(the old field\) and type \(the new one\) are both given"
    ):
        upgrade_solver(SolverParameter(solver_type=1, type="Adam"), "s.prototxt")


def test_nets_inside_a_solver(capsys):
    old = "input: 'i' input_dim: [2, 3, 4, 5] layers { name: 'r' type: RELU bottom: 'i' top: 'i' }"
    new = """layer { name: 'input' type: 'Input' top: 'i' input_param { shape { dim: [2, 3, 4, 5] } } }
        layer { name: 'r' type: 'ReLU' bottom: 'i' top: 'i' }"""
    solver = parse(
        f"train_net_param {{ {old} }}\ntest_net_param {{ {old} }} test_net_param {{ {new} }}",
        SolverParameter,
        "s",
    )
    assert upgrade_solver(solver, "s", Log(progress=False)) == ["V1", "input", "V1", "input"]
    assert messages_equal(
        solver,
        parse(
            f"train_net_param {{ {new} }} test_net_param {{ {new} }} test_net_param {{ {new} }}",
            SolverParameter,
        ),
    )
    assert "deprecated V1LayerParameter: s:2" in capsys.readouterr().err
    with pytest.raises(ParseError, match="s:1: the net has 1 'layer' and 1 'layers' fields"):
        upgrade_solver(parse("net_param { layer { } layers { } }", SolverParameter, "s"), "s")
