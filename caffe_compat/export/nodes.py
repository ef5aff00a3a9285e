"""The nodes that the layers of a net write, under Caffe's names."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from caffe_compat.export.graph import Graph, first_difference
from caffe_compat.export.plan import Plan, Value, judges
from caffe_compat.export.preprocess import Preprocess
from caffe_compat.export.sizes import Open
from caffe_compat.layers.base import Layer


def write_graph(plan: Plan, sizes: Open, opset: int, preprocess: Preprocess | None = None) -> Graph:
    """Every needed layer's nodes, not yet simplified."""
    net = plan.net
    names: dict[Value, str] = {value: name for name, value in plan.outputs.items()} | plan.inputs
    kept = {*plan.outputs, *plan.inputs.values()}
    last = {name: (i, k) for i in plan.layers for k, name in enumerate(net.top_names[i])}
    graph = Graph(opset, {*net.blob_names, *plan.outputs})
    for value, name in plan.inputs.items():
        graph.shapes[name] = sizes.shapes[value]
    for value, numbers in plan.fills.items():
        graph.layer = net.layers[value[0]]
        names[value] = _fill(graph, plan, sizes, value, numbers)
        graph.values[names[value]] = plan.known[value]
    if preprocess is not None:
        value, name = preprocess.choose(plan)
        graph.layer = net.layers[value[0]]
        names[value] = preprocess.write(graph, name)
        graph.shapes[names[value]] = sizes.shapes[value]
    for i in plan.layers:
        layer = graph.layer = net.layers[i]
        if plan.is_input(i):
            continue
        for k, name in enumerate(net.top_names[i]):
            if (i, k) not in names:  # in place, the last one has the blob's name, unless an input has it
                head = name if last.get(name) == (i, k) and name not in kept else f"{name}_{layer.name}"
                names[i, k] = head if head == name else graph.unique(head)
            graph.shapes[names[i, k]] = sizes.shapes[i, k]
            if (i, k) in plan.known:
                graph.values[names[i, k]] = plan.known[i, k]
        tops = [names[i, k] for k in range(len(net.top_names[i]))]
        tops = [graph.unique(top) if (i, k) in plan.inputs else top for k, top in enumerate(tops)]
        bottoms = [names[value] for value in plan.bottoms(i)]
        try:
            layer.to_onnx(graph, bottoms, tops[-1:] if judges(layer) else tops)
        except TypeError:  # it reckons with sizes that are words
            if not sizes.sizes:
                raise
            _fixes_size(layer)
    for name, value in plan.outputs.items():  # an input as it is, or one value under two names
        if names[value] != name:
            graph.layer = net.layers[value[0]]
            graph.node("Identity", [names[value]], [name])
    graph.layer = None
    return graph


def check_open(plan: Plan, sizes: Open, graph: Graph, preprocess: Preprocess | None) -> None:
    """Raise LayerError for a layer whose nodes hold sizes that are to stay open: of other sizes it writes others."""
    if not sizes.sizes:
        return
    base = plan.input_shapes()
    for larger in (1, 2, 5):
        with plan.undisturbed():
            plan.propagate(sizes.resized(base, lambda group, n=larger: group.base + n * group.step))  # type: ignore[misc]
            other = write_graph(plan, sizes, graph.opset, preprocess)
        node = first_difference(graph, other)
        if node is not None:
            _fixes_size(node.layers[0])


def _fixes_size(layer: Layer) -> NoReturn:
    layer.fail(
        "cannot be exported for pictures of any size: what its `to_onnx` writes is for one size; leave --dynamic-size out"
    )


def _fill(graph: Graph, plan: Plan, sizes: Open, value: Value, numbers: np.ndarray) -> str:
    """One number, or one for each row, in the shape of a blob, as large as the inputs that it goes with."""
    name, shape = plan.name(value), sizes.shapes[value]
    lengths = [graph.constant([size]) if isinstance(size, int) else "" for size in shape]
    if value in sizes.axes:
        other = next(v for v in plan.inputs if sizes.word(v) == sizes.word(value))
        lengths[sizes.axes[value]] = graph.size(plan.inputs[other], sizes.axes[other])
        whole = graph.node("Concat", lengths, axis=0)
    else:
        whole = graph.constant([int(size) for size in shape])
    graph.shapes[name] = shape
    if not numbers.ndim:
        graph.fills[name] = float(numbers)
    return graph.node("Expand", [graph.constant(numbers), whole], [name])
