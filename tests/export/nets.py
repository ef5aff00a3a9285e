"""Small nets for the tests of the exporter."""

import numpy as np
import onnx
import onnxruntime
import torch

from caffe_compat.export.onnx import export_onnx
from caffe_compat.layers.base import TEST, Context
from caffe_compat.net import Net
from caffe_compat.proto import NetParameter
from caffe_compat.proto.text import parse
from caffe_compat.pycaffe import Net as PycaffeNet


def make_net(text: str, phase: int = TEST, seed: int = 1) -> Net:
    """The net of `text`, its blobs filled with numbers between 0.1 and 0.6 if they have no filler's."""
    param = parse(text, NetParameter, "net.prototxt")
    param.state.phase = phase
    generator = torch.Generator().manual_seed(seed)
    net = Net(param, context=Context(generator=generator))
    for layer in net.layers:
        for blob in layer.owned_blobs():
            blob.data.copy_(torch.rand(blob.shape, generator=generator) * 0.5 + 0.1)
    return net


def data(*shape: int, name: str = "data") -> str:
    """An Input layer."""
    dims = " ".join(f"dim: {n}" for n in shape)
    return f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}\n'


def layer(type: str, bottoms: str, top: str, parameters: str = "", name: str = "") -> str:
    """A layer of one top, called as its top unless `name` says otherwise."""
    lines = "".join(f' bottom: "{bottom}"' for bottom in bottoms.split())
    return f'layer {{ name: "{name or top}" type: "{type}"{lines} top: "{top}" {parameters} }}\n'


def convolution(bottom: str, top: str, outputs: int = 4, more: str = "") -> str:
    return layer(
        "Convolution",
        bottom,
        top,
        f"convolution_param {{ num_output: {outputs} kernel_size: 3 pad: 1 }} {more}",
    )


POOL = "pooling_param { kernel_size: 3 stride: 2 }"
IP = "inner_product_param { num_output: 7 }"
# A small net whose scaling goes into its weights.
SCALED = (
    data(2, 3, 8, 9)
    + convolution("data", "conv")
    + layer("BatchNorm", "conv", "conv", name="bn")
    + layer("Scale", "conv", "conv", "scale_param { bias_term: true }", name="scale")
    + layer("ReLU", "conv", "conv", name="relu")
    + layer("Dropout", "conv", "conv", name="drop")
    + layer("Pooling", "conv", "pool", POOL)
    + layer("InnerProduct", "pool", "ip", IP)
)
LABELLED = (
    SCALED
    + data(2, name="label")
    + layer("Accuracy", "ip label", "accuracy")
    + layer("SoftmaxWithLoss", "ip label", "loss")
)


def outputs_of(net, x):
    """The net's own numbers."""
    view = PycaffeNet.over(net)
    view.blobs["data"].reshape(*x.shape)
    return view.forward(data=x)


def load(path) -> onnx.ModelProto:
    return onnx.load(str(path))


def run(path, **feeds) -> list[np.ndarray]:
    """The file's outputs, by ONNX Runtime."""
    return onnxruntime.InferenceSession(str(path)).run(None, feeds)


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


# The exporter's oldest and default ones, and one of the newest that the runtime takes.
OPSETS = [13, 18, 25]


def exported(folder, text, shapes, opset=18, tops=("y",), blobs=None, **options):
    """A net of one layer of `text` on inputs x0, x1, ..., and the session of its file; `blobs` are filled with numbers."""
    inputs = "".join(data(*shape, name=f"x{i}") for i, shape in enumerate(shapes))
    names = " ".join(f'bottom: "x{i}"' for i in range(len(shapes)))
    names += "".join(f' top: "{top}"' for top in tops)
    net = make_net(f'{inputs} layer {{ name: "l" {names} {text} }}')
    for index, value in (blobs or {}).items():
        net.layers[-1].blobs[index].data.fill_(value)
    path = f"{folder}/net.onnx"
    export_onnx(net, path, outputs=list(tops), opset=opset, check=False, **options)
    return net.layers[-1], onnxruntime.InferenceSession(path)


def assert_same(layer, session, arrays):
    """Both give the same rows; returns how many."""
    arrays = [np.asarray(array, np.float32) for array in arrays]
    layer.reshape(*(array.shape for array in arrays))
    with torch.no_grad():
        ours = layer(*map(torch.from_numpy, arrays))
    ours = (ours,) if isinstance(ours, torch.Tensor) else ours
    theirs = session.run(None, {value.name: arrays[int(value.name[1:])] for value in session.get_inputs()})
    for mine, other in zip(ours, theirs, strict=True):
        assert other.shape == tuple(mine.shape)
        np.testing.assert_allclose(other, mine.numpy(), rtol=1e-5, atol=1e-5)
    return ours[0].shape
