"""What several layers come to when they are one node of a graph that has gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.autograd import Function

from caffe_compat.layers.base import Layer
from caffe_compat.layers.batch_norm import BatchNorm
from caffe_compat.layers.convolution import Convolution
from caffe_compat.layers.scale import Scale
from caffe_compat.net.wiring import Wiring


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


def without_gradient(graph: nn.Module, net: Wiring) -> list[Tensor]:
    """The biases that get no gradient in this graph, whatever they are; one that another layer shares gets its."""
    joined = [module.biased for module in graph.modules() if isinstance(module, Normalisation)]
    blobs = [layer.owned_blobs()[1] for layer in joined if layer is not None]
    owned = [id(blob) for layer in net.layers for blob in layer.owned_blobs()]
    return [blob for blob in blobs if owned.count(id(blob)) == 1]
