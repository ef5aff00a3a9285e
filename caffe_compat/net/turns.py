"""Virtual replicas one after the other, for nets whose layers mix records."""

from __future__ import annotations

import functools
from contextlib import nullcontext

import torch
from torch import Tensor

from caffe_compat.net.capture import Result
from caffe_compat.net.execution import Settings, laid_out
from caffe_compat.net.lower import Lowered, Reshaping
from caffe_compat.net.random_state import Streams
from caffe_compat.net.wiring import Wiring


class Turns:
    """The replicas of this process in turn: each with its own random numbers, and with what its layers carry on."""

    def __init__(self, net: Wiring, settings: Settings):
        self._net, self._settings = net, settings
        self._buffers: list[list[Tensor]] = []  # the layers' buffers of each replica

    @functools.cached_property
    def streams(self) -> Streams:
        """The random numbers of the replicas."""
        return Streams(self._net.device, self._net.context.held)

    @functools.cached_property
    def is_random(self) -> bool:
        return any(layer.is_random for layer in self._net.layers)

    def run(self, graph: Lowered, batch: list[Tensor], backward: bool) -> Result:
        """A pass of each replica over its rows of the batch; the gradients are the mean of the replicas'."""
        net = self._net
        replicas = len(net.context.held)
        innermost = self._settings.innermost(net)
        run = Reshaping(graph).run if net.dynamic else graph
        losses, results = [], []
        buffers = [buffer for layer in net.layers for buffer in layer.buffers()]
        self._buffers = self._buffers or [[buffer.clone() for buffer in buffers] for _ in range(replicas)]
        # What a layer carries on to its next forward is each replica's.
        for replica, own in enumerate(self._buffers):
            for buffer, value in zip(buffers, own, strict=True):
                buffer.copy_(value)
            with self.streams.of(net.context.held[replica]) if self.is_random else nullcontext():
                with self._settings.execution.casts(net.device):
                    loss, outputs = run(*laid_out([top[replica::replicas] for top in batch], innermost))
                if backward and loss.requires_grad:
                    (loss / replicas).backward()
            losses.append(loss.detach())
            results.append(outputs)
            for buffer, value in zip(buffers, own, strict=True):
                value.copy_(buffer)
            if replica == 0:  # BatchNorm's sums and the like are kept as replica 0 leaves them
                kept = [(blob, blob.detach().clone()) for blob in net.fixed_blobs()]
        with torch.no_grad():
            for blob, value in kept:
                blob.copy_(value)
        return torch.stack(losses).mean(), results[0], losses[0]
