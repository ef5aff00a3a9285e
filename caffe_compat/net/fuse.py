"""Graph passes that make the lowered net faster and change no number beyond rounding.

Each pass is a function on the graph; `PASSES` gives them in order and `fuse(..., off=("name",))`
leaves one out. The layers keep their blobs: a fused node calls the same layer objects.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection
from typing import TypeVar

import torch
from torch import Tensor, fx, nn

from caffe_compat.layers.batch_norm import BatchNorm
from caffe_compat.layers.convolution import Convolution
from caffe_compat.layers.eltwise import Eltwise
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.relu import ReLU
from caffe_compat.layers.scale import Scale
from caffe_compat.net.fused_layers import ForReplicas, Normalisation, Products
from caffe_compat.net.lower import Lowered, unique
from caffe_compat.net.packed import PackedConvolution

_M = TypeVar("_M", bound=nn.Module)


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
        layer = _convolution(module, producer)
        if layer is None or len(producer.users) != 1 or len(layer.blobs) < 2:
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


def packed_convolution(module: Lowered) -> None:
    """Convolutions become ones that keep their weights ready; for graphs that run without gradients."""
    for node in list(module.graph.nodes):
        layer = _convolution(module, node)
        if layer is None or layer.spatial != 2 or 0 in layer.window.dilation:
            continue
        reader = next(iter(node.users))
        found = _of(module, reader, Normalisation) if len(node.users) == 1 else None
        if found is None or not found.batch_norm.global_stats:
            _replace(module, node, PackedConvolution(layer, None), node.args)
        else:
            _replace(module, reader, PackedConvolution(layer, found), node.args)
            module.graph.erase_node(node)


def packed_rectifier(module: Lowered) -> None:
    """A plain ReLU of a packed convolution, or of its sum with something else, is done by the convolution."""
    for node in list(module.graph.nodes):
        if not _is_plain_relu(module, node):
            continue
        (source,) = node.args
        packed = _of(module, source, PackedConvolution)
        total = _of(module, source, Eltwise)
        if len(source.users) != 1:
            continue
        if packed is not None and not packed.rectified:
            packed.rectified = True
            node.replace_all_uses_with(source)
            module.graph.erase_node(node)
        elif total is not None and total.adds_two and source.args[0] is not source.args[1]:
            for mine, other in (source.args, source.args[::-1]):
                packed = _of(module, mine, PackedConvolution)
                if packed is not None and not packed.rectified and len(mine.users) == 1:
                    packed.rectified = True
                    with module.graph.inserting_before(node):
                        new = module.graph.call_module(mine.target, (*mine.args, other))
                    node.replace_all_uses_with(new)
                    for old in (node, source, mine):
                        module.graph.erase_node(old)
                    break


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
    "packed_rectifier": packed_rectifier,
    "in_place": in_place,
}
_WITHOUT_GRADIENTS = frozenset({"packed_convolution", "packed_rectifier"})


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


def _convolution(module: Lowered, node: fx.node.Argument) -> Convolution | None:
    """The Convolution of one bottom along axis 1 that a node calls; no subclass that makes more of it."""
    layer = _of(module, node, Convolution)
    if layer is None or layer.start != 1 or len(node.args) != 1:  # type: ignore[union-attr]
        return None
    own = all(
        getattr(type(layer), name) is getattr(Convolution, name)
        for name in ("forward", "products", "compute")
    )
    return layer if own else None


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
