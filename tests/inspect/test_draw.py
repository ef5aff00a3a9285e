"""The graph of a net: what shares a box, what stands on the edges, and which blocks are folded."""

from pathlib import Path

import pytest

from caffe_compat.inspect.draw import net_graph
from caffe_compat.net.resolve import filter_net
from caffe_compat.proto import TRAIN, NetParameter, NetState
from caffe_compat.proto.text import parse, read_net

ROOT = Path(__file__).parents[2]
CONV = "convolution_param { num_output: 6 kernel_size: 3 }"


def graph(text, shapes=None, **kwargs):
    return net_graph(parse(text, NetParameter), shapes, **kwargs)


def labels(drawn):
    return [label.split("\n") for label, _ in drawn.nodes.values()]


def test_layers_that_nobody_else_reads_share_a_box():
    drawn = graph(
        f"""layer {{ name: 'i' type: 'Input' top: 'x' }}
        layer {{ name: 'c' type: 'Convolution' bottom: 'x' top: 'c' {CONV} }}
        layer {{ name: 'n' type: 'BatchNorm' bottom: 'c' top: 'n' }}
        layer {{ name: 's' type: 'Scale' bottom: 'n' top: 'n' }}
        layer {{ name: 'd' type: 'Convolution' bottom: 'n' top: 'd' {CONV} }}
        layer {{ name: 'r' type: 'ReLU' bottom: 'd' top: 'r' }}
        layer {{ name: 'e' type: 'Eltwise' bottom: 'd' bottom: 'r' top: 'e' }}
        layer {{ name: 'q' type: 'Softmax' bottom: 'e' top: 'e' }}""",
        {"x": (2, 3, 9, 8), "n": (2, 6, 7, 6), "d": (2, 6, 5, 4), "r": (2, 6, 5, 4)},
    )
    assert labels(drawn) == [
        ["i", "Input"],
        ["c", "Convolution 6, 3x3", "+ BatchNorm, Scale"],
        ["d", "Convolution 6, 3x3"],
        ["r", "ReLU"],  # `d` has another reader
        ["e", "Eltwise SUM", "+ Softmax"],
    ]
    assert drawn.edges == [
        *[("0", "1", "2×3×9×8"), ("1", "2", "2×6×7×6"), ("2", "3", "2×6×5×4"), ("2", "4", "")],
        ("3", "4", "2×6×5×4"),
    ]


def test_without_shapes_blobs_are_named():
    drawn = graph(
        "layer { name: 'i' type: 'Input' top: 'x' } layer { name: 'f' type: 'Flatten' bottom: 'x' top: 'y' }"
    )
    assert drawn.edges == [("0", "1", "x")]
    text = drawn.to_string()
    assert '"0" [label="i\\nInput", shape="box"' in text
    assert '"0" -> "1" [label="x"];' in text


@pytest.mark.parametrize(
    "layer, description",
    [
        ("type: 'Convolution' convolution_param { num_output: 8 kernel_h: 3 kernel_w: 1 stride: 2 group: 4 }",
         "Convolution 8, 3x1 / 2, 4 groups"),
        ("type: 'Deconvolution' convolution_param { num_output: 8 kernel_size: 4 stride: 2 stride: 1 }",
         "Deconvolution 8, 4x4 / 2x1"),
        ("type: 'Pooling' pooling_param { pool: AVE kernel_size: 3 stride: 1 }", "AVE pooling 3x3"),
        ("type: 'Pooling' pooling_param { global_pooling: true }", "global MAX pooling"),
        ("type: 'InnerProduct' inner_product_param { num_output: 5 }", "InnerProduct 5"),
        ("type: 'LSTM' recurrent_param { num_output: 7 }", "LSTM 7"),
        ("type: 'Eltwise' eltwise_param { operation: MAX }", "Eltwise MAX"),
        ("type: 'LRN'", "LRN"),
    ],
)  # fmt: skip
def test_descriptions(layer, description):
    assert labels(graph(f"layer {{ name: 'x' {layer} }}")) == [["x", description]]


def residual(i):
    return f"""
    layer {{ name: 'c{i}' type: 'Convolution' bottom: 'x{i}' top: 'c{i}' {CONV} }}
    layer {{ name: 'x{i + 1}' type: 'Eltwise' bottom: 'c{i}' bottom: 'x{i}' top: 'x{i + 1}' }}"""


def test_equal_blocks_are_folded():
    text = "layer { name: 'i' type: 'Input' top: 'x0' }" + "".join(map(residual, range(5)))
    tail = "layer { name: 'f' type: 'Flatten' bottom: 'x5' top: 'f' }"
    drawn = graph(text + tail, fold=True)
    assert [label[0] for label in labels(drawn)] == ["i", "c0", "x1", "f"]
    assert drawn.frames == [("5 times, to c4", ["1", "2"])]
    assert [(a, b) for a, b, _ in drawn.edges] == [("0", "1"), ("1", "2"), ("0", "2"), ("2", "11")]
    assert "subgraph cluster_0" in drawn.to_string()
    assert len(graph(text + tail).nodes) == 12


def test_a_block_that_is_read_from_outside_is_not_hidden():
    text = "layer { name: 'i' type: 'Input' top: 'x0' }" + "".join(map(residual, range(5)))
    tail = "layer { name: 'f' type: 'Concat' bottom: 'x5' bottom: 'x3' top: 'f' }"
    drawn = graph(text + tail, fold=True)
    assert [frame for frame, _ in drawn.frames] == ["3 times, to c2", "2 times, to c4"]
    assert [label[0] for label in labels(drawn)] == ["i", "c0", "x1", "c3", "x4", "f"]
    assert [(a, b) for a, b, _ in drawn.edges][-2:] == [("8", "11"), ("2", "11")]


def test_blocks_of_other_shapes_are_not_equal():
    text = "layer { name: 'i' type: 'Input' top: 'x0' }" + "".join(map(residual, range(5)))
    shapes = {f"{kind}{i}": (2, 6, 9, 8 - (i > 3)) for kind in "cx" for i in range(6)}
    assert [frame for frame, _ in graph(text, shapes, fold=True).frames] == ["3 times, to c2"]


def test_resnet_56_folds_into_its_stages():
    param = read_net(ROOT / "prototxt" / "resnet56.prototxt")
    drawn = net_graph(filter_net(param, NetState(phase=TRAIN)), None, fold=True)
    assert [frame.split(",")[0] for frame, _ in drawn.frames] == ["9 times", "8 times", "8 times"]
    assert len(drawn.nodes) == 27
