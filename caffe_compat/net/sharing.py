"""Blobs that are one memory in Caffe, and who sees what a layer in place writes there.

The tops of Split, Flatten, Reshape and a few more are their bottom's memory. A layer in place on one of them changes
what every later reader of the others sees, while gradients go on where the blobs' names say: a blob's diff is its own.
Here no tensor is written over, for backward needs it. The net run layer by layer lets such blobs be views of one
tensor; for a graph, and for a file, `resolved` puts layers between that say the same without memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer, OnnxGraph, Shape
from caffe_compat.net.wiring import PER_LAYER, Wiring
from caffe_compat.proto import LayerParameter


def owners(net: Wiring, diffs: bool = False) -> dict[str, str]:
    """For every blob that is kept in the memory of another: the first that was there. With `diffs`, of their diffs."""
    found: dict[str, str] = {}
    for i, layer in enumerate(net.layers):
        bottoms, tops = net.bottom_names[i], net.top_names[i]
        for k, top in enumerate(tops):
            if net.is_in_place(i, k):
                continue
            if layer.shares_diff if diffs else layer.shares_memory:
                found[top] = found.get(bottoms[0], bottoms[0])
            elif k in layer.shared_tops and not diffs:
                first = tops[layer.shared_tops[k]]
                found[top] = found.get(first, first)
    return found


def kept_blobs(net: Wiring) -> dict[str, tuple[Layer, int]]:
    """The blobs that are memory of the layer that makes them, which its next forward reads: the layer, and which top."""
    return {
        net.top_names[i][k]: (layer, k)
        for i, layer in enumerate(net.layers)
        for k in layer.kept_tops
        if not net.is_in_place(i, k)
    }


@dataclass(frozen=True)
class Reread:
    """Layer `reader` reads `blob` after layer `writer` has overwritten its memory, which is that of `written` too.

    Reader None: nobody reads it, and it is looked at when all layers have run.
    """

    blob: str
    written: str
    writer: int
    reader: int | None


def rereads(net: Wiring, outputs: Iterable[str] = ()) -> Iterator[Reread]:
    """Every blob that is read after a layer in place has changed it by another name; `outputs` are read at the end."""
    owner = owners(net)
    members: dict[str, list[str]] = defaultdict(list)
    for name in net.blob_names:
        members[owner.get(name, name)].append(name)
    stale: dict[
        str, tuple[str, int]
    ] = {}  # blobs whose memory has other values by now: written as what, and by whom
    made: set[str] = set()
    for i in range(len(net.layers)):
        for name in dict.fromkeys(net.bottom_names[i]):
            if name in stale:
                yield Reread(name, *stale.pop(name), i)
        for k, name in enumerate(net.top_names[i]):
            if net.is_in_place(i, k):
                others = (
                    other for other in members[owner.get(name, name)] if other in made and other != name
                )
                stale.update(dict.fromkeys(others, (name, i)))
            made.add(name)
    for name in outputs:
        if name in stale:
            yield Reread(name, *stale[name], None)


def resolved(net: Wiring, outputs: Iterable[str]) -> Wiring:
    """`net` as a graph of values: where a layer reads changed memory, an `Overwritten` before it says so.

    What a layer in place leaves in memory that the next forward reads goes there at the end. A net without such
    blobs is returned as it is; else a copy is, with the same layers between the new ones.
    """
    by_reader: dict[int | None, list[Reread]] = defaultdict(list)
    for found in rereads(net, outputs):
        by_reader[found.reader].append(found)
    kept = written_kept_blobs(net)
    if not by_reader and not kept:
        return net
    program = _Program(net)
    for i, layer in enumerate(net.layers):
        for found in by_reader[i]:
            program.add(Overwritten(net, found))
        program.take(i)
        for name, (origin, index, _) in kept.items():
            if origin is layer:
                program.add(Kept(origin, index, name, first=True))
    for found in by_reader[None]:
        program.add(Overwritten(net, found))
    for origin, index, written in kept.values():
        program.add(Kept(origin, index, written, first=False))
    return program.net


def written_kept_blobs(net: Wiring) -> dict[str, tuple[Layer, int, str]]:
    """Of the kept blobs those whose memory a layer in place changes: the layer, its top, and the name written last."""
    kept, owner = kept_blobs(net), owners(net)
    found = {}
    for i, tops in enumerate(net.top_names):
        for k, name in enumerate(tops):
            root = owner.get(name, name)
            if root in kept and net.is_in_place(i, k):
                found[root] = (*kept[root], name)
    return found


class _Program:
    """A copy of a wiring, to which its layers and others are added in order."""

    def __init__(self, source: Wiring):
        self._source = source
        empty: dict[str, Any] = {name: [] for name in PER_LAYER}
        self.net = replace(source, **empty)

    def take(self, i: int) -> None:
        for name in PER_LAYER:
            getattr(self.net, name).append(getattr(self._source, name)[i])

    def add(self, layer: Layer) -> None:
        bottoms, tops = list(layer.param.bottom), list(layer.param.top)
        entry: tuple[Any, ...] = (
            layer,
            layer.name,
            bottoms,
            tops,
            [0.0] * len(tops),
            True,
            [False] * len(bottoms),
            [],
        )
        for name, value in zip(PER_LAYER, entry, strict=True):
            getattr(self.net, name).append(value)


class Overwritten(Layer):
    """top = bottom 0, in the shape of bottom 1; its gradient is bottom 1's

    Bottom 1 is a blob whose memory a layer in place has changed by the name of bottom 0, and the top the same blob
    afterwards. It is no layer of a file. One that leaves another number of values leaves the others alone.
    """

    num_bottom = 2
    num_top = 1

    def __init__(self, net: Wiring, found: Reread):
        writer = net.layers[found.writer]
        super().__init__(
            _param(f"{found.blob}_{writer.name}", writer, [found.written, found.blob], [found.blob]), 0
        )

    def reshape(self, *bottom: Shape) -> list[Shape]:
        self.fits = prod(bottom[0]) == prod(bottom[1])
        return [bottom[1]]

    def per_record(self) -> bool:
        return True

    def forward(self, *bottom: Tensor) -> Tensor:
        memory, blob = bottom
        return _Overwritten.apply(blob, memory.detach()) if memory.numel() == blob.numel() else blob  # type: ignore[no-any-return]

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        memory, blob = bottoms
        if not self.fits or graph.shape(memory) == graph.shape(blob):
            graph.node("Identity", [memory if self.fits else blob], tops)
        else:
            graph.reshape(memory, graph.shape(blob), tops)


class _Overwritten(torch.autograd.Function):
    @staticmethod
    def forward(ctx, blob: Tensor, memory: Tensor) -> Tensor:
        return memory.reshape(blob.shape)

    @staticmethod
    def backward(ctx, diff: Tensor) -> tuple[Tensor, None]:
        return diff, None


class Kept(Layer):
    """What a layer in place makes of memory that another layer reads in the next forward.

    The `first` stands behind the layer whose memory it is, and takes a copy, so that backward finds what was there.
    The other puts the last value there.
    """

    num_bottom = 1

    def __init__(self, origin: Layer, index: int, blob: str, first: bool):
        super().__init__(_param(f"{origin.name}_kept", origin, [blob], [blob] if first else []), 0)
        self._origin = (origin,)  # in a tuple it is no child of this module
        self._index, self._first = index, first

    def reshape(self, *bottom: Shape) -> list[Shape]:
        return list(bottom) if self._first else []

    def per_record(self) -> bool:
        return True

    def forward(self, *bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        (value,) = bottom
        if self._first:
            return value.clone()
        origin = self._origin[0]
        memory = origin.top_memory(self._index, value.device)
        if memory.numel() != value.numel():
            origin.fail(
                f"top {self._index} has {memory.numel()} values, of which a layer in place makes {value.numel()}, and the "
                "next forward reads them; give that layer another top"
            )
        with torch.no_grad():
            memory.copy_(value.detach().reshape(memory.shape))
        return ()

    def to_onnx(self, graph: OnnxGraph, bottoms: list[str], tops: list[str]) -> None:
        graph.node("Identity", bottoms, tops)


def _param(name: str, origin: Layer, bottoms: list[str], tops: list[str]) -> Any:
    return LayerParameter(name=name, type=origin.type, bottom=bottoms, top=tops, origin=origin.param.origin)
