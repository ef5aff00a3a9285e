"""Caffe's numbers of every version of a blob: in-place layers write a blob of one name again and again."""

from __future__ import annotations

import numpy as np

from caffe_compat.net.net import Net
from caffe_compat.parity.bundle import Bundle

Version = tuple[int, int]  # what top k of layer i wrote


class Versions:
    """Which versions a net's blobs have, and what a bundle holds of each.

    first, last  of the blob of a name
    source       per layer, the versions that are its bottoms
    reader       which bottom of which layer reads a version; an output has none
    """

    def __init__(self, bundle: Bundle, net: Net):
        self.arrays, self.kind, self.net = bundle.arrays, bundle.kind, net
        self.first: dict[str, Version] = {}
        self.last: dict[str, Version] = {}
        self.source: list[list[Version]] = []
        self.reader: dict[Version, Version] = {}
        for i, (bottoms, tops) in enumerate(zip(net.bottom_names, net.top_names, strict=True)):
            self.source.append([self.last[name] for name in bottoms])
            for k, version in enumerate(self.source[i]):
                self.reader[version] = (i, k)
            for k, name in enumerate(tops):
                self.first.setdefault(name, (i, k))
                self.last[name] = (i, k)

    def key(self, i: int, k: int) -> str | None:
        """What Caffe's values of a version are called in the bundle, None if it lacks them."""
        net, name = self.net, self.net.top_names[i][k]
        keys = [f"top.{net.layer_names[i]}.{k}"]
        if net.layers[i].is_data and self.kind == "net":
            keys.append(f"in.{name}")
        if self.last[name] == (i, k):
            keys.append(f"blob.{name}")
        for key in keys:
            if key in self.arrays:
                return key
        if net.layers[i].is_alias:
            return self.key(*self.source[i][0])
        return None

    def values(self, i: int, k: int) -> np.ndarray | None:
        """Caffe's values of a version."""
        key = self.key(i, k)
        return None if key is None else self.arrays[key]

    def diff(self, version: Version) -> np.ndarray | None:
        """Caffe's gradient of a version: what the layer that reads it gave back, or what an output was given."""
        i, k = version
        name = self.net.top_names[i][k]
        reader = self.reader.get(version)
        if reader is None:
            return self.arrays.get(f"topdiff.{name}")
        key = f"bottomdiff.{self.net.layer_names[reader[0]]}.{reader[1]}"
        if key in self.arrays:
            return self.arrays[key]
        if self.first[name] != version:
            return None
        return self.arrays.get(f"diff.{name}", self.arrays.get(f"grad.{name}"))
