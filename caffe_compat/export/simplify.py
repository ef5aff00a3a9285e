"""Passes that leave fewer nodes and the same numbers up to rounding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from caffe_compat.export.graph import Graph, Node


def simplify(graph: Graph, outputs: Collection[str]) -> None:
    """Run all passes; `outputs` are values that must keep their names and what they hold."""
    remove_identities(graph, outputs)
    pad_with_fills(graph)
    fold_affine(graph, outputs)
    remove_unread(graph, outputs)


def remove_identities(graph: Graph, outputs: Collection[str]) -> None:
    """A copy and its original become one value, under the later name, which is the blob's of layers in place."""
    makers = {name: node for node in graph.nodes for name in node.outputs}
    for copy in [node for node in graph.nodes if node.op_type == "Identity"]:
        (source,), (target,) = copy.inputs, copy.outputs
        if source in makers and source not in outputs:
            maker = makers[source]
            maker.outputs = [target if name == source else name for name in maker.outputs]
            makers[target] = maker
            source, target = target, source
        elif target in outputs:
            continue
        graph.nodes.remove(copy)
        for node in graph.nodes:
            node.rename(target, source)


def pad_with_fills(graph: Graph) -> None:
    """A Concat of one value and fills of one number, before or after it, becomes a Pad."""
    for node in graph.nodes:
        if node.op_type != "Concat":
            continue
        axis, real = node.attributes["axis"], [name for name in node.inputs if name not in graph.fills]
        numbers = {graph.fills[name] for name in node.inputs if name in graph.fills}
        if len(real) != 1 or len(numbers) != 1:
            continue
        at, shapes = node.inputs.index(real[0]), [graph.shapes[name] for name in node.inputs]
        lengths = [shape[axis] for shape in shapes]
        if any(isinstance(n, str) for i, n in enumerate(lengths) if i != at):
            continue
        pads = np.zeros((2, len(shapes[at])), np.int64)
        pads[:, axis] = sum(map(int, lengths[:at])), sum(map(int, lengths[at + 1 :]))
        node.op_type, node.attributes = "Pad", {}
        node.inputs = [real[0], graph.constant(pads.reshape(-1)), graph.constant(numbers.pop())]


class Affine(NamedTuple):
    """factor * x + shift, each one number or one a channel (axis 1)."""

    factor: np.ndarray
    shift: np.ndarray


def fold_affine(graph: Graph, outputs: Collection[str]) -> None:
    """BatchNormalization, and Mul and Add with one number a channel, go into the node before them.

    That is a Conv, ConvTranspose or Gemm, whose weights take them up, or another BatchNormalization. Weights
    that are shared stay as they are.
    """
    reads = Counter(name for node in graph.nodes for name in node.reads())
    makers: dict[str, Node] = {}
    kept: list[Node] = []
    for node in graph.nodes:
        maker = makers.get(node.inputs[0]) if node.inputs else None
        if maker is not None and len(maker.outputs) == 1 and reads[node.inputs[0]] == 1:
            affine = _affine(graph, node, maker) if node.inputs[0] not in outputs else None
            if affine is not None and _absorb(graph, maker, affine, reads):
                maker.outputs = node.outputs
                maker.layers += [layer for layer in node.layers if layer not in maker.layers]
                makers[node.outputs[0]] = maker
                continue
        kept.append(node)
        makers.update(dict.fromkeys(node.outputs, node))
    graph.nodes[:] = kept


def _affine(graph: Graph, node: Node, maker: Node) -> Affine | None:
    """What `node` does to the output of `maker`, if it is that."""
    operands = [graph.constants.get(name) for name in node.inputs[1:]]
    channels = _channels(graph, maker)
    if not channels or not operands or any(array is None for array in operands):
        return None
    arrays = [array.astype(np.float64) for array in operands if array is not None]
    if node.op_type == "BatchNormalization":
        gamma, beta, mean, variance = arrays
        factor = gamma / np.sqrt(variance + node.attributes["epsilon"])
        return Affine(factor, beta - mean * factor)
    if node.op_type not in ("Mul", "Add"):
        return None
    (value,) = arrays
    spread = (channels, *[1] * (_axes(graph, maker) - 2))
    if value.size != 1 and value.shape not in (spread, (1, *spread)):
        return None
    value = value.reshape(-1)
    return Affine(value, np.zeros(1)) if node.op_type == "Mul" else Affine(np.ones(1), value)


def _axes(graph: Graph, maker: Node) -> int:
    """How many axes the node's output has."""
    if maker.op_type == "BatchNormalization":
        return len(graph.shapes.get(maker.inputs[0], (1, 1)))
    return graph.constants[maker.inputs[1]].ndim


def _channels(graph: Graph, maker: Node) -> int:
    """How many channels the node's output has, if it is one that an affine map can go into, else 0."""
    weight = graph.constants.get(maker.inputs[1]) if len(maker.inputs) > 1 else None
    if weight is None:
        return 0
    match maker.op_type:
        case "Conv" | "BatchNormalization":
            return weight.shape[0]
        case "ConvTranspose":
            return weight.shape[1] * maker.attributes["group"]
        case "Gemm":
            return weight.shape[0 if maker.attributes["transB"] else 1]
    return 0


def _absorb(graph: Graph, maker: Node, affine: Affine, reads: Counter[str]) -> bool:
    """Change the node's constants so that it does `affine` as well; False if they are not its own."""
    channels = _channels(graph, maker)
    factor, shift = (np.broadcast_to(array, channels) for array in affine)
    if maker.op_type == "BatchNormalization":
        gamma, beta = (graph.constants[name].astype(np.float64) for name in maker.inputs[1:3])
        for i, (name, value) in enumerate((("scale", gamma * factor), ("bias", beta * factor + shift)), 1):
            maker.inputs[i] = _new(graph, maker, name, value)
        return True
    name, bias = maker.inputs[1], maker.inputs[2] if len(maker.inputs) > 2 else ""
    if reads[name] > 1 or reads[bias] > 1 or (bias and bias not in graph.constants):
        return False
    if (factor != 1).any():
        graph.constants[name] = _scaled(graph.constants[name], factor, maker)
    old = graph.constants[bias].astype(np.float64) if bias else np.zeros(1)
    value = old * factor + shift
    if bias:
        graph.constants[bias] = value.astype(np.float32)
    elif value.any():
        maker.inputs[2:] = [_new(graph, maker, "bias", value)]
        reads[maker.inputs[2]] += 1
    return True


def _scaled(weight: np.ndarray, factor: np.ndarray, maker: Node) -> np.ndarray:
    """The weights with those of each channel of the output multiplied by its factor."""
    split = weight
    if maker.op_type == "Gemm":
        factor = factor[:, None] if maker.attributes["transB"] else factor
    elif maker.op_type == "Conv":
        factor = factor.reshape(-1, *[1] * (weight.ndim - 1))
    else:  # ConvTranspose: (channels in, channels out of a group, ...), one group after the other on axis 0
        groups = maker.attributes["group"]
        split = weight.reshape(groups, -1, *weight.shape[1:])
        factor = factor.reshape(groups, 1, -1, *[1] * (weight.ndim - 2))
    # Multiplied in float64, piece by piece: no second array of that size.
    scaled = np.multiply(split, factor, out=np.empty_like(split, np.float32), casting="same_kind")
    return scaled.reshape(weight.shape)


def _new(graph: Graph, maker: Node, name: str, value: np.ndarray) -> str:
    name = graph.unique(f"{maker.layers[0].name}/{name}")
    graph.constants[name] = value.astype(np.float32)
    return name


def remove_unread(graph: Graph, outputs: Collection[str]) -> None:
    """Nodes and constants that no output needs."""
    needed, kept = set(outputs), []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            needed.update(node.reads())
            kept.append(node)
    graph.nodes[:] = reversed(kept)
    graph.constants = {name: array for name, array in graph.constants.items() if name in needed}
