"""The layer list as a torch.fx graph.

The graph takes the data layers' tops and returns (loss, outputs). In-place tops rebind the
blob's name, so nothing runs in place; later readers of other blobs in that memory get the new values
(net/sharing.py); a Split is an alias; a bottom that must pass no gradient on (propagate_down, or no
loss above) is a detach node.

With N virtual replicas the inputs hold N times the records, row i being replica i mod N's. Layers that
treat records one by one (and BatchNorm, which groups them) run once; the losses and scores at the end run
for each replica on its rows, the total loss is their mean, and outputs are replica 0's.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, fx, nn

from caffe_compat.layers.base import Layer
from caffe_compat.net.sharing import resolved
from caffe_compat.net.wiring import Wiring


class Lowered(fx.GraphModule):
    """A net's graph: call it with the data layers' tops, get (loss, {output name: tensor})."""


# Names that no layer's module may have, for other modules of its graph too.
_TAKEN = frozenset(dir(Lowered)) | {"parameter_groups"}


class Reshaping(fx.Interpreter):
    """Runs a net's graph and tells each layer its bottoms' shapes first, for nets where they change as they go."""

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        layer = self.fetch_attr(target)
        if isinstance(layer, Layer):
            layer.reshape(*(tuple(bottom.shape) for bottom in args))
        return super().call_module(target, args, kwargs)


def lower(
    net: Wiring, outputs: Iterable[str] | None = None, cut: Callable[[Wiring, int], bool] | None = None
) -> Lowered:
    """Emit one node a layer, in file order, and the sum of the weighted losses.

    `outputs` are the blobs that the graph returns, the net's own unless given; `cut` says at which layers (by index)
    gradients may stop: `needs_cut` unless given.
    With virtual replicas the graph returns (mean loss of the replicas, outputs, loss of replica 0).
    """
    return _Lowering(net, net.outputs if outputs is None else outputs, cut or needs_cut).run()


class _Lowering:
    def __init__(self, net: Wiring, outputs: Iterable[str], cut: Callable[[Wiring, int], bool]):
        self.outputs = list(outputs)
        self.net = net = resolved(net, self.outputs)
        self._cuts = [cut(net, i) for i in range(len(net.layers))]
        self._weights = net.weights_by_blob()
        self.replicas = net.context.virtual_replicas
        self.root = nn.Module()
        self.graph = fx.Graph()
        self.values: dict[str, fx.Node] = {}
        self.losses: list[fx.Node] = []
        self.first_losses: list[fx.Node] = []  # replica 0's own
        self.first_only: set[str] = set()  # blobs of which only replica 0's part is computed

    def run(self) -> Lowered:
        net, values = self.net, self.values
        for i, layer in enumerate(net.layers):
            tops = net.top_names[i]
            if layer.is_data:
                results = [self.graph.placeholder(self._argument(top)) for top in tops]
            elif layer.is_alias:
                results = [values[net.bottom_names[i][0]]] * len(tops)
            else:
                target = unique(_identifier(layer.name), lambda name: hasattr(self.root, name))
                self.root.add_module(target, layer)
                if self.replicas > 1 and not layer.per_record():
                    self._each_replica(i, target)
                    continue
                results = self._call(i, target, self._bottoms(i))
            values.update(zip(tops, results, strict=True))
            self._add_losses(i, results)
        shown = (self._total(self.first_losses),) if self.replicas > 1 else ()
        outputs = {name: self._output(name) for name in self.outputs}
        self.graph.output((self._total(self.losses), outputs, *shown))
        self.graph.lint()
        return Lowered(self.root, self.graph)

    def _argument(self, top: str) -> str:
        taken = {node.target for node in self.graph.nodes}
        return unique(_identifier(top), taken.__contains__)

    def _bottoms(self, i: int) -> list[fx.Node]:
        names, needs = self.net.bottom_names[i], self.net.bottom_need_backward[i]
        return [
            self.values[name] if need or not self._cuts[i] else self._node("detach", self.values[name])
            for name, need in zip(names, needs, strict=True)
        ]

    def _node(self, method: str, value: fx.Node) -> fx.Node:
        return self.graph.call_method(method, (value,))

    def _call(self, i: int, target: str, bottoms: list[fx.Node]) -> list[fx.Node]:
        node = self.graph.call_module(target, tuple(bottoms))
        tops = len(self.net.top_names[i])
        return [node] if tops == 1 else [self.graph.call_function(_item, (node, k)) for k in range(tops)]

    def _rows_of(self, value: fx.Node, replica: int) -> fx.Node:
        return self.graph.call_function(_rows, (value, replica, self.replicas))

    def _each_replica(self, i: int, target: str) -> None:
        """Layer i on the rows of every replica that counts: all where there is a loss, else only replica 0."""
        weights = self._loss_weights(i)
        bottoms = self._bottoms(i)
        if any(weights) and self.net.layers[i].averages_replicas():
            self._all_replicas(i, target, bottoms)
            return
        for replica in range(self.replicas if any(weights) else 1):
            results = self._call(i, target, [self._rows_of(bottom, replica) for bottom in bottoms])
            if replica == 0:
                self.values.update(zip(self.net.top_names[i], results, strict=True))
                self.first_only.update(self.net.top_names[i])
            for result, weight, name in zip(results, weights, self.net.top_names[i], strict=True):
                if weight:
                    result = self._node("detach", result) if self._is_overwritten(i, name) else result
                    self.losses.append(self._weighted(result, weight / self.replicas))
                    if replica == 0:
                        self.first_losses.append(self._weighted(result, weight))

    def _all_replicas(self, i: int, target: str, bottoms: list[fx.Node]) -> None:
        """The loss of layer i on the rows of all replicas, and replica 0's to show."""
        (name,), (weight,) = self.net.top_names[i], self._loss_weights(i)
        (result,) = self._call(i, target, bottoms)
        result = self._node("detach", result) if self._is_overwritten(i, name) else result
        self.losses.append(self._weighted(result, weight))
        (own,) = self._call(i, target, [self._rows_of(self._node("detach", b), 0) for b in bottoms])
        self.values[name] = own
        self.first_only.add(name)
        self.first_losses.append(self._weighted(own, weight))

    def _loss_weights(self, i: int) -> list[float]:
        """What each top of layer i counts in the loss; tops that are one blob, in place, have one weight."""
        names = self.net.top_names[i]
        return [
            weight and self._weights[name]
            for name, weight in zip(names, self.net.loss_weights[i], strict=True)
        ]

    def _is_overwritten(self, i: int, name: str) -> bool:
        """Whether the weight of layer i's top counts in the loss only, and not in the gradient: Caffe keeps it in the
        blob's diff, where the backward of a layer that reads the blob overwrites it."""
        return any(
            need and name == bottom
            for k in range(i + 1, len(self.net.layers))
            if self.net.layer_need_backward[k]
            for bottom, need in zip(self.net.bottom_names[k], self.net.bottom_need_backward[k], strict=True)
        )

    def _add_losses(self, i: int, results: list[fx.Node]) -> None:
        for result, weight, name in zip(results, self._loss_weights(i), self.net.top_names[i], strict=True):
            if weight:
                result = self._node("detach", result) if self._is_overwritten(i, name) else result
                self.losses.append(self._weighted(result, weight / self.replicas))
                if self.replicas > 1:
                    self.first_losses.append(self._weighted(self._rows_of(result, 0), weight))

    def _weighted(self, value: fx.Node, weight: float) -> fx.Node:
        return self.graph.call_function(weighted, (value, weight))

    def _output(self, name: str) -> fx.Node:
        value = self.values[name]
        return value if self.replicas == 1 or name in self.first_only else self._rows_of(value, 0)

    def _total(self, losses: list[fx.Node]) -> fx.Node:
        if not losses:
            return self.graph.call_function(torch.zeros, ((),), {"device": self.net.device})
        total = losses[0]
        for loss in losses[1:]:
            total = self.graph.call_function(torch.add, (total, loss))
        return total


def needs_cut(net: Wiring, index: int) -> bool:
    """Whether a gradient could flow into layer `index`'s bottoms although Caffe stops it there.

    A net without a loss stops none: whoever puts a loss on its module wants them all.
    """
    has_loss = any(net.layer_need_backward) or (bool(net.learned) and bool(net.weights_by_blob()))
    return has_loss and (bool(net.layers[index].param.propagate_down) or not net.layer_need_backward[index])


def cut_by_file(net: Wiring, index: int) -> bool:
    """Whether gradients stop at layer `index` whatever is to be learned: propagate_down says so, or it has none.

    Where Caffe stops them because nothing below is learned, torch finds that out from what requires a gradient.
    """
    layer = net.layers[index]
    return needs_cut(net, index) and (bool(layer.param.propagate_down) or layer.is_metric or layer.on_host)


def weighted(top: Tensor, weight: float) -> Tensor:
    """A top's share of the loss: its weight times the sum of its elements, as a 0-dim tensor."""
    total = top.sum() if top.dim() else top
    return total if weight == 1 else total * weight


def _rows(value: Tensor, replica: int, replicas: int) -> Tensor:
    return value[replica::replicas]


def _item(values: tuple[Tensor, ...], index: int) -> Tensor:
    return values[index]


def _identifier(name: str) -> str:
    """`name` as one that Python takes in the code that fx writes, and that is no attribute of its module."""
    clean = re.sub(r"\W", "_", name, flags=re.ASCII)
    good = clean[:1].isalpha() and clean != "self" and not keyword.iskeyword(clean) and clean not in _TAKEN
    return clean if good else f"x_{clean}"


def unique(name: str, is_taken: Callable[[str], bool]) -> str:
    """`name`, or with a number behind it the first that is not taken."""
    candidate, count = name, 1
    while is_taken(candidate):
        candidate, count = f"{name}_{count}", count + 1
    return candidate
