"""The layer list as a torch.fx graph.

The graph takes the data layers' tops and returns (loss, outputs). In-place tops rebind the
blob's name, so nothing runs in place; a Split is an alias; a bottom that must pass no gradient
on (propagate_down, or no loss above) is a detach node.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn

if TYPE_CHECKING:
    from caffe_compat.net.net import Net


class Lowered(fx.GraphModule):
    """A net's graph: call it with the data layers' tops, get (loss, {output name: tensor})."""


def lower(net: Net) -> Lowered:
    """Emit one node a layer, in file order, and the sum of the weighted losses."""
    root = nn.Module()
    graph = fx.Graph()
    values: dict[str, fx.Node] = {}
    losses: list[fx.Node] = []
    for i, layer in enumerate(net.layers):
        tops = net.top_names[i]
        if layer.is_data:
            for top in tops:
                values[top] = graph.placeholder(_identifier(top))
            results = [values[top] for top in tops]
        elif layer.type == "Split":
            results = [values[net.bottom_names[i][0]]] * len(tops)
        else:
            bottoms = [
                values[name] if need or not needs_cut(net, i, name) else graph.call_method("detach", (values[name],))
                for name, need in zip(net.bottom_names[i], net.bottom_need_backward[i], strict=True)
            ]
            target = _unique(root, _identifier(layer.name))
            root.add_module(target, layer)
            node = graph.call_module(target, tuple(bottoms))
            results = [node] if len(tops) == 1 else [graph.call_function(_item, (node, k)) for k in range(len(tops))]
        for top, result, weight in zip(tops, results, net.loss_weights[i], strict=True):
            values[top] = result
            if weight:
                losses.append(graph.call_function(weighted, (result, weight)))
    graph.output((_total(graph, losses), {name: values[name] for name in net.outputs}))
    graph.lint()
    return Lowered(root, graph)


def needs_cut(net: Net, index: int, bottom: str) -> bool:
    """Whether a gradient would flow into this bottom although Caffe stops it there."""
    return bool(net.layers[index].param.propagate_down) or not net.layer_need_backward[index]


def weighted(top: Tensor, weight: float) -> Tensor:
    """A top's share of the loss: its weight times the sum of its elements, as a 0-dim tensor."""
    total = top.sum() if top.dim() else top
    return total if weight == 1 else total * weight


def _total(graph: fx.Graph, losses: list[fx.Node]) -> Any:
    if not losses:
        return graph.call_function(torch.zeros, ((),))
    total = losses[0]
    for loss in losses[1:]:
        total = graph.call_function(torch.add, (total, loss))
    return total


def _item(values: tuple[Tensor, ...], index: int) -> Tensor:
    return values[index]


def _identifier(name: str) -> str:
    clean = re.sub(r"\W", "_", name)
    return clean if clean and not clean[0].isdigit() else f"_{clean}"


def _unique(root: nn.Module, name: str) -> str:
    candidate, count = name, 1
    while hasattr(root, candidate):
        candidate, count = f"{name}_{count}", count + 1
    return candidate
