"""A layer made for a test, and run; `Case` is what is known of one."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from caffe_compat.layers.base import TRAIN, Context, Layer
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto import NetParameter
from caffe_compat.proto.text import parse
from tests import pretended

Arrays = Sequence[np.ndarray]


# Marks a test that calls torch.compile: dynamo makes an instance of every autograd Function it meets.
compiling = pytest.mark.filterwarnings("ignore:.*Function'> should not be instantiated:DeprecationWarning")


@dataclass(frozen=True)
class Case:
    """One layer under test.

    name      the test's id
    layer     what stands inside `layer { }`; missing `bottom` and `top` lines are added (x0 x1 ..., y)
    bottoms   one a bottom: an array, or a shape to be filled with distinct values in both signs, none of them 0
    formula   numpy: (*bottoms, *blobs) -> the top, or a tuple of the tops; float64 in and out
    diffs     numpy: (top diffs, *bottoms, *blobs) -> what Caffe gives the bottoms as gradients, where that is
              not the derivative of `formula`; replaces the finite differences
    gradient  which bottoms take part in the gradient check; None means all, () none (of the blobs neither)
    blobs     blob values; None means drawn like the bottoms
    onnx      False where ONNX's operators treat such values differently (NaN, infinities, equal values); where the
              export must be refused, the message, a regular expression
    """

    name: str
    layer: str
    bottoms: Sequence[Any]
    formula: Callable[..., Any]
    diffs: Callable[..., Any] | None = None
    gradient: Sequence[int] | None = None
    blobs: Arrays | None = None
    phase: int = TRAIN
    onnx: bool | str = True


def layer_param(text: str, bottoms: int = 1) -> Any:
    """The LayerParameter of `layer { name: "l" <text> }`, with bottoms and a top added if `text` has none."""
    (param,) = parse(f'layer {{ name: "l" {text} }}', NetParameter, "test.prototxt").layer
    if not param.bottom:
        param.bottom.extend(f"x{i}" for i in range(bottoms))
    if not param.top:
        param.top.append("y")
    return param


def make(
    text: str,
    *bottoms: Sequence[int],
    phase: int = TRAIN,
    dtype: torch.dtype = torch.float64,
    seed: int = 1,
    replicas: int = 1,
    rank: int | None = None,
) -> Layer:
    """The layer of `text`, set up and reshaped for bottoms of these shapes; `rank` None: all replicas in one process."""
    context = Context(torch.Generator().manual_seed(seed), replicas=replicas, rank=rank, dtype=dtype)
    layer = create_layer(layer_param(text, len(bottoms)), phase, context)
    layer.setup(*(tuple(shape) for shape in bottoms))
    layer.reshape(*(tuple(shape) for shape in bottoms))
    return layer


def draws(shape: Sequence[int], seed: int = 1) -> np.ndarray:
    """Distinct values between -2 and 2, none of them 0, in an order and at an offset that depend on `seed`."""
    count = int(np.prod(shape))
    values = (np.arange(count) + 0.2 + 0.6 * (seed * 0.618034 % 1)) * (4 / max(count, 1)) - 2
    return np.random.default_rng(seed).permutation(values).reshape(shape)


def run(layer: Layer, *bottoms: Tensor) -> tuple[Tensor, ...]:
    """The layer's tops, always as a tuple; of a layer that looks at values also checks that a GPU gives the same."""
    if not layer.dynamic or pretended.Device.current:
        return _tops(layer, *bottoms)
    random, other = torch.get_rng_state(), copy.deepcopy(layer)
    tops = _tops(layer, *bottoms)
    after = torch.get_rng_state()
    torch.set_rng_state(random)
    with pretended.cuda(), torch.no_grad():
        there = _tops(other.to("cuda"), *(bottom.detach().to("cuda") for bottom in bottoms))
        assert all(top.device.type == "cuda" for top in there)
        found = [top.cpu() for top in there]
    torch.testing.assert_close(found, [top.detach() for top in tops], equal_nan=True)
    torch.set_rng_state(after)
    return tops


def _tops(layer: Layer, *bottoms: Tensor) -> tuple[Tensor, ...]:
    tops = layer(*bottoms)
    if isinstance(tops, Tensor):
        return (tops,)
    assert len(tops) != 1, "one top is returned as it is: the graph takes it for one"
    return tuple(tops)


def assert_equal(ours: Any, caffe: Any, what: str) -> None:
    """Same shape, the same NaN and infinities, and max |ours - Caffe| <= 2e-4 * max(1e-3, max |Caffe|)."""
    ours, caffe = np.asarray(ours.detach() if isinstance(ours, Tensor) else ours), np.asarray(caffe)
    assert ours.shape == caffe.shape, f"{what}: shape {ours.shape}, Caffe has {caffe.shape}"
    finite = np.isfinite(caffe)
    np.testing.assert_array_equal(ours[~finite], caffe[~finite], err_msg=what)
    ours, caffe = ours[finite].astype(np.float64), caffe[finite].astype(np.float64)
    limit = 2e-4 * max(1e-3, float(np.abs(caffe).max(initial=0)))
    worst = float(np.abs(ours - caffe).max(initial=0))
    assert worst <= limit, f"{what}: off by {worst:.3g}, allowed {limit:.3g}"
