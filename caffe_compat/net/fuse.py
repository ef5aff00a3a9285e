"""Graph passes that make the lowered net faster and change no number beyond rounding.

Each pass is a function on the graph; `PASSES` gives them in order and `fuse(..., off=("name",))`
leaves one out. The layers keep their blobs: a fused node calls the same layer objects.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from torch import Tensor, fx, nn

from caffe_compat.layers.base import Layer
from caffe_compat.layers.batch_norm import BatchNorm
from caffe_compat.layers.scale import Scale
from caffe_compat.net.lower import Lowered


class BatchNormScale(nn.Module):
    """A BatchNorm layer and the Scale that alone reads its top, as one normalisation."""

    def __init__(self, batch_norm: BatchNorm, scale: Scale):
        super().__init__()
        self.batch_norm = batch_norm
        self.scale = scale

    def forward(self, bottom: Tensor) -> Tensor:
        bias = self.scale.blobs[1] if len(self.scale.blobs) > 1 else None
        return self.batch_norm.forward_scaled(bottom, self.scale.blobs[0], bias)


def batch_norm_scale(module: Lowered) -> None:
    """BatchNorm followed by a one-bottom, per-channel Scale becomes one node."""
    for node in list(module.graph.nodes):
        scale = _layer(module, node)
        if not isinstance(scale, Scale) or len(node.args) != 1:
            continue
        producer = node.args[0]
        batch_norm = _layer(module, producer)
        if not isinstance(batch_norm, BatchNorm) or len(producer.users) != 1 or not scale.per_channel:
            continue
        target = f"{node.target}_fused"
        module.add_submodule(target, BatchNormScale(batch_norm, scale))
        with module.graph.inserting_after(node):
            fused = module.graph.call_module(target, producer.args)
        node.replace_all_uses_with(fused)
        module.graph.erase_node(node)
        module.graph.erase_node(producer)


PASSES: dict[str, Callable[[Lowered], None]] = {"batch_norm_scale": batch_norm_scale}


def fuse(module: Lowered, off: Collection[str] = ()) -> Lowered:
    """Run every pass not named in `off` over the graph, in place; returns the recompiled module."""
    for name, apply in PASSES.items():
        if name not in off:
            apply(module)
    module.graph.lint()
    module.recompile()
    return module


def _layer(module: Lowered, node: fx.node.Argument) -> Layer | None:
    if isinstance(node, fx.Node) and node.op == "call_module":
        found = module.get_submodule(str(node.target))
        return found if isinstance(found, Layer) else None
    return None
