"""Files as people would have written them: names, shapes, what is folded, what is refused, and that they run."""

import os
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import caffe_compat
from caffe_compat.errors import ExportError, LayerError, MissingExtra
from caffe_compat.export import check
from caffe_compat.export.onnx import export_onnx
from caffe_compat.layers.base import TRAIN
from caffe_compat.pycaffe import Net as PycaffeNet
from tests.export.nets import LABELLED, SCALED, data, layer, load, make_net, operators, outputs_of, run


def test_a_net_is_written_by_its_own_names(tmp_path):
    net = make_net(SCALED)
    report = export_onnx(net, tmp_path / "net.onnx", dynamic_batch=True)
    model = load(tmp_path / "net.onnx")
    assert operators(model) == ["Conv", "Relu", "MaxPool", "Flatten", "Gemm"]
    assert [node.name for node in model.graph.node] == ["conv", "relu", "pool", "ip/Flatten", "ip"]
    assert [value.name for value in model.graph.input] == ["data"]
    assert [value.name for value in model.graph.output] == ["ip"]
    assert [list(node.output) for node in model.graph.node[1:3]] == [["conv"], ["pool"]]
    assert {tensor.name for tensor in model.graph.initializer} == {"conv.0", "conv.1", "ip.0", "ip.1"}
    assert model.graph.node[0].doc_string == (
        "conv (Convolution), net.prototxt:2; bn (BatchNorm), net.prototxt:3; scale (Scale), net.prototxt:4"
    )
    assert (report.inputs, report.outputs) == ({"data": ("N", 3, 8, 9)}, {"ip": ("N", 7)})
    text = str(report)
    assert "net.onnx: 5 nodes" in text and "input  data N x 3 x 8 x 9" in text
    assert (
        "output ip: max abs error" in text
        and "random inputs of 1 x 3 x 8 x 9; zero and extreme inputs of 2 x 3 x 8 x 9" in text
    )
    (comparison,) = report.comparisons
    assert 0 < comparison.relative < 1e-5


def test_any_batch_gives_the_nets_numbers(tmp_path):
    net = make_net(SCALED)
    export_onnx(net, tmp_path / "net.onnx")
    for batch in (1, 5):
        x = np.random.default_rng(batch).standard_normal((batch, 3, 8, 9)).astype(np.float32)
        (ours,) = run(tmp_path / "net.onnx", data=x)
        np.testing.assert_allclose(ours, outputs_of(net, x)["ip"], rtol=1e-4)


def test_the_net_is_left_as_it_was(tmp_path):
    net = make_net(SCALED, phase=TRAIN)
    before = [blob.clone() for layer in net.layers for blob in layer.owned_blobs()]
    shapes = dict(net.blob_shapes)
    with pytest.raises(LayerError, match=r"net.prototxt:6: layer 'drop' \(Dropout\): .* export the TEST net"):
        export_onnx(net, tmp_path / "net.onnx")
    statistics = make_net(data(2, 3, 4, 5) + layer("BatchNorm", "data", "bn"), phase=TRAIN)
    kept = [blob.clone() for blob in statistics.layers[1].owned_blobs()]
    export_onnx(statistics, tmp_path / "bn.onnx")
    assert all(torch.equal(a, b) for a, b in zip(kept, statistics.layers[1].owned_blobs(), strict=True))
    after = [blob for layer in net.layers for blob in layer.owned_blobs()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert net.blob_shapes == shapes


def test_what_has_no_form_in_onnx_is_refused_before_anything_is_written(tmp_path):
    net = make_net(
        data(2, 3)
        + 'layer { name: "p" type: "Python" bottom: "data" top: "y" python_param '
        + '{ module: "tests.export.double" layer: "Double" } }'
    )
    with pytest.raises(
        LayerError, match=r"layer 'p' \(Python\): cannot be exported: its class Python defines no"
    ):
        export_onnx(net, tmp_path / "net.onnx")
    with pytest.raises(LayerError, match=r"input 'data' has the shape \(0,\)"):
        export_onnx(
            make_net('layer { name: "data" type: "Input" top: "data" }' + layer("ReLU", "data", "y")),
            tmp_path / "net.onnx",
        )
    assert os.listdir(tmp_path) == []


def test_a_file_of_other_numbers_is_not_written(tmp_path, monkeypatch):
    net = make_net(SCALED)
    export_onnx(net, tmp_path / "net.onnx")
    before = (tmp_path / "net.onnx").read_bytes()
    relu = next(layer for layer in net.layers if layer.type == "ReLU")
    monkeypatch.setattr(
        type(relu), "to_onnx", lambda self, graph, bottoms, tops: graph.node("Abs", bottoms, tops)
    )
    with pytest.raises(ExportError, match=r"not written, for on .* gives output 'ip' off by .*--no-check"):
        export_onnx(net, tmp_path / "net.onnx")
    assert (tmp_path / "net.onnx").read_bytes() == before and os.listdir(tmp_path) == ["net.onnx"]
    report = export_onnx(net, tmp_path / "other.onnx", check=False)
    assert "not run: no check was asked for" in str(report)


def test_numbers_of_which_none_is_finite_prove_nothing(tmp_path):
    net = make_net(SCALED)
    net.layer("ip").blobs[1].data.fill_(float("nan"))
    with pytest.raises(
        ExportError, match="on random inputs of 1 x .* no value of output 'ip' is finite, .*--no-check"
    ):
        export_onnx(net, tmp_path / "net.onnx")
    assert os.listdir(tmp_path) == []


def test_without_onnx_runtime_the_file_is_written_all_the_same(tmp_path, monkeypatch):
    def missing(file):
        raise MissingExtra("onnxruntime", "running an ONNX file")

    monkeypatch.setattr(check, "Session", missing)
    report = export_onnx(make_net(SCALED), tmp_path / "net.onnx")
    assert report.comparisons == [] and "pip install onnxruntime" in str(report)


NEWEST, _ = check.newest_opset()


@pytest.mark.parametrize("opset", range(13, NEWEST + 1))
def test_every_opset(opset, tmp_path):
    text = (
        SCALED
        + layer("Reduction", "conv", "sum", "reduction_param { axis: 2 }")
        + layer("MVN", "conv", "mvn")
        + layer("ArgMax", "ip", "best", "argmax_param { top_k: 3 out_max_val: true }")
        + layer("Pooling", "conv", "means", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }")
        + layer("Interp", "data", "large", "interp_param { zoom_factor: 2 }")
    )
    text += 'layer { name: "slice" type: "Slice" bottom: "data" top: "a" top: "b" slice_param { axis: 0 } }\n'
    report = export_onnx(make_net(text), tmp_path / "net.onnx", opset=opset, dynamic_batch=False)
    assert load(tmp_path / "net.onnx").opset_import[0].version == opset
    assert all(comparison.relative < 1e-5 for comparison in report.comparisons) and report.comparisons
    text = data(4, 2, 3) + layer("LSTM", "data cont", "y", "recurrent_param { num_output: 5 }")
    text = data(4, 2, name="cont") + text
    for constants in (None, {"cont": [0, 1]}):
        report = export_onnx(make_net(text), tmp_path / "net.onnx", opset=opset, constants=constants)
        assert report.comparisons[0].relative < 1e-5


def test_opsets_end_where_onnx_and_the_runtime_end(tmp_path, monkeypatch):
    runtime = f"ONNX Runtime {onnxruntime.__version__}"
    by = f"onnx {onnx.__version__}" if onnx.defs.onnx_opset_version() == NEWEST else runtime
    for opset in (12, NEWEST + 1, 99):
        with pytest.raises(
            ExportError, match=f"opset {opset} is not known; use 13 to {NEWEST}, the newest of {by}"
        ):
            export_onnx(make_net(SCALED), tmp_path / "net.onnx", opset=opset)

    def missing(file):
        raise MissingExtra("onnxruntime", "running an ONNX file")

    monkeypatch.setattr(check, "Session", missing)
    assert check.newest_opset()[0] == onnx.defs.onnx_opset_version()


def test_an_operator_that_the_runtime_has_not_in_an_opset(tmp_path, monkeypatch):
    """It is an error that names the opsets in which it has it."""

    class Session(check.Session):
        def __init__(self, file):
            super().__init__(file)
            model = onnx.load_model_from_string(file) if isinstance(file, bytes) else onnx.load(file)
            if model.opset_import[0].version > 16 and model.graph.node[0].op_type == "Relu":
                raise check.Refused("the runtime does not take the file: no Relu")

    for module in (check, sys.modules["caffe_compat.export.onnx"]):
        monkeypatch.setattr(module, "Session", Session)
    net = make_net(data(2, 3) + layer("ReLU", "data", "y"))
    with pytest.raises(
        ExportError,
        match="not written, for the runtime does not take the file: no Relu; use an opset of 13 to 16",
    ):
        export_onnx(net, tmp_path / "net.onnx")
    assert os.listdir(tmp_path) == []
    assert export_onnx(net, tmp_path / "net.onnx", opset=15).comparisons


def test_a_batch_size_that_is_fixed(tmp_path):
    text = data(2, 3, 4) + layer("Reshape", "data", "x", "reshape_param { shape { dim: 2 dim: 12 } }")
    report = export_onnx(make_net(text), tmp_path / "net.onnx")
    assert (
        report.inputs == {"data": (2, 3, 4)}
        and "layer 'x' (Reshape): bottom (4, 3, 4) has 48" in report.why_fixed
    )
    assert "the batch size is fixed: net.prototxt:2" in str(report)
    with pytest.raises(LayerError, match=r"layer 'x' \(Reshape\): bottom \(4, 3, 4\) has 48 values"):
        export_onnx(make_net(text), tmp_path / "net.onnx", dynamic_batch=True)
    report = export_onnx(make_net(SCALED), tmp_path / "net.onnx", dynamic_batch=False)
    assert report.inputs == {"data": (2, 3, 8, 9)} and not report.why_fixed


def test_sizes_are_words_where_they_change(tmp_path):
    text = data(3, 4, 2) + data(3, 1, name="chosen") + layer("Filter", "data chosen", "some")
    text += layer("Flatten", "some", "flat") + layer(
        "Reshape", "data", "rows", "reshape_param { shape { dim: -1 dim: 2 } }"
    )
    text += data(5, name="order") + layer("BatchReindex", "rows order", "mixed")
    report = export_onnx(make_net(text), tmp_path / "net.onnx")
    assert report.inputs == {"data": ("N", 4, 2), "chosen": ("N", 1), "order": ("N_order",)}
    assert report.outputs == {"flat": ("N_some", 8), "mixed": ("N_order", 2)}
    feeds = {
        "data": np.arange(24, dtype=np.float32).reshape(3, 4, 2),
        "chosen": np.array([[1], [0], [2]], np.float32),
    }
    flat, mixed = run(tmp_path / "net.onnx", **feeds, order=np.array([11, 0], np.float32))
    assert flat.tolist() == [list(range(8)), list(range(16, 24))] and mixed.tolist() == [[22, 23], [0, 1]]


def test_recurrent_layers_loop_over_streams_of_any_number(tmp_path):
    text = data(4, 2, 3) + data(4, 2, name="cont")
    text += layer("LSTM", "data cont", "y", "recurrent_param { num_output: 5 }")
    report = export_onnx(make_net(text), tmp_path / "net.onnx")
    assert report.inputs == {"data": (4, "N", 3), "cont": (4, "N")} and report.outputs == {"y": (4, "N", 5)}
    assert "Scan" in operators(load(tmp_path / "net.onnx")) and report.comparisons[0].relative < 1e-5


def test_pycaffes_net_is_taken_too(tmp_path):
    net = make_net(SCALED)
    assert export_onnx(PycaffeNet.over(net), tmp_path / "net.onnx").outputs == {"ip": ("N", 7)}
    assert caffe_compat.export.export_onnx is export_onnx


def test_opencv_reads_a_file(tmp_path):
    cv2 = pytest.importorskip("cv2")
    net = make_net(
        LABELLED + layer("LRN", "pool", "lrn", "lrn_param { local_size: 3 }") + layer("PReLU", "lrn", "y")
    )
    export_onnx(net, tmp_path / "net.onnx", outputs=["y", "prob"])
    x = np.random.default_rng(5).standard_normal((2, 3, 8, 9)).astype(np.float32)
    reader = cv2.dnn.readNetFromONNX(str(tmp_path / "net.onnx"))
    reader.setInput(x, "data")
    for ours, theirs in zip(run(tmp_path / "net.onnx", data=x), reader.forward(["y", "prob"]), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-6)


def test_onnx_runtime_quantizes_a_file(tmp_path):
    quantization = pytest.importorskip("onnxruntime.quantization")
    net = make_net(SCALED)
    export_onnx(net, tmp_path / "net.onnx")
    quantization.quantize_dynamic(str(tmp_path / "net.onnx"), str(tmp_path / "int8.onnx"))
    x = np.random.default_rng(6).standard_normal((2, 3, 8, 9)).astype(np.float32)
    (ours,), (rough,) = (run(tmp_path / name, data=x) for name in ("net.onnx", "int8.onnx"))
    assert 0 < np.abs(ours - rough).max() < 0.05 * np.abs(ours).max()


def test_a_module_goes_through_torchs_exporter():
    net = make_net(SCALED)
    x = torch.randn(2, 3, 8, 9)
    module = PycaffeNet.over(net).module()
    program = torch.export.export(module, (x,))
    for name, value in program.module()(x)[1].items():
        torch.testing.assert_close(value, module(x)[1][name])


def test_the_runtime_is_the_one_of_the_report(tmp_path):
    report = export_onnx(make_net(SCALED), tmp_path / "net.onnx")
    assert report.runtime == f"ONNX Runtime {onnxruntime.__version__}"
