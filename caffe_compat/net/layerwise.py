"""Run a net one layer at a time, every blob and diff in sight.

Caffe's backward is per layer: it reads the top diffs that stand in the blobs (the user may have
written them), overwrites the bottom diffs and adds to the blobs' diffs, from any layer to any
other. One autograd graph over the whole net cannot do that, so each layer gets its own here.
`debug_info`, timing and the pycaffe interface run this; training runs `lower`'s graph, and so does
a whole forward pass that nothing watches, through a graph that returns every blob.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING
from weakref import ref

import torch
from torch import Tensor

from caffe_compat.errors import NetError
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.legacy_shape import reshaped
from caffe_compat.layers.python import Python
from caffe_compat.net.fuse import fuse
from caffe_compat.net.lower import Lowered, loss_weights, lower
from caffe_compat.net.sharing import is_in_place, kept_blobs, owners
from caffe_compat.proto import TRAIN

if TYPE_CHECKING:
    from caffe_compat.net.net import Net

Hook = Callable[[int], None]


class Layerwise:
    """The blobs of a net by name, and layer-by-layer forward and backward over them.

    Attributes:
        before_forward, after_forward, before_backward, after_backward: called with the layer's index.
    """

    def __init__(self, net: Net):
        # The net owns this: as a cycle, a dropped net's memory would stay until it is missed.
        self._net = ref(net)
        self._data: dict[str, Tensor] = {}
        self._diff: dict[str, Tensor] = {}
        self._pinned: set[str] = set()
        self._owner = owners(net)
        self._diff_owner = owners(net, diffs=True)
        self._kept = kept_blobs(net)
        self._overwritten = {  # by which layer, the last one
            self._owner.get(name, name): i
            for i, names in enumerate(net.top_names)
            for k, name in enumerate(names)
            if is_in_place(net, i, k)
        }
        self._weights = loss_weights(net)
        self._first_diffs = {
            self._diff_owner.get(name, name): weight for name, weight in self._weights.items()
        }
        self._tape: dict[int, tuple[list[Tensor], list[Tensor]]] = {}
        self._shaped_for: dict[int, list[tuple[int, ...]]] = {}
        self._graph: Lowered | None = None
        self._graph_shapes: dict[str, tuple[int, ...]] = {}
        self.before_forward: list[Hook] = []
        self.after_forward: list[Hook] = []
        self.before_backward: list[Hook] = []
        self.after_backward: list[Hook] = []

    @property
    def net(self) -> Net:
        net = self._net()
        assert net is not None
        return net

    # -- blobs --------------------------------------------------------------------------------

    def data(self, name: str) -> Tensor:
        """The blob's values; before the first forward zeros, as in Caffe, or what is in memory of the layer's own."""
        if name not in self._data:
            if name in self._owner or name in self._kept:
                shape = self.net.blob_shapes[name]
                memory = self.data(self._owner[name]) if name in self._owner else self._memory_of_layer(name)
                return memory.view(shape) if memory.numel() == prod(shape) else self._zeros(name)
            self._data[name] = self._zeros(name)
        elif not self._data[name].is_contiguous():  # the graph's, with the channels innermost
            self._data[name] = self._data[name].contiguous()
        return self._data[name]

    def diff(self, name: str) -> Tensor:
        """The blob's gradient; a loss top starts as its loss_weight, anything else as zeros."""
        data = self.data(name)
        owner = self._diff_owner.get(name, name)
        if owner != name and self.data(owner).numel() == data.numel():
            return self.diff(owner).view(data.shape)
        if name not in self._diff or self._diff[name].shape != data.shape:
            self._diff[name] = torch.full_like(data, self._first_diffs.get(name, 0.0))
        return self._diff[name]

    def _memory_of_layer(self, name: str) -> Tensor:
        layer, index = self._kept[name]
        return layer.top_memory(index, self.net.device)

    def pin(self, name: str) -> None:
        """From now on write this blob's values into the same memory: somebody holds a view of it."""
        self._pinned.add(name)
        if name in self._owner:
            self.pin(self._owner[name])

    def reshape_blob(self, name: str, shape: tuple[int, ...]) -> None:
        """Give a blob another shape; a loss's diff is its loss_weight again when it is read (Blob::Reshape)."""
        old = self.data(name)
        if old.shape == shape:
            return
        if name in self._kept and self._memory_of_layer(name).numel() == prod(shape):
            self._share(name, shape)
            return
        if self._owner.get(name, name) in self._kept or any(
            _memory_of(old) == _memory_of(data) for key, data in self._data.items() if key != name
        ):
            old = old.clone()  # what lies behind it is another blob's
        self._data[name] = reshaped(old, shape)
        if name in self._diff and name not in self._weights:
            self._diff[name] = reshaped(self._diff[name], shape)
        self.net.blob_shapes[name] = shape

    def store(self, values: dict[str, Tensor]) -> None:
        """Put values that were computed elsewhere into the blobs."""
        owners = {_memory_of(value): name for name, value in self._data.items() if name not in values}
        for name, value in values.items():
            if self._owner.get(name) in values or name in self._kept:
                self._share(name, value.shape)
            else:
                first = owners.setdefault(_memory_of(value), name) == name
                self._store(name, value if first else value.clone())

    def _share(self, name: str, shape: tuple[int, ...]) -> None:
        """The blob is the memory of another, or of its layer, which holds its values already."""
        self._data.pop(name, None)
        self.net.blob_shapes[name] = tuple(shape)

    def _zeros(self, name: str) -> Tensor:
        return torch.zeros(self.net.blob_shapes[name], dtype=self.net.context.dtype, device=self.net.device)

    def _store(self, name: str, value: Tensor) -> None:
        value = value.detach()
        old = self._data.get(name)
        if name in self._pinned and old is not None and old.shape == value.shape:
            if old.data_ptr() != value.data_ptr():
                old.copy_(value)
        else:
            self._data[name] = value
        self.net.blob_shapes[name] = tuple(value.shape)

    def _store_diff(self, name: str, value: Tensor) -> None:
        if name in self._diff_owner:
            self.diff(name).copy_(value)
        elif name in self._diff and self._diff[name].shape == value.shape:
            self._diff[name].copy_(value)
        else:
            self._diff[name] = value.detach().clone()

    # -- running ------------------------------------------------------------------------------

    def forward(self, start: int = 0, end: int | None = None) -> Tensor:
        """Run layers start..end (both included) on the blobs as they stand; returns their weighted loss."""
        net = self.net
        end = len(net.layers) - 1 if end is None else end
        self._check(start, end)
        with net.execution.products(net.device):
            if end - start == len(net.layers) - 1 and self._unwatched():
                return self._forward_graph()
            return self._forward_layers(start, end)

    def _forward_layers(self, start: int, end: int) -> Tensor:
        net = self.net
        loss = torch.zeros((), dtype=net.context.dtype, device=net.device)
        for i in range(start, end + 1):
            for hook in self.before_forward:
                hook(i)
            for top, value, weight in zip(net.top_names[i], self._run(i), net.loss_weights[i], strict=True):
                self._put(i, top, value)
                if weight:  # the weights stand in the diff, where the user may have written others
                    loss = loss + (value.detach() * self.diff(top)).sum()
            if net.debug_info:
                self._debug_forward(i)
            for hook in self.after_forward:
                hook(i)
        return loss

    def _unwatched(self) -> bool:
        """Whether a whole forward pass may run as one graph: nobody looks on, and no backward will need its parts."""
        net = self.net
        return not (
            net.phase == TRAIN
            or net.debug_info
            or self.before_forward
            or self.after_forward
            or any(net.layer_need_backward)
            or any(layer.dynamic for layer in net.layers)
            or any(type(layer).leftover_diffs is not Layer.leftover_diffs for layer in net.layers)
            or net.context.virtual_replicas > 1
        )

    def _forward_graph(self) -> Tensor:
        net = self.net
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
            self._graph = fuse(lower(net, net.blob_names), gradients=False)
        for name in self._data.keys() - batch.keys() - self._pinned:
            del self._data[name]  # its memory serves for the new values
        with torch.no_grad():
            loss, values = self._graph(*net.laid_out(list(batch.values())))
        self.store(values)
        if self._weights.keys() & self._diff.keys():  # there the user may have written other weights
            loss = torch.stack([(self.data(name) * self.diff(name)).sum() for name in self._weights]).sum()
        return loss  # type: ignore[no-any-return]

    def _load(self, i: int) -> list[Tensor]:
        layer, names = self.net.layers[i], self.net.top_names[i]
        if layer.type == "Input":
            return [self.data(name) for name in names]
        return list(layer.load(self.net.device))

    def _run(self, i: int) -> list[Tensor]:
        net, layer = self.net, self.net.layers[i]
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
        with torch.set_grad_enabled(needs):
            tops = layer(*bottoms)
        tops = list(tops) if isinstance(tops, tuple) else [tops]
        for index, diff in layer.leftover_diffs(*bottoms).items():
            self._store_diff(net.bottom_names[i][index], diff)
        self._tape[i] = (bottoms, tops)
        return tops

    def _put(self, i: int, name: str, top: Tensor) -> None:
        """Store layer i's top; a bottom that is only passed on is copied, as Caffe does where it does not share."""
        if name in self.net.bottom_names[i]:
            self._overwrite(name, top.detach())
            return
        if name in self._owner or name in self._kept:
            self._share(name, top.shape)
            return
        passed_on = {_memory_of(self.data(bottom)) for bottom in self.net.bottom_names[i] if bottom != name}
        self._store(name, top.detach().clone() if _memory_of(top) in passed_on else top)

    def _overwrite(self, name: str, value: Tensor) -> None:
        """Store a top in place: all blobs of that memory have the new values."""
        owner = self._owner.get(name, name)
        memory = self.data(owner)
        if memory.numel() != value.numel():
            self._store(name, value)
        elif owner in self._kept:
            self._share(name, value.shape)
            if memory.data_ptr() != value.data_ptr():
                memory.copy_(value.reshape(memory.shape))
        elif owner == name:
            self._store(name, value)
        else:
            self._share(name, value.shape)
            self._store(owner, value.reshape(memory.shape))

    def _bottom(self, i: int, name: str) -> Tensor:
        """A blob as layer i reads it; a copy where something will go into the same memory: backward needs both."""
        value, owner = self.data(name).detach(), self._owner.get(name, name)
        changes = owner in self._pinned and self._overwritten.get(owner, -1) >= i
        return value.clone() if changes or owner in self._kept else value

    def backward(self, start: int | None = None, end: int = 0) -> None:
        """Run layers start..end backward (start is the later one) from the diffs that stand in the tops."""
        net = self.net
        start = len(net.layers) - 1 if start is None else start
        self._check(end, start)
        for i in range(start, end - 1, -1):
            for hook in self.before_backward:
                hook(i)
            if net.layer_need_backward[i] and not net.layers[i].is_data:
                with net.execution.products(net.device):
                    self._backward_layer(i)
                if net.debug_info:
                    self._debug_backward(i)
            for hook in self.after_backward:
                hook(i)
        if net.debug_info:
            self._debug_norms()

    def _backward_layer(self, i: int) -> None:
        net, layer = self.net, self.net.layers[i]
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
        return loss, {name: self.data(name) for name in self.net.outputs}

    def _check(self, first: int, last: int) -> None:
        if not self.net.layers:
            raise NetError(f"{self.net.given.origin or 'the net'}: the net has no layers; look at its file")
        if not 0 <= first <= last < len(self.net.layers):
            raise NetError(
                f"layers {first} to {last} asked for, but the net has layers 0 to {len(self.net.layers) - 1}"
            )

    # -- debug_info ---------------------------------------------------------------------------

    def _debug_forward(self, i: int) -> None:
        net = self.net
        for top in net.top_names[i]:
            net.log.debug_forward(net.layer_names[i], "top", top, _mean_abs(self.data(top)))
        specs = net.layers[i].param.param
        for index, blob in enumerate(net.layers[i].blobs):
            name = specs[index].name if index < len(specs) and specs[index].name else str(index)
            net.log.debug_forward(net.layer_names[i], "param", name, _mean_abs(blob))

    def _debug_backward(self, i: int) -> None:
        net = self.net
        for name, need in zip(net.bottom_names[i], net.bottom_need_backward[i], strict=True):
            if need:
                net.log.debug_backward(net.layer_names[i], "bottom", name, _mean_abs(self.diff(name)))
        blobs = net.layers[i].owned_blobs()
        for index, (blob, need) in enumerate(zip(blobs, net.blob_need_backward[i], strict=True)):
            if need:
                net.log.debug_backward(net.layer_names[i], "param", str(index), _mean_abs(blob.grad))

    def _debug_norms(self) -> None:
        data = [blob.tensor.detach() for blob in self.net.learned]
        diff = [blob.tensor.grad for blob in self.net.learned if blob.tensor.grad is not None]
        sums = [
            (float(sum(t.abs().sum() for t in ts)), float(sum(t.square().sum() for t in ts)) ** 0.5)
            for ts in (data, diff)
        ]
        (l1_data, l2_data), (l1_diff, l2_diff) = sums
        self.net.log.debug_norms(l1_data, l1_diff, l2_data, l2_diff)


def _memory_of(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _mean_abs(tensor: Tensor | None) -> float:
    return float(tensor.detach().abs().mean()) if tensor is not None and tensor.numel() else 0.0
