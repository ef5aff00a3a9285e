"""The graph of a net that has no gradients, with weights that are prepared before its passes."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from caffe_compat.net.execution import Settings
from caffe_compat.net.fuse import fuse
from caffe_compat.net.lower import Lowered, lower
from caffe_compat.net.packed import Packs
from caffe_compat.net.wiring import Wiring


class Inference:
    """The graph, and what in it is made of blobs."""

    def __init__(self, net: Wiring, settings: Settings):
        self._net, self._settings = net, settings
        self._steady = self._followed = False

    @functools.cached_property
    def graph(self) -> Lowered:
        """The fused graph, made on first use."""
        return fuse(lower(self._net), gradients=False)

    @functools.cached_property
    def _packs(self) -> Packs:
        return Packs(self.graph)

    def follow(self) -> None:
        """Before a pass: prepare the weights anew, once while blobs are `steady`."""
        if not self._followed:
            innermost = self._settings.innermost(self._net) or self._net.device.type == "cpu"
            self._packs.refresh(innermost, anew=True)
            self._followed = self._steady

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Within it no blob changes from pass to pass."""
        self._steady, self._followed = True, False
        try:
            yield
        finally:
            self._steady = self._followed = False
