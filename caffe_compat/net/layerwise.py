"""Run a net one layer at a time, every blob and diff in sight.

Caffe's backward is per layer: it reads the top diffs that stand in the blobs (the user may have
written them), overwrites the bottom diffs and adds to the blobs' diffs, from any layer to any
other. One autograd graph over the whole net cannot do that, so each layer gets its own here.
`debug_info`, timing and the pycaffe interface run this; training runs `lower`'s graph, and so does
a whole forward pass that nothing watches, through a graph that returns every blob.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from caffe_compat.errors import NetError
from caffe_compat.layers.base import Layer
from caffe_compat.layers.python import Python
from caffe_compat.log.write import Log
from caffe_compat.net import debug_info
from caffe_compat.net.blobs import Blobs
from caffe_compat.net.execution import Settings, laid_out
from caffe_compat.net.fuse import fuse
from caffe_compat.net.lower import lower
from caffe_compat.net.packed import Packs
from caffe_compat.net.wiring import Wiring
from caffe_compat.proto import TRAIN

Hook = Callable[[int], None]


class Layerwise(Blobs):
    """The blobs of a net by name, and layer-by-layer forward and backward over them.

    Attributes:
        before_forward, after_forward, before_backward, after_backward: called with the layer's index.
    """

    def __init__(self, net: Wiring, settings: Settings, log: Log):
        super().__init__(net)
        self._settings, self._log = settings, log
        self._overwritten = {  # by which layer, the last one
            self._owner.get(name, name): i
            for i, names in enumerate(net.top_names)
            for k, name in enumerate(names)
            if net.is_in_place(i, k)
        }
        self._tape: dict[int, tuple[list[Tensor], list[Tensor]]] = {}
        self._shaped_for: dict[int, list[tuple[int, ...]]] = {}
        self._graph: Callable[..., Any] | None = None
        self._graph_shapes: dict[str, tuple[int, ...]] = {}
        self.before_forward: list[Hook] = []
        self.after_forward: list[Hook] = []
        self.before_backward: list[Hook] = []
        self.after_backward: list[Hook] = []

    def forward(self, start: int = 0, end: int | None = None) -> Tensor:
        """Run layers start..end (both included) on the blobs as they stand; returns their weighted loss."""
        net = self._net
        end = len(net.layers) - 1 if end is None else end
        self._check(start, end)
        with self._settings.execution.products(net.device):
            if end - start == len(net.layers) - 1 and self._unwatched():
                return self._forward_graph()
            return self._forward_layers(start, end)

    def _forward_layers(self, start: int, end: int) -> Tensor:
        net = self._net
        loss = torch.zeros((), dtype=net.context.dtype, device=net.device)
        for i in range(start, end + 1):
            for hook in self.before_forward:
                hook(i)
            for top, value, weight in zip(net.top_names[i], self._run(i), net.loss_weights[i], strict=True):
                self._put(i, top, value)
                if weight:  # the weights stand in the diff, where the user may have written others
                    loss = loss + (value.detach() * self.diff(top)).sum()
            if self._settings.debug_info:
                debug_info.forward(self._log, net, i, self.data)
            for hook in self.after_forward:
                hook(i)
        return loss

    def _unwatched(self) -> bool:
        """Whether a whole forward pass may run as one graph: nobody looks on, and no backward will need its parts."""
        net = self._net
        return not (
            net.phase == TRAIN
            or self._settings.debug_info
            or self.before_forward
            or self.after_forward
            or any(net.layer_need_backward)
            or net.dynamic
            or any(type(layer).leftover_diffs is not Layer.leftover_diffs for layer in net.layers)
            or net.context.virtual_replicas > 1
        )

    def _forward_graph(self) -> Tensor:
        net = self._net
        batch = {
            name: top
            for i, layer in enumerate(net.layers)
            if layer.is_data
            for name, top in zip(net.top_names[i], self._load(i), strict=True)
        }
        shapes = {name: tuple(top.shape) for name, top in batch.items()}
        if shapes != self._graph_shapes or self._shaped_for:
            net.blob_shapes.update(shapes)
            net.reshape()
            self._graph_shapes = shapes
            self._shaped_for.clear()
        self._tape.clear()
        if self._graph is None:
            graph = fuse(lower(net, net.blob_names), gradients=False)
            self._packs = Packs(graph)
            self._graph = self._settings.execution.compiled(graph)
        for name in self._data.keys() - batch.keys() - self._pinned:
            del self._data[name]  # its memory serves for the new values
        innermost = self._settings.innermost(net)
        self._packs.refresh(innermost or net.device.type == "cpu")
        with torch.no_grad(), self._settings.execution.casts(net.device):
            loss, values = self._graph(*laid_out(list(batch.values()), innermost))
        self.store({name: _whole(value) for name, value in values.items()})
        if self._weights.keys() & self._diff.keys():  # there the user may have written other weights
            loss = torch.stack([(self.data(name) * self.diff(name)).sum() for name in self._weights]).sum()
        return loss  # type: ignore[no-any-return]

    def _load(self, i: int) -> list[Tensor]:
        layer, names = self._net.layers[i], self._net.top_names[i]
        if layer.is_input:
            return [self.data(name) for name in names]
        return list(layer.load(self._net.device))

    def _run(self, i: int) -> list[Tensor]:
        net, layer = self._net, self._net.layers[i]
        if layer.is_data:
            return self._load(i)
        needs = net.layer_need_backward[i]
        bottoms = [
            self._bottom(i, name).requires_grad_(needs and need)
            for name, need in zip(net.bottom_names[i], net.bottom_need_backward[i], strict=True)
        ]
        shapes = [tuple(b.shape) for b in bottoms]
        # A Python layer reshapes in every pass itself, and some count how often.
        if shapes != self._shaped_for.get(i) and not isinstance(layer, Python):
            layer.reshape(*shapes)
            self._shaped_for[i] = shapes
        with torch.set_grad_enabled(needs), self._settings.execution.casts(net.device):
            tops = layer(*bottoms)
        tops = [_whole(top) for top in (tops if isinstance(tops, tuple) else (tops,))]
        for index, diff in layer.leftover_diffs(*bottoms).items():
            self._store_diff(net.bottom_names[i][index], diff)
        self._tape[i] = (bottoms, tops)
        return tops

    def _bottom(self, i: int, name: str) -> Tensor:
        """A blob as layer i reads it; a copy where something will go into the same memory: backward needs both."""
        value, owner = self.data(name).detach(), self._owner.get(name, name)
        changes = owner in self._pinned and self._overwritten.get(owner, -1) >= i
        return value.clone() if changes or owner in self._kept else value

    def backward(self, start: int | None = None, end: int = 0) -> None:
        """Run layers start..end backward (start is the later one) from the diffs that stand in the tops."""
        net = self._net
        start = len(net.layers) - 1 if start is None else start
        self._check(end, start)
        with self._settings.execution.products(net.device):
            self._backward_layers(start, end)
        if self._settings.debug_info:
            debug_info.norms(self._log, net)

    def _backward_layers(self, start: int, end: int) -> None:
        net = self._net
        for i in range(start, end - 1, -1):
            for hook in self.before_backward:
                hook(i)
            if net.layer_need_backward[i] and not net.layers[i].is_data:
                self._backward_layer(i)
                if self._settings.debug_info:
                    debug_info.backward(self._log, net, i, self.diff)
            for hook in self.after_backward:
                hook(i)

    def _backward_layer(self, i: int) -> None:
        net, layer = self._net, self._net.layers[i]
        if i not in self._tape:
            self._run(i)
        bottoms, tops = self._tape[i]
        blobs = [blob for blob in layer.owned_blobs() if blob.requires_grad]
        wanted = [b for b in bottoms if b.requires_grad]
        roots = []
        for top, name in zip(tops, net.top_names[i], strict=True):
            diff = self.diff(name)
            if top.requires_grad and diff.shape != top.shape:
                layer.fail(
                    f"top '{name}' has shape {tuple(top.shape)}, but a layer in place has made the blob "
                    f"{tuple(diff.shape)}, so no gradient comes back; give that layer's top another name"
                )
            if top.requires_grad:
                roots.append((top, diff.clone() if name in net.bottom_names[i] else diff))
        sources = wanted + blobs
        gradients: tuple[Tensor | None, ...] = (None,) * len(sources)
        if roots and sources:
            gradients = torch.autograd.grad(
                [top for top, _ in roots],
                sources,
                [diff for _, diff in roots],
                retain_graph=True,
                allow_unused=True,
            )
        by_bottom = iter(gradients)
        for name, bottom in zip(net.bottom_names[i], bottoms, strict=True):
            if bottom.requires_grad:
                gradient = next(by_bottom)
                self._store_diff(name, torch.zeros_like(bottom) if gradient is None else gradient)
        written = {id(layer.owned_blobs()[index]) for index in layer.overwritten_diffs()}
        for blob, gradient in zip(blobs, by_bottom, strict=True):
            if gradient is None:
                continue
            if blob.grad is None:
                blob.grad = gradient.clone()
            elif id(blob) in written:
                blob.grad.copy_(gradient)
            else:
                blob.grad.add_(gradient)

    def forward_backward(self) -> tuple[Tensor, dict[str, Tensor]]:
        """What Net.forward_backward does, layer by layer."""
        loss = self.forward()
        self.backward()
        return loss, {name: self.data(name) for name in self._net.outputs}

    def follow_execution(self) -> None:
        """The settings have another Execution: what was compiled is made anew."""
        self._graph, self._graph_shapes = None, {}

    def forget_graphs(self) -> None:
        """Forget what backward would go through; one that comes without a forward before it makes it anew."""
        self._tape.clear()

    def _check(self, first: int, last: int) -> None:
        if not self._net.layers:
            raise NetError(f"{self._net.given.origin or 'the net'}: the net has no layers; look at its file")
        if not 0 <= first <= last < len(self._net.layers):
            raise NetError(
                f"layers {first} to {last} asked for, but the net has layers 0 to {len(self._net.layers) - 1}"
            )


def _whole(value: Tensor) -> Tensor:
    """What a layer gives as a blob holds it: float32 whatever the products are."""
    return value.float() if value.dtype == torch.bfloat16 else value
