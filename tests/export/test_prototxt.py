"""The nets of prototxt/ become files that give their numbers, at any batch size."""

from pathlib import Path

import pytest
import torch

from caffe_compat.export.onnx import export_onnx
from caffe_compat.inspect.outline import StandIn
from caffe_compat.layers.base import TEST, Context
from caffe_compat.layers.registry import create_layer
from caffe_compat.net import Net
from caffe_compat.proto import text
from tests.export.nets import load, operators

PROTOTXT = Path(__file__).parents[2] / "prototxt"
QUICK = ("lenet", "quickstart")
NETS = sorted(path.stem for path in PROTOTXT.glob("*.prototxt") if not path.stem.endswith("_solver"))


def build(name):
    """The TEST net on two pictures, with statistics as a trained one has them."""
    shape = (2, 1, 28, 28) if name == "lenet" else (2, 3, 32, 32)
    param = text.read_net(str(PROTOTXT / f"{name}.prototxt"))
    param.state.phase = TEST
    for layer in param.layer:
        for fill in layer.dummy_data_param.shape:
            fill.dim[0] = shape[0]

    def create(layer, phase, context, log):
        shapes = [shape, shape[:1]]
        return (
            StandIn(layer, phase, context, shapes)
            if layer.type == "Data"
            else create_layer(layer, phase, context, log)
        )

    generator = torch.Generator().manual_seed(1)
    net = Net(param, context=Context(generator=generator), create=create)
    for layer in net.layers:
        if layer.type == "BatchNorm":
            mean, variance, count = layer.blobs
            mean.data.copy_(torch.randn(mean.shape, generator=generator) * 0.1)
            variance.data.copy_(torch.rand(variance.shape, generator=generator) + 0.5)
            count.data.fill_(1)
    return net


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NETS]
)
def test_a_net_of_prototxt_agrees(name, tmp_path):
    report = export_onnx(build(name), tmp_path / "net.onnx", dynamic_batch=True)
    assert report.outputs == {"prob": ("N", 10)}
    (comparison,) = report.comparisons
    assert comparison.relative < 1e-4
    left = {"BatchNormalization", "Dropout", "Expand", "Identity", "Mul"} & set(
        operators(load(tmp_path / "net.onnx"))
    )
    allowed: set[str] = set()
    if name.startswith(("dense", "wide")):  # normalise before they convolve
        allowed = {"BatchNormalization"}
    elif name.startswith(("bottleneck", "resnext")):  # and by the batch's own statistics, in TEST too
        allowed = {"Mul"}
    assert left <= allowed
