"""A graph as ONNX's messages, without its constants."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from caffe_compat import __version__
from caffe_compat.errors import ExportError
from caffe_compat.export.graph import Body, Graph, Node
from caffe_compat.export.plan import Plan
from caffe_compat.export.preprocess import Preprocess
from caffe_compat.layers.base import ONNX_FLOAT, Dim, Layer
from caffe_compat.proto.text import to_text

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

_UINT8 = 2  # TensorProto's data type


def make_model(
    graph: Graph,
    plan: Plan,
    inputs: dict[str, tuple[Dim, ...]],
    outputs: dict[str, tuple[Dim, ...]],
    preprocess: Preprocess | None,
) -> ModelProto:
    """The model of these inputs and outputs, by name and shape."""
    from onnx import helper

    pictures = preprocess.choose(plan)[1] if preprocess is not None else None
    values = {
        name: helper.make_tensor_value_info(name, _UINT8 if name == pictures else ONNX_FLOAT, shape)
        for name, shape in {**graph.shapes, **inputs, **outputs}.items()
    }
    made = {name for node in graph.nodes for name in node.outputs}
    body = helper.make_graph(
        [_node(node, name) for node, name in zip(graph.nodes, _node_names(graph), strict=True)],
        plan.net.name or "net",
        [values[name] for name in inputs],
        [values[name] for name in outputs],
        value_info=[info for name, info in values.items() if name in made and name not in outputs],
    )
    imports = [helper.make_opsetid("", graph.opset)]
    return helper.make_model(
        body,
        opset_imports=imports,
        ir_version=helper.find_min_ir_version_for(imports),
        producer_name="caffe_compat",
        producer_version=__version__,
    )


def _node(node: Node, name: str) -> NodeProto:
    from onnx import helper

    attributes = {
        key: _body(value, f"{name}/{key}") if isinstance(value, Body) else value
        for key, value in node.attributes.items()
    }
    words = "; ".join(_describe_layer(layer) for layer in node.layers)
    return helper.make_node(node.op_type, node.inputs, node.outputs, name, words, **attributes)


def _body(body: Body, name: str) -> GraphProto:
    from onnx import helper

    nodes = [_node(node, f"{name}/{i}") for i, node in enumerate(body.nodes)]
    inputs, outputs = (
        [helper.make_value_info(value, helper.make_tensor_type_proto(ONNX_FLOAT, None)) for value in values]
        for values in (body.inputs, body.outputs)
    )
    return helper.make_graph(nodes, name, inputs, outputs)


def _node_names(graph: Graph) -> list[str]:
    """A layer's name for the last of its nodes, `layer/Operator` for those before."""
    last = {node.layers[0].name: i for i, node in enumerate(graph.nodes) if node.layers}
    names: list[str] = []
    taken: set[str] = set()
    for i, node in enumerate(graph.nodes):
        layer = node.layers[0].name if node.layers else "preprocess"
        name = layer if last.get(layer) == i else f"{layer}/{node.op_type}"
        count, candidate = 1, name
        while candidate in taken:
            count += 1
            candidate = f"{name}_{count}"
        taken.add(candidate)
        names.append(candidate)
    return names


def _describe_layer(layer: Layer) -> str:
    place = f", {layer.param.origin}" if layer.param.origin else ""
    return f"{layer.name} ({layer.type}){place}"


def describe(model: ModelProto, plan: Plan, preprocess: Preprocess | None, sources: Sequence[str]) -> None:
    """Add what the file came from, as metadata."""
    net = plan.net
    entries = {"caffe.net": net.name, "caffe.phase": "TRAIN" if net.phase == 0 else "TEST"}
    if net.param.state.level:
        entries["caffe.level"] = str(net.param.state.level)
    if any(net.param.state.stage):
        entries["caffe.stage"] = ",".join(net.param.state.stage)
    if plan.inputs:
        entries["caffe.channels"] = "BGR, as Caffe reads pictures"
    for value, name in plan.inputs.items():
        param = net.layers[value[0]].param
        if param.HasField("transform_param"):
            entries[f"caffe.transform_param.{name}"] = to_text(param.transform_param).strip()
    if preprocess is not None:
        entries["caffe.preprocess"] = str(preprocess)
    for path in sources:
        entries[f"source.{os.path.basename(path)}"] = f"sha256:{_sha256(path)}"
    for key, words in entries.items():
        model.metadata_props.add(key=key, value=words)


def _sha256(path: str) -> str:
    try:
        with open(path, "rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
            return digest.hexdigest()
    except OSError as error:
        raise ExportError(f"{path}: cannot be read: {error.strerror}; check the path") from error
