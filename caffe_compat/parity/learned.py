"""Learned blobs as bundles name them, `<layer>.<index>`, and those whose numbers say nothing."""

from __future__ import annotations

from torch import Tensor

from caffe_compat.net.net import Net

CANCELLED = "rounding noise: the BatchNorm behind takes this bias out again"


def learned(net: Net, key: str) -> Tensor | None:
    """The blob that `<layer>.<index>` names, or None."""
    name, _, index = key.rpartition(".")
    layer = net.layer(name)
    if layer is None or not index.isdigit() or int(index) >= len(layer.blobs):
        return None
    return layer.blobs[int(index)]


def blob(net: Net, key: str) -> Tensor:
    """`learned` of a blob that exists."""
    found = learned(net, key)
    assert found is not None
    return found


def owner(net: Net, key: str) -> Tensor:
    """The tensor behind the blob that `<layer>.<index>` names, which exists."""
    name, _, index = key.rpartition(".")
    layer = net.layer(name)
    assert layer is not None
    return layer.owned_blobs()[int(index)]


def fixed_blobs(net: Net) -> set[str]:
    """`<layer>.<index>` of the blobs that have no gradient: statistics that the forward pass keeps."""
    return {f"{layer.name}.{index}" for layer in net.layers for index in layer.fixed_blobs}


def cancelled_biases(net: Net) -> dict[str, str]:
    """`<layer>.<index>` of each bias whose only reader takes the batch's mean out again; and of the blob that keeps it.

    Its true gradient is 0, so what a program computes for it is rounding noise, and so is what it adds to that mean.
    """
    found = {}
    last: dict[str, int] = {}
    for i, layer in enumerate(net.layers):
        mean = layer.removed_mean()
        if mean is not None:
            maker = net.layers[last[net.bottom_names[i][0]]]
            index = len(maker.blobs) - 1
            if index >= 0 and index == maker.bias_blob and maker.blobs[index].dim() == 1:
                found[f"{maker.name}.{index}"] = f"{layer.name}.{mean}"
        for name in net.top_names[i]:
            last[name] = i
    return found
