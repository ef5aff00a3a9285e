"""Fillers: the values a blob is born with.

Caffe: include/caffe/filler.hpp. All draws come from the one CPU generator handed in, whatever the
device, so a seed gives the same net on a CPU and on a GPU. (Not Caffe's own stream of numbers.)
"""

from collections.abc import Callable
from math import ceil, sqrt
from typing import NoReturn

import torch
from torch import Tensor

from caffe_compat.errors import nearest, some
from caffe_compat.proto import FillerParameter

Fail = Callable[[str], NoReturn]
Filler = Callable[[Tensor, FillerParameter, torch.Generator, Fail], None]

_REGISTRY: dict[str, Filler] = {}


def filler(name: str) -> Callable[[Filler], Filler]:
    """Register the decorated function as the filler of this name."""

    def register(function: Filler) -> Filler:
        if name in _REGISTRY:
            raise ValueError(
                f"filler {name!r} is registered by both {_REGISTRY[name].__module__} and {function.__module__}"
            )
        _REGISTRY[name] = function
        return function

    return register


def fill(blob: Tensor, param: FillerParameter, generator: torch.Generator, fail: Fail) -> None:
    """Fill `blob` in place as the FillerParameter `param` says.

    `fail` is called with a message, and must raise, for an unknown type or values the filler cannot use.
    """
    function = _REGISTRY.get(param.type)
    if function is None:
        fail(
            f"unknown filler type {param.type!r}{nearest(param.type, _REGISTRY)} "
            f"known fillers: {some(sorted(_REGISTRY), param.type)}"
        )
    if param.sparse != -1 and function is not gaussian:
        fail(f"sparse is {param.sparse}, but filler {param.type!r} has no sparse form; use type 'gaussian'")
    if blob.numel() == 0:
        fail(f"cannot fill a blob of shape {tuple(blob.shape)}: it has no elements; check the layer's sizes")
    with torch.no_grad():
        function(blob, param, generator, fail)


@filler("constant")
def constant(blob: Tensor, param: FillerParameter, generator: torch.Generator, fail: Fail) -> None:
    blob.fill_(param.value)


@filler("uniform")
def uniform(blob: Tensor, param: FillerParameter, generator: torch.Generator, fail: Fail) -> None:
    if not param.min <= param.max:
        fail(f"uniform filler has min {param.min:g} above max {param.max:g}; swap them")
    blob.uniform_(param.min, param.max, generator=generator)


@filler("gaussian")
def gaussian(blob: Tensor, param: FillerParameter, generator: torch.Generator, fail: Fail) -> None:
    if not param.std > 0:
        fail(
            f"gaussian filler has std {param.std:g}, it must be above 0; use type 'constant' for equal values"
        )
    blob.normal_(param.mean, param.std, generator=generator)
    if param.sparse == -1:
        return
    # Caffe keeps each weight with a probability of `sparse` over the number of OUTPUTS, not of inputs.
    outputs = blob.shape[0] if blob.dim() else 0
    if not 0 <= param.sparse <= outputs:
        fail(
            f"gaussian filler has sparse {param.sparse}, which must be between 0 and the blob's first "
            f"dimension {outputs}, or -1 for a dense blob"
        )
    blob.mul_(torch.empty_like(blob).bernoulli_(param.sparse / outputs, generator=generator))


@filler("positive_unitball")
def positive_unitball(blob: Tensor, param: FillerParameter, generator: torch.Generator, fail: Fail) -> None:
    if blob.dim() == 0:
        fail("positive_unitball needs a blob with axes, this one is a scalar; use type 'constant'")
    blob.uniform_(0, 1, generator=generator)
    rows = blob.view(blob.shape[0], -1)
    rows.div_(rows.sum(1, keepdim=True))


def _fan(blob: Tensor, param: FillerParameter, fail: Fail) -> float:
    """The number the variance is divided by; `fan in` is always count over shape[0], whatever the layer."""
    if blob.dim() == 0:
        fail(f"filler {param.type!r} needs a blob with axes, this one is a scalar; use type 'constant'")
    fan_in = blob.numel() // blob.shape[0]
    fan_out = blob.numel() // blob.shape[1] if blob.dim() > 1 else blob.numel()
    if param.variance_norm == FillerParameter.AVERAGE:
        return (fan_in + fan_out) / 2
    return fan_out if param.variance_norm == FillerParameter.FAN_OUT else fan_in


@filler("xavier")
def xavier(blob: Tensor, param: FillerParameter, generator: torch.Generator, fail: Fail) -> None:
    bound = sqrt(3 / _fan(blob, param, fail))
    blob.uniform_(-bound, bound, generator=generator)


@filler("msra")
def msra(blob: Tensor, param: FillerParameter, generator: torch.Generator, fail: Fail) -> None:
    blob.normal_(0, sqrt(2 / _fan(blob, param, fail)), generator=generator)


@filler("bilinear")
def bilinear(blob: Tensor, param: FillerParameter, generator: torch.Generator, fail: Fail) -> None:
    if blob.dim() != 4 or blob.shape[2] != blob.shape[3]:
        fail(
            f"the bilinear filler needs a 4-axis blob with equal height and width, this one is "
            f"{tuple(blob.shape)}; use a square kernel"
        )
    k = blob.shape[3]
    factor = ceil(k / 2)
    centre = (k - 1) / (2 * factor)
    row = 1 - (torch.arange(k, dtype=torch.float64) / factor - centre).abs()
    blob.copy_(torch.outer(row, row))  # the same kernel for every pair of output and input
