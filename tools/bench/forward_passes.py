"""Rows of the benchmark about inference: a deploy net's forward pass, beside torch.nn, ONNX Runtime, OpenCV and Caffe."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tools.bench import pictures, real_caffe
from tools.bench.run import OURS, ROWS, Row, Setup, in_turns, seconds


def forward(setup: Setup, name: str, batch: int) -> Row:
    """Through pycaffe's interface, every blob in reach afterwards."""
    import caffe_compat as caffe

    write, module = pictures.NETS[name]
    proto, weights = f"{setup.folder}/{name}_{batch}.prototxt", f"{setup.folder}/{name}.caffemodel"
    Path(proto).write_text(write(batch))
    net = caffe.Net(proto, caffe.TEST)
    torch.manual_seed(0)
    by_hand = module().eval()
    copy_weights(net, by_hand)
    net.save(weights)
    x = np.random.default_rng(0).standard_normal((batch, *net.blobs["data"].shape[1:]), np.float32)
    net.blobs["data"].data[...] = x
    innermost = module().eval()
    innermost.load_state_dict(by_hand.state_dict())
    innermost = innermost.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    tensor = torch.from_numpy(x)
    picture = tensor.to(memory_format=torch.channels_last)

    def quietly(model: torch.nn.Module, value: torch.Tensor) -> float:
        with torch.inference_mode():
            return seconds(lambda: model(value))

    runs: dict[str, Callable[[], float]] = {
        OURS: lambda: seconds(net.forward),
        "torch.nn": lambda: quietly(by_hand, tensor),
        "torch.nn, channels_last": lambda: quietly(innermost, picture),
    }
    with contextlib.suppress(ImportError):
        runs.update(onnx_runtime(net, x, f"{setup.folder}/{name}_{batch}.onnx"))
    with contextlib.suppress(ImportError):
        runs.update(opencv(proto, weights, x))
    if setup.caffe:
        runs[real_caffe.NAME] = real_caffe.forward(setup.caffe, proto)
    what = f"forward pass of {name}, batch {batch}"
    return Row(f"{name} {batch}", what, "s", in_turns(setup.repeat, runs), base="torch.nn", limit=1)


def copy_weights(net: Any, module: torch.nn.Module) -> None:
    """Give a pycaffe net the module's weights, and BatchNorm layers what nn.BatchNorm2d is born with."""
    layers = [layer for layer in net.core.layers if layer.type in ("Convolution", "InnerProduct")]
    blobs = [blob for layer in layers for blob in layer.blobs]
    with torch.no_grad():
        for blob, value in zip(blobs, pictures.learned(module), strict=True):
            blob.copy_(value)
        for layer in net.core.layers:
            if layer.type == "BatchNorm":  # mean 0 and variance 1
                layer.blobs[1].fill_(1)
                layer.blobs[2].fill_(1)


def onnx_runtime(net: Any, x: np.ndarray, path: str) -> dict[str, Callable[[], float]]:
    """ONNX Runtime on the file that this package exports."""
    import onnxruntime

    import caffe_compat

    caffe_compat.export_onnx(net, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return {"ONNX Runtime": lambda: seconds(lambda: session.run(None, {"data": x}))}


def opencv(proto: str, weights: str, x: np.ndarray) -> dict[str, Callable[[], float]]:
    """OpenCV's dnn on the Caffe files, which it reads until version 4, unless they have a layer that it lacks."""
    import cv2

    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        return {}
    net = cv2.dnn.readNetFromCaffe(proto, weights)
    net.setInput(x)
    try:
        net.forward()
    except cv2.error as error:
        print(f"OpenCV is left out: {error}", file=sys.stderr)
        return {}

    def sample() -> float:
        net.setInput(x)
        return seconds(net.forward)

    return {f"OpenCV {cv2.__version__} dnn": sample}


for _name in pictures.NETS:
    for _batch in (1, 16, 64):
        ROWS[f"{_name}_{_batch}"] = partial(forward, name=_name, batch=_batch)
