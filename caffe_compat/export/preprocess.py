"""Mean and scale inside the file, which then takes pictures as bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from caffe_compat.data.transform import Transformer
from caffe_compat.errors import ExportError, some
from caffe_compat.export.graph import Graph
from caffe_compat.export.plan import Plan, Value
from caffe_compat.layers.base import ONNX_FLOAT, TEST
from caffe_compat.net.net import Net
from caffe_compat.proto.binary import read_binaryproto


@dataclass(frozen=True)
class Preprocess:
    """(picture - mean) * scale, on uint8 pictures (N, C, H, W) that are cropped already.

    mean    broadcast over (C, H, W), or None
    blob    the input it is for; "" is the first one with four axes
    source  where the numbers come from, in words
    """

    mean: np.ndarray | None = None
    scale: float = 1.0
    blob: str = ""
    source: str = ""

    def __str__(self) -> str:
        steps = ["uint8 in"]
        if self.mean is not None:
            few = self.mean.size <= 4
            values = ", ".join(f"{value:g}" for value in self.mean.reshape(-1)) if few else "a picture"
            steps.append(f"minus {values}")
        if self.scale != 1:
            steps.append(f"times {self.scale:g}")
        return ", ".join(steps) + (f" ({self.source})" if self.source else "")

    def choose(self, plan: Plan) -> tuple[Value, str]:
        """The input it is for. Raises ExportError if there is none, or the mean does not fit it."""
        shapes = plan.input_shapes()
        for value, name in plan.inputs.items():
            if name != self.blob if self.blob else len(shapes[value]) != 4:
                continue
            shape = shapes[value][1:]
            if self.mean is not None and any(
                m not in (1, n) for m, n in zip(self.mean.shape, shape, strict=True)
            ):
                raise ExportError(f"a mean of shape {self.mean.shape} does not fit input '{name}' of {shape}")
            return value, name
        what = f"'{self.blob}'" if self.blob else "with four axes (pictures)"
        raise ExportError(f"no input {what} to preprocess; the inputs are: {some(plan.inputs.values())}")

    def write(self, graph: Graph, name: str) -> str:
        """The nodes; the value that has the net's numbers."""
        value = graph.node("Cast", [name], to=ONNX_FLOAT)
        if self.mean is not None:
            value = graph.node("Sub", [value, graph.constant(self.mean, name="mean")])
        if self.scale != 1:
            value = graph.node("Mul", [value, graph.constant(self.scale)])
        return value

    def apply(self, pictures: np.ndarray) -> np.ndarray:
        """What the nodes compute."""
        values = pictures.astype(np.float32)
        values = values if self.mean is None else values - self.mean
        return values * np.float32(self.scale)


def preprocess_of(
    net: Net,
    mean_file: str = "",
    mean_values: tuple[float, ...] = (),
    scale: float | None = None,
    blob: str = "",
) -> Preprocess:
    """The preprocessing of these numbers, or, where none is given, of the net's picture layer.

    A mean picture larger than the input is cut to its centre, as a TEST net does with pictures.

    Raises ExportError for a mean of another shape.
    """
    layer = next((layer for layer in net.layers if layer.param.HasField("transform_param")), None)
    source = "options"
    mean: np.ndarray | None = None
    if mean_file:
        mean = read_binaryproto(mean_file)
        mean = mean[0] if mean.ndim == 4 else mean
    elif mean_values:
        mean = np.array(mean_values)
    elif scale is None and layer is not None:
        source = f"transform_param of layer '{layer.name}'"
        transform = Transformer(
            layer.param.transform_param, TEST, torch.Generator(), layer.fail, net.context.root
        )
        scale, blob = transform.scale, blob or layer.param.top[0]
        given = transform.mean if transform.mean is not None else transform.mean_values
        mean = None if given is None else given.cpu().numpy()
    if mean is not None:
        mean = mean.astype(np.float32)
        mean = _centre(net, blob, mean) if mean.ndim == 3 else mean.reshape(-1, 1, 1)
    return Preprocess(mean, 1.0 if scale is None else scale, blob, source)


def _centre(net: Net, blob: str, mean: np.ndarray) -> np.ndarray:
    name = blob or next((n for n, shape in net.blob_shapes.items() if len(shape) == 4), "")
    shape = net.blob_shapes.get(name, mean.shape)
    (top, left), (height, width) = (
        ((a - b) // 2 for a, b in zip(mean.shape[1:], shape[2:], strict=False)),
        shape[-2:],
    )
    if min(top, left) < 0:
        raise ExportError(f"a mean picture of shape {mean.shape} is smaller than input '{name}' of {shape}")
    return mean[:, top : top + height, left : left + width]
