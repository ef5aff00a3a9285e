"""Graph passes that make the lowered net faster and change no number beyond rounding.

Each pass is a function on the graph; `PASSES` gives them in order and `fuse(..., off=("name",))`
leaves one out. The layers keep their blobs: a fused node calls the same layer objects.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.autograd import Function

from caffe_compat.layers.base import Layer
from caffe_compat.layers.batch_norm import BatchNorm
from caffe_compat.layers.convolution import Convolution, filled
from caffe_compat.layers.eltwise import Eltwise
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.relu import ReLU
from caffe_compat.layers.scale import Scale
from caffe_compat.net.lower import Lowered, unique

_M = TypeVar("_M", bound=nn.Module)


class Normalisation(nn.Module):
    """A BatchNorm layer and the Scale that alone reads its top, as one function.

    Attributes:
        biased: a layer whose bias (blobs[1]) the bottom lacks, or None.
    """

    def __init__(self, batch_norm: BatchNorm, scale: Scale | None):
        super().__init__()
        self.batch_norm = batch_norm
        self.scale = scale
        self.biased: Layer | None = None

    def scales(self) -> list[Tensor]:
        """Factor and summand (C,), as many as there are."""
        return [] if self.scale is None else list(self.scale.blobs)

    def forward(self, bottom: Tensor, *scales: Tensor | None) -> Tensor:
        """`scales` are those of `scales()`, once for each replica."""
        given = scales if scales and scales[0] is not None else self.scales()
        gamma, beta = (*given, None, None)[:2]
        shift = None if self.biased is None else self.biased.blobs[1].detach()
        return self.batch_norm.forward_scaled(bottom, gamma, beta, shift)


class Products(nn.Module):
    """A Convolution without its bias."""

    def __init__(self, layer: Convolution):
        super().__init__()
        self.layer = layer

    def forward(self, bottom: Tensor) -> Tensor:
        return self.layer.products(bottom, None)


class ForReplicas(nn.Module):
    """The scales of many Normalisations, each once a replica, by one operation instead of one a blob."""

    def __init__(self, nodes: Sequence[Normalisation], replicas: int):
        super().__init__()
        self._nodes = nodes  # a tuple: they are in the graph already
        self._replicas = replicas

    def forward(self) -> tuple[tuple[Tensor | None, ...], ...]:
        scales = [node.scales() for node in self._nodes]
        blobs = [blob for each in scales for blob in each]
        if blobs[0].device.type == "cpu" or torch.compiler.is_compiling():
            return tuple((None,) * len(each) for each in scales)
        repeated = iter(Repeated.apply(self._replicas, *blobs))
        return tuple(tuple(next(repeated) for _ in each) for each in scales)


class Repeated(Function):
    """Blobs (n,), each `replicas` times one after the other."""

    @staticmethod
    def forward(ctx, replicas, *blobs):
        ctx.replicas, ctx.sizes = replicas, [len(blob) for blob in blobs]
        flat = torch.cat([blob for blob in blobs for _ in range(replicas)])
        return flat.split([replicas * size for size in ctx.sizes])

    @staticmethod
    def backward(ctx, *diffs):
        found: list[Tensor | None] = [None] * len(diffs)
        for size in dict.fromkeys(ctx.sizes):
            same = [i for i, other in enumerate(ctx.sizes) if other == size]
            sums = torch.cat([diffs[i] for i in same]).view(len(same), ctx.replicas, size).sum(1)
            for i, diff in zip(same, sums.unbind(), strict=True):
                found[i] = diff
        return None, *found


class PackedConvolution(nn.Module):
    """A Convolution over two spatial axes, and the normalisation by stored statistics that alone reads its top.

    One convolution without gradients, by weights that have the normalisation in them and their channels innermost.
    They are made again when a blob has changed, and every time if one has been `shown` as an array, which may be
    written to unseen.
    """

    def __init__(self, layer: Convolution, normalisation: Normalisation | None):
        super().__init__()
        self.layer = layer
        self.normalisation = normalisation
        parts = () if normalisation is None else (normalisation.batch_norm, normalisation.scale)
        self._layers: tuple[Layer, ...] = (layer, *parts)  # at hand: nn.Module looks its children up by name
        self._made_from: tuple[object, ...] = ()
        self._packed: tuple[Tensor, Tensor | None] | None = None

    def forward(self, bottom: Tensor) -> Tensor:
        found = self._stamp()
        if self._packed is None or found != self._made_from or None in found:
            self._made_from, self._packed = found, self._pack()
        weight, bias = self._packed
        layer = self._layers[0]
        assert isinstance(layer, Convolution)
        _, stride, pad, dilation = layer.window
        bottom = filled(bottom, layer.missing)
        return F.conv2d(bottom, weight, bias, stride, pad, dilation, layer.group)

    def _stamp(self) -> tuple[object, ...]:
        return tuple(
            None if getattr(blob, "shown", False) else (blob.data_ptr(), blob._version)
            for layer in self._layers
            for blob in layer.owned_blobs()
        )

    def _pack(self) -> tuple[Tensor, Tensor | None]:
        blobs = list(self.layer.blobs)
        weight, bias = blobs[0], blobs[1] if len(blobs) > 1 else None
        if self.normalisation is not None:
            mean, variance = self.normalisation.batch_norm.statistics()
            scale = self.normalisation.scales()
            factor = (variance + self.normalisation.batch_norm.eps).rsqrt()
            if scale:
                factor = scale[0] * factor
            weight = weight * factor.view(-1, 1, 1, 1)
            bias = (-mean if bias is None else bias - mean) * factor
            if len(scale) > 1:
                bias = bias + scale[1]
        return weight.contiguous(memory_format=torch.channels_last), bias


def packed_convolution(module: Lowered) -> None:
    """Convolutions become ones that keep their weights ready; for graphs that run without gradients."""
    for node in list(module.graph.nodes):
        layer = _of(module, node, Convolution)
        if layer is None or layer.start != 1 or layer.spatial != 2 or len(node.args) != 1:
            continue
        reader = next(iter(node.users))
        found = _of(module, reader, Normalisation) if len(node.users) == 1 else None
        if found is None or not found.batch_norm.global_stats:
            _replace(module, node, PackedConvolution(layer, None), node.args)
        else:
            _replace(module, reader, PackedConvolution(layer, found), node.args)
            module.graph.erase_node(node)


def normalisation(module: Lowered) -> None:
    """BatchNorm followed by a one-bottom, per-channel Scale becomes one node."""
    for node in list(module.graph.nodes):
        scale = _of(module, node, Scale)
        if scale is None or len(node.args) != 1 or not scale.per_channel:
            continue
        producer = node.args[0]
        batch_norm = _of(module, producer, BatchNorm)
        if batch_norm is not None and not batch_norm.scaled and len(producer.users) == 1:
            _replace(module, node, Normalisation(batch_norm, scale), producer.args)
            module.graph.erase_node(producer)


def bias(module: Lowered) -> None:
    """The bias of a Convolution goes into the mean that a BatchNorm by the batch's own statistics stores of its top.

    Nothing else depends on it: the normalisation takes it off again. Its gradient, in Caffe what rounding leaves of 0,
    is none, which counts as 0: decay and momentum go on.
    """
    for node in list(module.graph.nodes):
        batch_norm = _of(module, node, BatchNorm)
        found = _of(module, node, Normalisation) or (batch_norm and Normalisation(batch_norm, None))
        if not found or found.batch_norm.global_stats:
            continue
        producer = node.args[0]
        layer = _of(module, producer, Convolution)
        if layer is None or len(producer.args) != 1 or len(producer.users) != 1 or len(layer.blobs) < 2:
            continue
        if type(layer).forward is not Convolution.forward or layer.start != 1:
            continue
        found.biased = layer
        _replace(module, producer, Products(layer), producer.args)
        if batch_norm is not None:
            _replace(module, node, found, node.args)


def for_replicas(module: Lowered) -> None:
    """With virtual replicas, the scales of all normalisations are repeated for them together."""
    nodes = {node: _of(module, node, Normalisation) for node in module.graph.nodes}
    found = {
        node: normalisation
        for node, normalisation in nodes.items()
        if normalisation is not None
        and normalisation.scale is not None
        and not normalisation.batch_norm.global_stats
        and not normalisation.batch_norm.records
        and normalisation.batch_norm.eps > 0
        and normalisation.batch_norm.context.virtual_replicas > 1
    }
    if len(found) < 2:
        return
    replicas = next(iter(found.values())).batch_norm.context.virtual_replicas
    target = unique("for_replicas", lambda name: hasattr(module, name))
    module.add_submodule(target, ForReplicas(tuple(found.values()), replicas))
    with module.graph.inserting_before(next(iter(module.graph.nodes))):
        all_scales = module.graph.call_module(target, ())
    for i, (node, normalisation) in enumerate(found.items()):
        with module.graph.inserting_before(node):
            own = module.graph.call_function(operator.getitem, (all_scales, i))
            scales = [
                module.graph.call_function(operator.getitem, (own, k))
                for k in range(len(normalisation.scales()))
            ]
        node.args = (*node.args, *scales)


def in_place(module: Lowered) -> None:
    """A sum of two bottoms, and a plain ReLU, overwrite a bottom that nobody else reads or needs for backward."""
    for node in list(module.graph.nodes):
        layer = _of(module, node, Eltwise)
        if layer is not None and layer.adds_two and node.args[0] is not node.args[1]:
            for mine, other in (node.args, node.args[::-1]):
                if _is_fresh(module, mine):
                    _replace(module, node, torch.Tensor.add_, (mine, other))
                    break
        elif _is_plain_relu(module, node) and _is_fresh(module, node.args[0]):
            _replace(module, node, torch.Tensor.relu_, node.args)


PASSES: dict[str, Callable[[Lowered], None]] = {
    "normalisation": normalisation,
    "bias": bias,
    "for_replicas": for_replicas,
    "packed_convolution": packed_convolution,
    "in_place": in_place,
}
_WITHOUT_GRADIENTS = frozenset({"packed_convolution"})


def fuse(module: Lowered, off: Collection[str] = (), gradients: bool = True) -> Lowered:
    """Run every pass not named in `off` over the graph, in place; returns the recompiled module.

    Without `gradients` the graph may only run under torch.no_grad.
    """
    for name, apply in PASSES.items():
        if name not in off and not (gradients and name in _WITHOUT_GRADIENTS):
            apply(module)
    module.graph.lint()
    module.recompile()
    return module


def _of(module: Lowered, node: fx.node.Argument, kind: type[_M]) -> _M | None:
    """The module that a node calls, if it is of that kind."""
    if isinstance(node, fx.Node) and node.op == "call_module":
        found = module.get_submodule(str(node.target))
        return found if isinstance(found, kind) else None
    return None


def _is_plain_relu(module: Lowered, node: fx.Node) -> bool:
    relu = _of(module, node, ReLU)
    return relu is not None and not relu.slope


def _is_fresh(module: Lowered, node: fx.node.Argument) -> bool:
    """Whether a node makes a new tensor that has one reader and that its own backward does not look at."""
    if not isinstance(node, fx.Node) or len(node.users) != 1:
        return False
    if node.target is torch.Tensor.add_:
        return True
    made = _of(module, node, nn.Module)
    if isinstance(made, Convolution) and len(node.args) != 1:
        return False  # a tuple of tops
    return isinstance(
        made, Normalisation | BatchNorm | Convolution | Products | PackedConvolution | InnerProduct
    )


def _replace(
    module: Lowered,
    node: fx.Node,
    call: nn.Module | Callable[..., Tensor],
    args: tuple[fx.node.Argument, ...],
) -> None:
    """Put a call of a module or a function in the place of `node`."""
    with module.graph.inserting_after(node):
        if isinstance(call, nn.Module):
            target = unique(f"{node.target}_fused", lambda name: hasattr(module, name))
            module.add_submodule(target, call)
            new = module.graph.call_module(target, args)
        else:
            new = module.graph.call_function(call, args)
    node.replace_all_uses_with(new)
    module.graph.erase_node(node)
