"""What is folded, shared and left out of a file."""

import pytest

from caffe_compat.export.onnx import export_onnx
from tests.export.nets import (
    convolution,
    data,
    layer,
    load,
    make_net,
    operators,
)


def test_a_shared_blob_is_one_constant(tmp_path):
    share = 'param { name: "w" } param { name: "b" }'
    text = data(2, 3, 5) + layer("InnerProduct", "data", "x", "inner_product_param { num_output: 15 }")
    text += layer("InnerProduct", "x", "y", f"{share} inner_product_param {{ num_output: 15 }}")
    text += layer("InnerProduct", "y", "z", f"{share} inner_product_param {{ num_output: 15 }}")
    other = 'param { name: "w" share_mode: PERMISSIVE }'
    text += layer("Reshape", "z", "cube", "reshape_param { shape { dim: 0 dim: 15 dim: 1 } }")
    text += layer("Bias", "cube", "end", f"{other.replace('w', 'b')} bias_param {{ axis: 1 }}")
    export_onnx(make_net(text), tmp_path / "net.onnx")
    names = [tensor.name for tensor in load(tmp_path / "net.onnx").graph.initializer]
    assert sorted(name for name in names if not name.startswith("constant")) == ["b", "w", "x.0", "x.1"]


def test_shared_weights_take_no_batch_norm_up(tmp_path):
    share = 'param { name: "w" } param { name: "b" }'
    text = data(2, 4, 5, 6) + convolution("data", "x", more=share) + layer("BatchNorm", "x", "n")
    text += convolution("n", "y", more=share)
    export_onnx(make_net(text), tmp_path / "net.onnx")
    assert operators(load(tmp_path / "net.onnx")) == ["Conv", "BatchNormalization", "Conv"]


@pytest.mark.parametrize(
    "before",
    [
        layer(
            "Deconvolution",
            "data",
            "x",
            "convolution_param { num_output: 4 kernel_size: 3 stride: 2 group: 2 }",
        ),
        layer(
            "Convolution",
            "data",
            "x",
            "convolution_param { num_output: 4 kernel_size: 3 bias_term: false group: 2 }",
        ),
        layer("InnerProduct", "data", "x", "inner_product_param { num_output: 4 transpose: true }"),
        layer("InnerProduct", "data", "x", "inner_product_param { num_output: 4 bias_term: false }"),
    ],
)
def test_scaling_goes_into_the_weights_before_it(before, tmp_path):
    text = data(3, 6, 5, 7) + before + layer("BatchNorm", "x", "n")
    text += layer("Scale", "n", "s", "scale_param { bias_term: true }")
    text += layer("Power", "s", "y", "power_param { scale: 0.5 shift: -0.25 }")
    report = export_onnx(make_net(text), tmp_path / "net.onnx")
    assert set(operators(load(tmp_path / "net.onnx"))) <= {"Conv", "ConvTranspose", "Gemm", "Flatten"}
    assert report.comparisons[0].relative < 1e-5


def test_scaling_without_weights_before_it_is_one_node(tmp_path):
    text = (
        data(3, 6, 5, 7)
        + layer("BatchNorm", "data", "n")
        + layer("Scale", "n", "y", "scale_param { bias_term: true }")
    )
    report = export_onnx(make_net(text), tmp_path / "net.onnx")
    assert operators(load(tmp_path / "net.onnx")) == ["BatchNormalization"]
    assert report.comparisons[0].relative < 1e-5


def test_an_output_between_keeps_its_numbers(tmp_path):
    text = data(2, 3, 5, 6) + convolution("data", "x") + layer("BatchNorm", "x", "n")
    report = export_onnx(make_net(text), tmp_path / "net.onnx", outputs=["x", "n"])
    assert operators(load(tmp_path / "net.onnx")) == ["Conv", "BatchNormalization"]
    assert all(comparison.relative < 1e-5 for comparison in report.comparisons)


def test_constant_data_becomes_padding(tmp_path):
    zeros = 'layer { name: "zeros" type: "DummyData" top: "zeros" dummy_data_param { shape { dim: 2 dim: 4 dim: 5 dim: 6 } } }\n'
    text = data(2, 3, 5, 6) + zeros + layer("Concat", "data zeros", "y")
    report = export_onnx(make_net(text), tmp_path / "net.onnx")
    assert operators(load(tmp_path / "net.onnx")) == ["Pad"] and report.outputs == {"y": ("N", 7, 5, 6)}
    text = data(2, 3, 5, 6) + zeros.replace("dim: 4", "dim: 3") + layer("Eltwise", "data zeros", "y")
    report = export_onnx(make_net(text), tmp_path / "net.onnx")
    assert list(report.inputs) == ["data"] and report.outputs == {"y": ("N", 3, 5, 6)}
    report = export_onnx(make_net(zeros + layer("ReLU", "zeros", "y")), tmp_path / "net.onnx")
    assert report.inputs == {"zeros": ("N", 4, 5, 6)}
