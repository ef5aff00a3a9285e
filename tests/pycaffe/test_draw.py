"""caffe.draw."""

import shutil
import subprocess

import numpy as np
import pytest

from caffe_compat.errors import CaffeError
from caffe_compat.proto import TEST, TRAIN, LayerParameter, NetParameter
from caffe_compat.proto.text import parse
from caffe_compat.pycaffe import draw

cv2 = pytest.importorskip("cv2")

NET = parse(
    """name: "small \\"net\\""
    layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TRAIN } data_param { batch_size: 7 } }
    layer { name: "i" type: "Input" top: "data" include { phase: TEST } }
    layer { name: "c|1" type: "Convolution" bottom: "data" top: "c" param { lr_mult: 1 } param { lr_mult: 2 }
      convolution_param { num_output: 5 kernel_size: 3 kernel_size: 2 stride: 2 } }
    layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
    layer { name: "p" type: "Pooling" bottom: "c" top: "p" pooling_param { pool: AVE kernel_size: 4 stride: 3 pad: 1 } }
    layer { name: "f" type: "InnerProduct" bottom: "p" top: "f" inner_product_param { num_output: 9 } }
    layer { name: "l" type: "SoftmaxWithLoss" bottom: "f" bottom: "label" top: "l" exclude { phase: TEST } }""",
    NetParameter,
)


@pytest.fixture
def without_graphviz(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)


def layer(text):
    (found,) = parse(f"layer {{ {text} }}", NetParameter).layer
    return found


def test_labels():
    c, p = NET.layer[2], NET.layer[4]
    assert draw.get_layer_label(c, "LR") == "c|1\n(Convolution)\nkernel size: 3\nstride: 2\npad: 0"
    assert draw.get_layer_label(c, "TB", display_lrm=True).endswith("pad: 0 lr mult: 1.0, 2.0")
    assert draw.get_layer_label(p, "BT") == "p (Pooling AVE) kernel size: 4 stride: 3 pad: 1"
    assert [draw.get_edge_label(layer) for layer in NET.layer] == ["Batch 7", "", "5", "", "", "9", ""]
    names = draw.get_pooling_types_dict()  # beside Caffe's there are its forks'
    assert [names[number] for number in range(3)] == ["MAX", "AVE", "STOCHASTIC"]
    colors = [
        draw.choose_color_by_layertype(kind) for kind in ("Deconvolution", "Pooling", "InnerProduct", "ReLU")
    ]
    assert colors == ["#FF5050", "#FF9900", "#CC33FF", "#6495ED"]


def test_rate_multipliers():
    assert draw.get_layer_lr_mult(NET.layer[2]) == (1, 2)
    assert draw.get_layer_lr_mult(layer('type: "InnerProduct" param { lr_mult: 3 }')) == (3, 1)
    assert draw.get_layer_lr_mult(layer('type: "InnerProduct"')) == (1, 1)
    frozen = layer('name: "x" type: "InnerProduct" param { lr_mult: 0 } param { lr_mult: 0 }')
    assert draw.get_layer_label(frozen, "TB", display_lrm=True) == "x (InnerProduct)"
    with pytest.raises(ValueError, match="ReLU layers do not have a learning rate multiplier"):
        draw.get_layer_lr_mult(NET.layer[3])
    with pytest.raises(ValueError, match="layer 'x' has 3 params"):
        draw.get_layer_lr_mult(layer('name: "x" type: "Convolution" param { } param { } param { }'))


def test_graph_of_a_phase():
    train = draw.get_pydot_graph(NET, "LR", phase=TRAIN)
    assert list(train.nodes) == [
        *["d_Data", "data_blob", "label_blob", "c|1_Convolution", "c_blob", "r_ReLU"],
        *["p_Pooling", "p_blob", "f_InnerProduct", "f_blob", "l_SoftmaxWithLoss", "l_blob"],
    ]
    assert train.nodes["r_ReLU"][1] == draw.NEURON_LAYER_STYLE
    assert ("d_Data", "label_blob", "Batch 7") in train.edges
    assert ("data_blob", "c|1_Convolution", "") in train.edges
    test = draw.get_pydot_graph(NET, "LR", phase=TEST, label_edges=False)
    assert "d_Data" not in test.nodes
    assert "l_SoftmaxWithLoss" not in test.nodes
    assert {label for _, _, label in test.edges} == {""}
    assert len(draw.get_pydot_graph(NET, "LR").nodes) == 13
    both = NetParameter(
        layer=[LayerParameter(name="x", include=[{"phase": TRAIN}], exclude=[{"phase": TEST}])]
    )
    with pytest.raises(ValueError, match="layer x has both include and exclude"):
        draw.get_pydot_graph(both, "LR", phase=TRAIN)
    with pytest.raises(ValueError, match="rankdir 'TD' is none of LR, RL, TB, BT"):
        draw.get_pydot_graph(NET, "TD")


def test_a_net_in_an_old_form():
    old = parse('layers { name: "a" type: RELU bottom: "x" top: "y" }', NetParameter)
    assert list(draw.get_pydot_graph(old, "LR").nodes) == ["x_blob", "a_ReLU", "y_blob"]
    assert len(old.layers) == 1


def test_graphvizs_language():
    text = draw.draw_net(NET, "TB", "raw", phase=TRAIN).decode()
    assert text.startswith('digraph "small \\"net\\"" {\n  rankdir=TB;\n')
    assert '"c|1_Convolution" [label="c\\|1 (Convolution) kernel size: 3' in text
    assert '  "data_blob" [label="data", shape="octagon", fillcolor="#E0E0E0", style="filled"];\n' in text
    assert '  "f_InnerProduct" -> "f_blob" [label="9"];\n' in text
    assert text.endswith("}\n")
    lines = draw.draw_net(NET, "LR", "dot").decode()
    assert '[label="f\\n(InnerProduct)"' in lines


@pytest.mark.parametrize("rankdir", ["LR", "RL", "TB", "BT"])
def test_picture_without_graphviz(rankdir, without_graphviz, tmp_path):
    path = tmp_path / "net.png"
    draw.draw_net_to_file(NET, str(path), rankdir, phase=TRAIN)
    image = cv2.imread(str(path))
    height, width = image.shape[:2]
    assert (width > height) == (rankdir in ("LR", "RL"))
    red = np.argwhere((image == (0x50, 0x50, 0xFF)).all(2))  # the convolution, near the data's end
    purple = np.argwhere((image == (0xFF, 0x33, 0xCC)).all(2))  # the inner product, further on
    assert len(red) > 500
    axis = 1 if rankdir in ("LR", "RL") else 0
    assert (red[:, axis].mean() < purple[:, axis].mean()) == (rankdir in ("LR", "TB"))
    assert draw.draw_net(NET, rankdir, "jpg", phase=TRAIN)[:2] == b"\xff\xd8"


def test_a_format_that_needs_graphviz(without_graphviz):
    with pytest.raises(CaffeError, match="cannot draw the net as 'pdf' without Graphviz"):
        draw.draw_net(NET, "LR", "pdf")


def test_an_empty_net(without_graphviz):
    assert draw.draw_net(NetParameter(), "LR")[:4] == b"\x89PNG"


def test_with_graphviz(monkeypatch):
    calls = []

    def run(command, input, **kwargs):
        calls.append((command, input))
        failed = "-Tnonsense" in command
        return subprocess.CompletedProcess(
            command, int(failed), b"picture", b"Format not recognized" * failed
        )

    monkeypatch.setattr(shutil, "which", lambda name: "/bin/dot")
    monkeypatch.setattr(subprocess, "run", run)
    assert draw.draw_net(NET, "LR", "svg") == b"picture"
    assert calls == [(["/bin/dot", "-Tsvg"], draw.draw_net(NET, "LR", "raw"))]
    with pytest.raises(CaffeError, match="dot cannot draw the net as 'nonsense': Format not recognized"):
        draw.draw_net(NET, "LR", "nonsense")
