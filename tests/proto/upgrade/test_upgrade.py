"""Old nets and solvers made new: Caffe's own results, the order, and what is logged."""

import pytest

from caffe_compat.log.write import NULL, Log
from caffe_compat.proto import NetParameter, SolverParameter
from caffe_compat.proto.text import parse, parse_file, to_text
from caffe_compat.proto.upgrade import NET_UPGRADES, upgrade_net, upgrade_solver
from tests.proto.upgrade.nets import upgraded


@pytest.mark.parametrize("name", ["v0", "v1", "inputs", "solver_adam", "solver_nesterov"])
def test_as_caffes_upgrade_tools(reference, name):
    solver = name.startswith("solver")
    message = parse_file(
        reference / f"upgrade/{name}.in.prototxt", SolverParameter if solver else NetParameter
    )
    assert (upgrade_solver if solver else upgrade_net)(message, name, NULL)
    assert to_text(message) == (reference / f"upgrade/{name}.out.prototxt").read_text()


def test_order_names_and_log(capsys):
    net = parse(
        "input: 'i' input_dim: [2, 3, 4, 5] layers { layer { type: 'data' } top: 'x' }",
        NetParameter,
    )
    assert upgrade_net(net, "old.prototxt", Log(progress=False)) == ["V0", "V1", "input"]
    lines = [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()]
    assert [line for line in lines if line.startswith("Attempting")] == [
        "Attempting to upgrade input file specified using deprecated V0LayerParameter: old.prototxt",
        "Attempting to upgrade input file specified using deprecated V1LayerParameter: old.prototxt",
        "Attempting to upgrade input file specified using deprecated input fields: old.prototxt",
    ]
    assert [layer.type for layer in net.layer] == ["Input", "Data"]
    assert [upgrade.name for upgrade in NET_UPGRADES] == ["V0", "data", "V1", "input", "batch_norm"]


def test_each_upgrade_can_be_left_out():
    net = upgraded(
        "input: 'i' layer { type: 'BatchNorm' param { } param { } param { } }", skip=["batch_norm"]
    )
    assert not net.input and not net.layer[0].param[0].HasField("lr_mult")
