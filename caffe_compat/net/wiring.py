"""What is connected in a net, as data: `build` fills it, lowering and running read it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import nn

from caffe_compat.layers.base import Context, Layer, Shape
from caffe_compat.proto import NetParameter


@dataclass
class LearnedBlob:
    """One blob the solver may update: an owner, never a sharer."""

    tensor: nn.Parameter
    layer: int
    index: int
    name: str
    lr_mult: float
    decay_mult: float
    has_lr_mult: bool
    has_decay_mult: bool


@dataclass
class Wiring:
    """The layers of one NetState, in file order, with Split layers inserted, and what goes from one to the next.

    given                the NetParameter as it came, with the layers of every phase
    param                the resolved one, as a caffemodel holds it, without blobs
    device               where blobs live and batches arrive
    layers, layer_names, bottom_names, top_names
                         per layer, in order
    loss_weights         per layer, one weight a top
    layer_need_backward, bottom_need_backward, blob_need_backward
                         what Caffe's backward goes through: layers, their bottoms, their blobs (BatchNorm's statistics
                         too, as in Caffe)
    blob_names, blob_shapes
                         every blob in the order it appears, and its shape
    learned              the blobs the solver updates, in Caffe's learnable_params order
    inputs, outputs      names of the tops that the caller fills, and of blobs nobody reads (alphabetical)
    memory               bytes that Caffe reports as "Memory required for data"
    """

    given: NetParameter
    param: NetParameter
    context: Context
    device: torch.device
    layers: list[Layer] = field(default_factory=list)
    layer_names: list[str] = field(default_factory=list)
    bottom_names: list[list[str]] = field(default_factory=list)
    top_names: list[list[str]] = field(default_factory=list)
    loss_weights: list[list[float]] = field(default_factory=list)
    layer_need_backward: list[bool] = field(default_factory=list)
    bottom_need_backward: list[list[bool]] = field(default_factory=list)
    blob_need_backward: list[list[bool]] = field(default_factory=list)
    blob_names: list[str] = field(default_factory=list)
    blob_shapes: dict[str, Shape] = field(default_factory=dict)
    learned: list[LearnedBlob] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    memory: int = 0

    @property
    def name(self) -> str:
        name: str = self.param.name
        return name

    @property
    def phase(self) -> int:
        phase: int = self.given.state.phase
        return phase

    @property
    def dynamic(self) -> bool:
        """Whether some shapes are known only as the net runs."""
        return any(layer.dynamic for layer in self.layers)

    @functools.cached_property
    def wants_innermost(self) -> bool:
        """Whether some layer is faster with the channels innermost; asked when all layers are there."""
        return any(layer.wants_innermost for layer in self.layers)

    def data_layers(self) -> Iterator[Layer]:
        """The layers whose `load` makes the graph's inputs, in order."""
        return (layer for layer in self.layers if layer.is_data)

    def fixed_blobs(self) -> list[nn.Parameter]:
        """The blobs that never have a gradient, such as BatchNorm's statistics."""
        return [layer.owned_blobs()[index] for layer in self.layers for index in sorted(layer.fixed_blobs)]

    def weights_by_blob(self) -> dict[str, float]:
        """The loss_weight of every blob that has one; a layer in place that has none leaves the one before."""
        return {
            top: weight
            for tops, weights in zip(self.top_names, self.loss_weights, strict=True)
            for top, weight in zip(tops, weights, strict=True)
            if weight
        }

    def is_in_place(self, i: int, k: int) -> bool:
        """Whether top k of layer i is its bottom k."""
        return self.top_names[i][k] in self.bottom_names[i][k : k + 1]

    def reshape(self) -> None:
        """Recompute every blob's shape from the inputs' shapes (Net::Reshape)."""
        for layer, bottom, top in zip(self.layers, self.bottom_names, self.top_names, strict=True):
            if layer.is_data:
                continue
            shapes = layer.reshape(*(self.blob_shapes[name] for name in bottom))
            self.blob_shapes.update(zip(top, shapes, strict=True))


PER_LAYER = (
    "layers", "layer_names", "bottom_names", "top_names", "loss_weights", "layer_need_backward",
    "bottom_need_backward", "blob_need_backward",
)  # fmt: skip


def mixing_layer(wiring: Wiring) -> str | None:
    """The first layer that keeps a net from running virtual replicas in one batch, as `'name' (Type)`; or None.

    A layer that does not treat records one by one is harmless only where nothing reads its tops.
    """
    read = {name for names in wiring.bottom_names for name in names}
    for layer, tops in zip(wiring.layers, wiring.top_names, strict=True):
        if not (layer.is_data or layer.is_alias or layer.per_record() or read.isdisjoint(tops)):
            return f"'{layer.name}' ({layer.type})"
    return None
