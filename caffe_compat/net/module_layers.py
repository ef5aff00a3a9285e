"""The layers of a module: each is two in one, as it is in TRAIN and as it is in TEST, over the net's own blobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from caffe_compat.layers.base import Context, Layer, Shape
from caffe_compat.layers.blobs import ViewedBlobs
from caffe_compat.layers.python import Python
from caffe_compat.net.resolve import filter_net, insert_splits
from caffe_compat.net.wiring import Wiring
from caffe_compat.proto import TRAIN, LayerParameter, NetParameter


class Blobs(ViewedBlobs):
    """The blobs of a module's layer: those of the net's, of which the ones that are never learned are buffers."""

    def __init__(self, layer: Layer):
        given = layer.blobs
        shapes, still = (given.shapes, given.still) if isinstance(given, ViewedBlobs) else ({}, frozenset())
        super().__init__((), shapes, still)
        self._net_blobs = layer.owned_blobs()
        self._size = len(self._net_blobs)
        for index, blob in enumerate(self._net_blobs):
            if index in layer.fixed_blobs:
                self.register_buffer(str(index), blob.detach())
            else:
                self.register_parameter(str(index), blob)

    def owned(self) -> list[Any]:
        return [self._tensor(str(index)) for index in range(self._size)]

    def __getitem__(self, index: Any) -> Any:
        plain = not (self.shapes or self.still)
        if (
            plain and (blob := self._parameters.get(str(index))) is not None
        ):  # the most of all, and the quickest
            return blob
        if isinstance(index, slice):
            return [self[i] for i in range(self._size)[index]]
        number = range(self._size)[index]
        return self.seen(number, self._tensor(str(number)))

    def _tensor(self, name: str) -> Any:
        for held in (self._parameters, self._buffers):
            if name in held:
                return held[name]
        return getattr(self, name)  # in replicas and parametrizations it is an attribute

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Blobs:
        super()._apply(fn, recurse)
        self._let_net_follow()
        return self

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._let_net_follow()  # with assign=True these are other tensors now

    def _let_net_follow(self) -> None:
        for blob, mine in zip(self._net_blobs, self.owned(), strict=False):
            if mine is not blob:
                blob.data = mine.detach()

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_net_blobs": []}  # a copy belongs to no net


class Modes:
    """What a layer of a module is in TRAIN and in TEST; it holds the attributes of the one that the layer is not."""

    def __init__(self, layer: Layer, param: LayerParameter, shapes: tuple[Shape, ...]):
        self.shapes = shapes  # the bottoms' as the layer was told them last
        self._first_shapes = shapes
        self._param = param  # as the file says it: setup may have changed the layer's
        self._phase = layer.phase
        self._names = set(_attributes(layer))
        self._away: dict[str, Any] | None = None

    def prepare(self, layer: Layer, phase: int) -> None:
        """Make what the layer is in that phase, if that is yet to be done; raises LayerError if it cannot be."""
        if self._param.HasField("phase") or phase == self._phase or self._away is not None:
            return
        other = _born(type(layer), self._param, phase, self._first_shapes, layer.context)
        other.blobs = layer.blobs
        place = next((tensor for kind in (layer.parameters(), layer.buffers()) for tensor in kind), None)
        if place is not None:
            other.to(place.device)
        self._away = _attributes(other)
        self._names |= set(self._away)

    def enter(self, layer: Layer, phase: int) -> None:
        """Let the layer be in that phase."""
        self.prepare(layer, phase)
        if self._away is None or phase == self._phase:
            return
        coming, own = self._away, vars(layer)
        self._away = {name: own.pop(name) for name in self._names & set(own)}
        coming["_modules"]["blobs"] = self._away["_modules"]["blobs"]
        own.update(coming)
        self._phase = phase
        layer.reshape(*self.shapes)

    def apply(self, fn: Callable[[Tensor], Tensor]) -> None:
        """What torch does to the buffers that are in sight, done to the others."""
        if self._away is None:
            return
        buffers = self._away["_buffers"]
        buffers.update({n: fn(buffer) for n, buffer in buffers.items() if buffer is not None})
        for name, child in self._away["_modules"].items():
            if name != "blobs":
                child._apply(fn)


# What nn.Module keeps in every instance, but for what a layer's phase may make another.
_TORCHS = set(vars(nn.Module())) - {"_buffers", "_non_persistent_buffers_set", "_modules"}


def _attributes(layer: Layer) -> dict[str, Any]:
    return {name: value for name, value in vars(layer).items() if name not in _TORCHS and name != "modes"}


def layers_of(net: Wiring, context: Context) -> list[Layer]:
    """The net's layers once more, over its own blobs and with what they carry on; the data layers as they are."""
    layers = []
    shapes: dict[str, Shape] = {}
    params = insert_splits(filtered(net, net.phase)).layer
    for layer, param, bottoms, tops in zip(net.layers, params, net.bottom_names, net.top_names, strict=True):
        if layer.is_data:
            layers.append(layer)
            shapes.update((top, net.blob_shapes[top]) for top in tops)
            continue
        bottom = tuple(shapes[name] for name in bottoms)
        param.top[:] = tops  # a loss without a top has made itself one
        new = _born(type(layer), param, net.phase, bottom, context)
        shapes.update(zip(tops, new.reshape(*bottom), strict=True))
        new.blobs = Blobs(layer)
        new.to(net.device)
        for mine, theirs in zip(_carried(new), _carried(layer), strict=True):
            if mine.shape == theirs.shape:
                mine.copy_(theirs)
        new.modes = Modes(new, param, bottom)
        for part in new.modules():
            part.training = net.phase == TRAIN
        layers.append(new)
    return layers


def _born(
    cls: type[Layer], param: LayerParameter, phase: int, shapes: tuple[Shape, ...], context: Context
) -> Layer:
    """A layer of these parameters, in that phase unless they say another, whose blobs have no values yet."""
    said = param
    param = type(said)()
    param.CopyFrom(said)
    if not param.HasField("phase"):
        param.phase = phase
    # The user's own code in a Python layer may look at its blobs.
    place = context if issubclass(cls, Python) else replace(context, device="meta")
    new = cls(param, param.phase, place)
    new.setup(*shapes)
    new.reshape(*shapes)
    for part in new.modules():
        if isinstance(part, Layer):
            part.context = context
    return new


def _carried(layer: Layer) -> list[Tensor]:
    """The buffers that are no blobs."""
    return [buffer for name, buffer in layer.named_buffers() if not name.startswith("blobs.")]


def filtered(net: Wiring, phase: int) -> NetParameter:
    """The net with the layers that its file has in that phase."""
    state = type(net.param.state)()
    state.CopyFrom(net.param.state)
    state.phase = phase
    return filter_net(net.given, state, ignore_unknown=True)
