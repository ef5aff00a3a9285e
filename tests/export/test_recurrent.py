"""Recurrent layers whose cont is known become ONNX's operators, and others a Scan; both give the net's numbers."""

import numpy as np
import pytest
import torch

from caffe_compat.cli import main
from caffe_compat.errors import NetError
from caffe_compat.export.onnx import export_onnx
from caffe_compat.net import weights
from tests.export.nets import data, layer, load, make_net, operators, run

SIZE = "recurrent_param { num_output: 5 }"
EXPOSED = "recurrent_param { num_output: 5 expose_hidden: true }"


def fill(name, rows, value, streams=2):
    shape = f"shape {{ dim: {rows} dim: {streams} }}"
    filler = f'data_filler {{ type: "constant" value: {value} }}'
    return f'layer {{ name: "{name}" type: "DummyData" top: "{name}" dummy_data_param {{ {shape} {filler} }} }}\n'


ROWS = (
    fill("first", 1, 0)
    + fill("rest", 3, 1)
    + layer("Concat", "first rest", "cont", "concat_param { axis: 0 }")
)
LEARNED = layer("Parameter", "", "cont", "parameter_param { shape { dim: 4 dim: 2 } }")
MADE = layer(
    "ContinuationIndicator", "", "cont", "continuation_indicator_param { time_step: 4 batch_size: 2 }"
)
COMPUTED = (
    fill("first", 1, 1)
    + fill("rest", 3, 0)
    + layer("Concat", "first rest", "not", "concat_param { axis: 0 }")
    + layer("Power", "not", "cont", "power_param { scale: -1 shift: 1 }")
)


def export(text, path, cont=None, **options):
    net = make_net(data(4, 2, 3) + text)
    if cont is not None:
        net.layer("cont").blobs[0].data.copy_(torch.tensor(cont))
    report = export_onnx(net, path, **options)
    assert all(comparison.relative < 1e-5 for comparison in report.comparisons) and report.comparisons
    return report, operators(load(path))


@pytest.mark.parametrize("type", ["LSTM", "RNN"])
@pytest.mark.parametrize(
    "cont", [ROWS, COMPUTED, MADE, LEARNED], ids=["filled", "computed", "made", "learned"]
)
def test_a_known_cont_makes_it_one_operator(cont, type, tmp_path):
    rows = [[0.0] * 2] + [[1.0] * 2] * 3 if cont is LEARNED else None
    report, nodes = export(cont + layer(type, "data cont", "y", SIZE), tmp_path / "net.onnx", rows)
    assert nodes[0] == type and not {"Scan", "Expand", "Concat", "Power"} & set(nodes)
    assert list(report.inputs) == ["data"]
    assert report.outputs == {"y": (4, "N" if cont in (ROWS, COMPUTED) else 2, 5)}


@pytest.mark.parametrize("rows", [[0, 1, 0, 1], [0.5, 1, 1, 0.5]])
def test_a_sequence_that_begins_in_the_middle_stays_a_loop(rows, tmp_path):
    cont = [[float(row)] * 2 for row in rows]
    _, nodes = export(LEARNED + layer("LSTM", "data cont", "y", SIZE), tmp_path / "net.onnx", cont)
    assert "Scan" in nodes and "LSTM" not in nodes
    cont = [[0.0, 1.0], *[[1.0] * 2] * 3]  # what the streams do not share
    _, nodes = export(LEARNED + layer("LSTM", "data cont", "y", SIZE), tmp_path / "net.onnx", cont)
    assert "Scan" in nodes


@pytest.mark.parametrize("type, states", [("LSTM", ["h", "c"]), ("RNN", ["h"])])
@pytest.mark.parametrize("first", [0.0, 1.0, 0.5])
def test_static_inputs_and_exposed_states(first, type, states, tmp_path):
    text = LEARNED + data(2, 7, name="still") + "".join(data(1, 2, 5, name=name) for name in states)
    tops = "".join(f' top: "{name}_last"' for name in states)
    recurrent = layer(type, " ".join(["data cont still", *states]), "y", EXPOSED)
    text += recurrent.replace('top: "y"', f'top: "y" {tops}')
    rows = [[first] * 2] + [[1.0] * 2] * 3
    outputs = ["y", *(f"{name}_last" for name in states)]
    report, nodes = export(text, tmp_path / "net.onnx", rows, outputs=outputs)
    assert type in nodes and "Scan" not in nodes
    assert set(report.inputs) == {"data", "still", *(states if first else [])}


def test_an_input_can_be_said_to_be_constant(tmp_path):
    text = data(4, 2, name="cont") + layer("LSTM", "data cont", "y", SIZE)
    report, nodes = export(text, tmp_path / "net.onnx", constants={"cont": [0, 1]})
    assert nodes == ["LSTM", "Squeeze"] and report.inputs == {"data": (4, "N", 3)}
    text = layer("Reduction", "data", "sum", "reduction_param { axis: 2 }") + data(4, 2, name="k")
    text += layer("Eltwise", "sum k", "y", "eltwise_param { operation: PROD }")
    for numbers, rows in (([2, 3], [2, 3, 3, 3]), ([2], [2] * 4), ([1, 2, 3, 4], [1, 2, 3, 4])):
        report, _ = export(text, tmp_path / "net.onnx", constants={"k": numbers})
        x = np.ones((4, 2, 3), np.float32)
        assert run(tmp_path / "net.onnx", data=x)[0].tolist() == [[3 * row] * 2 for row in rows]
    net = make_net(data(4, 2, 3) + text)
    for constants, message in (
        ({"j": [1]}, "'j' is to be constant and is no input that is needed.* the inputs are: data, k"),
        ({"k": [1] * 5}, r"'k' of shape \(4, 2\) cannot be constant with 5 numbers; give 1 to 4"),
        ({"k": [1], "data": [1]}, "all inputs are to be constant; leave one"),
    ):
        with pytest.raises(NetError, match=message):
            export_onnx(net, tmp_path / "net.onnx", constants=constants)


def test_two_layers_of_one_weight_have_one_constant(tmp_path):
    share = 'param { name: "x" } param { name: "b" } param { name: "h" }'
    text = MADE + "".join(layer("LSTM", "data cont", top, f"{share} {SIZE}") for top in "yz")
    _, nodes = export(text, tmp_path / "net.onnx")
    assert nodes.count("LSTM") == 2
    large = [t for t in load(tmp_path / "net.onnx").graph.initializer if list(t.dims) == [1, 20, 5]]
    assert len(large) == 1


@pytest.mark.parametrize("cont", ["", "input", "made"])
def test_the_lstm_of_a_fork(cont, tmp_path):
    text = data(8, 3)
    if cont:
        source = data(8, name="go") if cont == "input" else MADE + layer(
            "Reshape", "cont", "go", "reshape_param { shape { dim: 8 } }"
        )  # fmt: skip
        text += source
    text += layer("Lstm", "data go" if cont else "data", "y", "lstm_param { num_output: 5 batch_size: 2 }")
    report = export_onnx(make_net(text), tmp_path / "net.onnx")
    assert ("Scan" in operators(load(tmp_path / "net.onnx"))) == (cont == "input")
    assert report.comparisons[0].relative < 1e-5


def test_a_cont_that_the_shape_tells(tmp_path):
    text = data(2, 3, 4) + 'layer { name: "turn" type: "Convert" bottom: "data" top: "x" top: "cont" }\n'
    report = export_onnx(make_net(text + layer("LSTM", "x cont", "y", SIZE)), tmp_path / "net.onnx")
    assert "LSTM" in operators(load(tmp_path / "net.onnx")) and report.outputs == {"y": (4, "N", 5)}


def test_the_command_takes_constants(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = data(4, 2, 3) + data(4, 2, name="cont") + layer("LSTM", "data cont", "y", SIZE)
    (tmp_path / "net.prototxt").write_text(text)
    weights.save(make_net(text), "net.caffemodel")
    words = ["export", "--model", "net.prototxt", "--weights", "net.caffemodel", "--onnx", "net.onnx"]
    assert main([*words, "--constant", "cont=0,1"]) == 0
    assert "input  data 4 x N x 3\noutput y" in capsys.readouterr().out
    assert main([*words, "--constant", "cont"]) == 2 and main([*words, "--constant", "cont=a"]) == 2
