"""What debug_info logs of a net run layer by layer: mean absolute values, and the norms at the end of a backward."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from caffe_compat.log.write import Log
from caffe_compat.net.wiring import Wiring


def forward(log: Log, net: Wiring, i: int, data: Callable[[str], Tensor]) -> None:
    """The tops and blobs of layer i, which has just run."""
    for top in net.top_names[i]:
        log.debug_forward(net.layer_names[i], "top", top, _mean_abs(data(top)))
    specs = net.layers[i].param.param
    for index, blob in enumerate(net.layers[i].blobs):
        name = specs[index].name if index < len(specs) and specs[index].name else str(index)
        log.debug_forward(net.layer_names[i], "param", name, _mean_abs(blob))


def backward(log: Log, net: Wiring, i: int, diff: Callable[[str], Tensor]) -> None:
    """The gradients that layer i gave its bottoms and blobs."""
    for name, need in zip(net.bottom_names[i], net.bottom_need_backward[i], strict=True):
        if need:
            log.debug_backward(net.layer_names[i], "bottom", name, _mean_abs(diff(name)))
    blobs = net.layers[i].owned_blobs()
    for index, (blob, need) in enumerate(zip(blobs, net.blob_need_backward[i], strict=True)):
        if need:
            log.debug_backward(net.layer_names[i], "param", str(index), _mean_abs(blob.grad))


def norms(log: Log, net: Wiring) -> None:
    """The L1 and L2 norms of all learned blobs and their gradients."""
    data = [blob.tensor.detach() for blob in net.learned]
    diff = [blob.tensor.grad for blob in net.learned if blob.tensor.grad is not None]
    sums = [
        (float(sum(t.abs().sum() for t in ts)), float(sum(t.square().sum() for t in ts)) ** 0.5)
        for ts in (data, diff)
    ]
    (l1_data, l2_data), (l1_diff, l2_diff) = sums
    log.debug_norms(l1_data, l1_diff, l2_data, l2_diff)


def _mean_abs(tensor: Tensor | None) -> float:
    return float(tensor.detach().abs().mean()) if tensor is not None and tensor.numel() else 0.0
