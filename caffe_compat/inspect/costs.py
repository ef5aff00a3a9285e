"""What one forward pass through a net costs. What one layer does is said by its class."""

from __future__ import annotations

from caffe_compat.net.net import Net

VALUE_BYTES = 4  # of a float32


def of_net(net: Net) -> int:
    """Multiply-adds of one forward pass of a built net; of one replica."""
    return sum(
        layer.multiply_adds(*([net.blob_shapes[name] for name in names] for names in names_of_layer))
        for layer, *names_of_layer in zip(net.layers, net.bottom_names, net.top_names, strict=True)
    )
