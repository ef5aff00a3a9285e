"""Mean and scale inside a file."""

import numpy as np
import onnx
import pytest

from caffe_compat.errors import ExportError
from caffe_compat.export.onnx import export_onnx
from caffe_compat.export.preprocess import Preprocess, preprocess_of
from tests.export.nets import SCALED, data, layer, load, make_net, operators, outputs_of, run


def test_preprocessing_inside(tmp_path):
    net = make_net(SCALED)
    mean = np.array([104, 117, 123], np.float32).reshape(3, 1, 1)
    report = export_onnx(net, tmp_path / "net.onnx", preprocess=Preprocess(mean, 0.5))
    model = load(tmp_path / "net.onnx")
    assert operators(model)[:3] == ["Cast", "Sub", "Mul"] and report.comparisons[0].relative < 1e-5
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    words = {entry.key: entry.value for entry in model.metadata_props}["caffe.preprocess"]
    assert words == "uint8 in, minus 104, 117, 123, times 0.5"
    pictures = np.random.default_rng(2).integers(0, 256, (2, 3, 8, 9), np.uint8)
    (ours,) = run(tmp_path / "net.onnx", data=pictures)
    np.testing.assert_allclose(ours, outputs_of(net, (pictures - mean) * np.float32(0.5))["ip"], rtol=1e-4)


def test_preprocessing_that_does_not_fit(tmp_path):
    net = make_net(SCALED)
    with pytest.raises(
        ExportError, match=r"a mean of shape \(2, 1, 1\) does not fit input 'data' of \(3, 8, 9\)"
    ):
        export_onnx(net, tmp_path / "net.onnx", preprocess=preprocess_of(net, mean_values=(1, 2)))
    with pytest.raises(
        ExportError, match="no input with four axes .pictures. to preprocess; the inputs are: data"
    ):
        export_onnx(
            make_net(data(2, 3) + layer("ReLU", "data", "y")), tmp_path / "n.onnx", preprocess=Preprocess()
        )
    with pytest.raises(ExportError, match="no input 'pixels' to preprocess"):
        export_onnx(net, tmp_path / "net.onnx", preprocess=Preprocess(blob="pixels"))
