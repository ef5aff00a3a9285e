"""Parts of nets as files: which inputs and outputs there are, under which names, and what is not needed for them."""

import numpy as np
import pytest

from caffe_compat.cli import main
from caffe_compat.errors import LayerError, NetError
from caffe_compat.export import check
from caffe_compat.export.onnx import export_onnx
from caffe_compat.export.prune import prune
from caffe_compat.layers.base import TEST
from caffe_compat.net import weights
from caffe_compat.proto import NetParameter
from caffe_compat.proto.text import parse
from tests.export.nets import convolution, data, layer, load, make_net, operators, run

IP = "inner_product_param { num_output: 2 }"
SHIFT = "power_param { shift: 2 scale: -1 }"
SLICE = 'layer { name: "cut" type: "Slice" bottom: "data" top: "a" top: "b" }\n'
UNKNOWN = 'layer { name: "odd" type: "Python" bottom: "mid" top: "odd" python_param { module: "gone" layer: "Gone" } }\n'


def in_place(type, blob, name, parameters=""):
    return layer(type, blob, blob, parameters, name=name)


def test_layers_in_place_on_an_input_leave_it_its_name(tmp_path):
    text = data(2, 3) + in_place("ReLU", "data", "relu") + in_place("Power", "data", "shift", SHIFT)
    report = export_onnx(make_net(text + layer("TanH", "data", "y")), tmp_path / "net.onnx")
    assert (list(report.inputs), list(report.outputs), report.notes) == (["data"], ["y"], [])
    (y,) = run(tmp_path / "net.onnx", data=np.array([[1, -1, 3]], np.float32))
    np.testing.assert_allclose(y, np.tanh([[1, 2, -1]]), rtol=1e-6)


def test_an_output_written_over_an_input_gets_a_name_of_its_own(tmp_path):
    text = data(2, 3) + in_place("ReLU", "data", "relu") + in_place("Dropout", "data", "drop")
    report = export_onnx(
        make_net(text + layer("TanH", "data", "y")), tmp_path / "net.onnx", outputs=["y", "data"]
    )
    assert list(report.outputs) == ["y", "data_drop"]
    assert report.notes == ["output 'data' is called 'data_drop': an input has its name"]
    y, same = run(tmp_path / "net.onnx", data=np.array([[1, -1, 3]], np.float32))
    assert same.tolist() == [[1, 0, 3]] and np.allclose(y, np.tanh(same))
    taken = data(2, 3, name="data_relu") + data(2, 3) + in_place("ReLU", "data", "relu")
    report = export_onnx(make_net(taken), tmp_path / "net.onnx", outputs=["data", "data_relu"])
    assert list(report.outputs) == ["data_relu_", "data_relu"]


@pytest.mark.parametrize("name", ["a/b c:d", "ä€", 'q"', "y.0", "y", "y/Flatten", "constant", "relu"])
def test_inputs_keep_odd_names(name, tmp_path):
    escaped = name.replace('"', '\\"')
    dims = "input_param { shape { dim: 2 dim: 3 dim: 4 } }"
    text = f'layer {{ name: "in" type: "Input" top: "{escaped}" {dims} }}'
    for kind, top, more in (("ReLU", escaped, ""), ("InnerProduct", "out", IP)):
        text += f'layer {{ name: "{"y" if more else "relu"}" type: "{kind}" bottom: "{escaped}" top: "{top}" {more} }}'
    net = make_net(text)
    report = export_onnx(net, tmp_path / "net.onnx")
    assert list(report.inputs) == [name] and report.comparisons[0].relative < 1e-5
    (value,) = load(tmp_path / "net.onnx").graph.input
    assert value.name == name


def test_an_input_that_nobody_reads_is_left_out(tmp_path):
    text = data(2, 3) + data(5, name="label") + layer("InnerProduct", "data", "y", IP)
    assert list(export_onnx(make_net(text), tmp_path / "net.onnx").inputs) == ["data"]
    report = export_onnx(make_net(text), tmp_path / "net.onnx", outputs=["y", "label"])
    assert report.inputs == {"data": ("N", 3), "label": ("N_label",)}


def test_inputs_in_the_middle_of_a_net(tmp_path):
    text = data(2, 3, 6, 5) + convolution("data", "mid") + in_place("ReLU", "mid", "relu")
    net = make_net(text + layer("TanH", "mid", "t") + layer("InnerProduct", "mid", "y", IP))
    report = export_onnx(net, tmp_path / "net.onnx", inputs=["mid"])
    assert report.inputs == {"mid": ("N", 4, 6, 5)} and sorted(report.outputs) == ["t", "y"]
    x = -np.ones((1, 4, 6, 5), np.float32)
    (t,) = run(tmp_path / "net.onnx", mid=x)[:1]
    np.testing.assert_allclose(
        t, np.tanh(x), rtol=1e-6
    )  # the blob as others read it: nothing is done to it again
    assert operators(load(tmp_path / "net.onnx")) == ["Tanh", "Flatten", "Gemm"]
    report = export_onnx(net, tmp_path / "net.onnx", inputs=["mid", "data"], outputs=["t"])
    assert list(report.inputs) == ["mid"] and report.notes == ["left out, as no output needs them: data"]


def test_one_top_of_a_layer_is_an_input_and_the_other_is_made(tmp_path):
    net = make_net(
        data(2, 4) + SLICE.replace("type", "slice_param { axis: 1 } type") + layer("Eltwise", "a b", "y")
    )
    report = export_onnx(net, tmp_path / "net.onnx", inputs=["data", "b"])
    assert list(report.inputs) == ["data", "b"]
    (y,) = run(
        tmp_path / "net.onnx", data=np.array([[1, 2, 3, 4]], np.float32), b=np.array([[10, 20]], np.float32)
    )
    assert y.tolist() == [[11, 22]]


def test_inputs_that_do_not_do(tmp_path):
    text = data(2, 3, 4, 5) + data(2, 3, name="scale") + convolution("data", "mid", 3)
    net = make_net(text + layer("Scale", "mid scale", "y", "scale_param { axis: 0 }"))
    path = tmp_path / "net.onnx"
    with pytest.raises(
        NetError, match=r"output 'y' needs 'scale', which is not among the inputs; add it to --inputs"
    ):
        export_onnx(net, path, inputs=["mid"])
    with pytest.raises(NetError, match="no blob 'mi' to be an input; did you mean 'mid'"):
        export_onnx(net, path, inputs=["mi"])
    with pytest.raises(NetError, match="output 'mid' needs 'data', which is not among the inputs"):
        export_onnx(net, path, inputs=["scale"], outputs=["mid"])
    fixed = 'layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 2 } } }'
    with pytest.raises(NetError, match="no output needs data; name blobs that depend on the inputs"):
        export_onnx(make_net(data(2, 3) + fixed), path, inputs=["data"], outputs=["p"])
    assert not path.exists()


def test_a_file_that_declares_other_shapes_is_not_written(tmp_path, monkeypatch):
    class Session(check.Session):
        def __init__(self, file):
            super().__init__(file)
            self.shapes["data"] = ("N", 4)

    monkeypatch.setattr(check, "Session", Session)
    with pytest.raises(
        check.ExportError, match=r"declares 'data' as \('N', 4\), and .* the net has \(1, 3\)"
    ):
        export_onnx(make_net(data(2, 3) + layer("ReLU", "data", "y")), tmp_path / "net.onnx")


def test_an_input_keeps_its_shape_beside_another(tmp_path):
    text = data(1, 3, 4, 5) + data(1, 3, name="info") + layer("ReLU", "data", "y")
    net = make_net(text + layer("Scale", "data info", "z", "scale_param { axis: 0 }"))
    report = export_onnx(net, tmp_path / "net.onnx", held=["info"])
    assert report.inputs == {"data": (1, 3, 4, 5), "info": (1, 3)} and "layer 'z' (Scale)" in report.why_fixed
    report = export_onnx(net, tmp_path / "net.onnx", held=["info"], dynamic_batch=True)
    assert report.inputs == {"data": ("N", 3, 4, 5), "info": ("N", 3)}
    # What an output's shape does not depend on has no batch.
    text = data(3, 2, 4, 4) + data(2, 2, 2, 2, name="like") + layer("Crop", "data like", "y")
    report = export_onnx(make_net(text), tmp_path / "net.onnx")
    assert report.inputs == {"data": ("N", 2, 4, 4)}


# -- the command --------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Writes net.prototxt, and the weights of what can be built of it."""
    monkeypatch.chdir(tmp_path)

    def write(text, weighted=None):
        (tmp_path / "net.prototxt").write_text(text)
        weights.save(make_net(text if weighted is None else weighted), "net.caffemodel")

    return write


def export(*words):
    return main(
        ["export", "--model", "net.prototxt", "--weights", "net.caffemodel", "--onnx", "net.onnx", *words]
    )


def shapes():
    graph = load("net.onnx").graph
    return {
        value.name: tuple(dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in (*graph.input, *graph.output)
    }


def test_other_inputs_keep_their_shapes(files, capsys):
    """As `show` has it, whether they stand in one layer or two."""
    head = 'input: "data" input_shape { dim: 1 dim: 3 dim: 4 dim: 4 } input: "info" input_shape { dim: 1 dim: 3 }\n'
    tail = convolution("data", "conv", 3) + layer("Scale", "conv info", "y", "scale_param { axis: 0 }")
    layers = data(1, 3, 4, 4) + data(1, 3, name="info") + tail
    for text in (head + tail, layers):
        files(text, weighted=layers)
        assert export("--input", "data=1,3,8,9") == 0
        assert shapes() == {"data": (1, 3, 8, 9), "info": (1, 3), "y": (1, 3, 8, 9)}
        assert main(["show", "net.prototxt", "--input", "data=1,3,8,9"]) == 0
        assert export("--input", "data=1,3,8,9", "--dynamic-batch") == 0
        assert shapes() == {"data": ("N", 3, 8, 9), "info": ("N", 3), "y": ("N", 3, 8, 9)}
        capsys.readouterr()
        for words in (
            ["export", *"--model net.prototxt --weights net.caffemodel --onnx x".split()],
            ["show", "net.prototxt"],
        ):
            assert main([*words, "--input", "data=2,3,8,9"]) == 1
            assert (
                "bottom 1 of shape (1, 3) does not fit bottom 0 of shape (2, 3, 8, 9)"
                in capsys.readouterr().err
            )


def test_what_the_outputs_do_not_need_is_not_built(files, capsys):
    body = data(2, 3, 4, 5) + convolution("data", "mid")
    files(
        body + UNKNOWN + layer("Nowhere", "odd", "none") + layer("InnerProduct", "mid", "y", IP),
        weighted=body,
    )
    assert export("--outputs", "mid") == 0
    assert shapes() == {"data": ("N", 3, 4, 5), "mid": ("N", 4, 4, 5)}
    capsys.readouterr()
    assert export("--outputs", "mid,y") == 1  # its weights are not there
    assert "no values for 1 of the layers to export: 'y'" in capsys.readouterr().err
    assert export("--outputs", "none") == 1
    assert "layer 'odd' (Python)" in capsys.readouterr().err
    assert export("--outputs", "nine") == 1


def test_what_lies_before_the_inputs_is_not_built(files, capsys):
    tail = in_place("ReLU", "odd", "relu") + layer("InnerProduct", "odd", "y", IP)
    files(data(2, 3) + layer("ReLU", "data", "mid") + UNKNOWN + tail, weighted=data(2, 7, name="odd") + tail)
    assert export("--inputs", "odd=2,7") == 0
    assert shapes() == {"odd": ("N", 7), "y": ("N", 2)}
    assert export("--input", "odd=2,7") == 0
    assert shapes() == {"odd": ("N", 7), "y": ("N", 2)}
    capsys.readouterr()
    assert export("--inputs", "odd") == 1
    assert "layer 'odd' (Python)" in (error := capsys.readouterr().err) and "--inputs odd=N,C,H,W" in error
    files(data(2, 3) + layer("ReLU", "data", "mid") + layer("InnerProduct", "mid", "y", IP))
    assert export("--inputs", "mid") == 0
    assert shapes() == {"mid": ("N", 3), "y": ("N", 2)}
    assert export("--inputs", "mid,") == 2
    assert export("--inputs", "mid=a") == 2
    assert export("--inputs", "midd") == 1
    assert "no blob 'midd' to be an input; did you mean 'mid'" in capsys.readouterr().err


def test_a_source_in_python_needs_the_shapes_that_are_read(files, capsys):
    source = 'layer { name: "s" type: "Python" top: "data" top: "boxes" python_param { module: "gone" layer: "G" } }\n'
    body = layer("InnerProduct", "data", "y", IP)
    files(source + body + layer("Silence", "boxes", "x").replace('top: "x"', ""), weighted=data(2, 3) + body)
    assert export("--input", "data=2,3", "--outputs", "y") == 0
    assert shapes() == {"data": ("N", 3), "y": ("N", 2)}
    assert export("--input", "data=2,3") == 1
    assert "layer 's' (Python)" in capsys.readouterr().err


def test_pruning():
    text = (
        data(2, 4)
        + SLICE
        + layer("ReLU", "a", "c")
        + layer("Eltwise", "b c", "y")
        + layer("TanH", "data", "z")
    )
    param = parse(text, NetParameter, "net.prototxt")
    param.state.phase = TEST
    assert prune(param, None, {}) is param and prune(param, ["gone"], {}) is param
    names = [made.name for made in prune(param, ["c"], {}).layer]
    assert names == ["data", "cut", "c"]
    part = prune(param, ["y"], {"a": (1, 4)})
    assert [(made.name, list(made.top)) for made in part.layer] == [
        ("data", ["data"]), ("cut", ["a_of_cut", "b"]), ("input a", ["a"]), ("c", ["c"]), ("y", ["y"])
    ]  # fmt: skip
    assert [made.name for made in prune(param, None, {"a": (1, 4)}).layer][-1] == "y"


def test_a_layer_is_named_that_has_no_form_in_onnx(tmp_path):
    text = (
        data(2, 3)
        + layer("ReLU", "data", "mid")
        + UNKNOWN.replace("gone", "tests.export.double").replace("Gone", "Double")
    )
    net = make_net(text + layer("TanH", "mid", "y"))
    with pytest.raises(LayerError, match=r"layer 'odd' \(Python\): cannot be exported"):
        export_onnx(net, tmp_path / "net.onnx")
    assert list(export_onnx(net, tmp_path / "net.onnx", outputs=["y"]).outputs) == ["y"]
