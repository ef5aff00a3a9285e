"""What the tests of data layers share."""

from pathlib import Path

import numpy as np
import torch

from caffe_compat.layers.base import TEST, TRAIN, Context, Layer
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto import NetParameter
from caffe_compat.proto.text import parse, read_net

REFERENCE = Path(__file__).parents[1] / "reference" / "data"
CPU = torch.device("cpu")


def make(text: str, phase: int = TRAIN, top: int = 2, seed: int = 1, **context) -> Layer:
    """The layer of `layer { name: "d" <text> }`, set up, with tops named t0, t1 ..."""
    tops = " ".join(f'top: "t{i}"' for i in range(top))
    (param,) = parse(f'layer {{ name: "d" {tops} {text} }}', NetParameter, "test.prototxt").layer
    layer = create_layer(param, phase, Context(generator=torch.Generator().manual_seed(seed), **context))
    layer.setup()
    assert layer.random_reason() == "" or layer.random_reason().split()[-1] == "random"
    return layer


def load(layer: Layer, count: int = 1) -> list[tuple[np.ndarray, ...]]:
    """The next batches, after a look at their shapes and precision."""
    batches = []
    for _ in range(count):
        tops = layer.load(CPU)
        assert all(top.dtype == layer.context.dtype for top in tops)
        batches.append(tuple(top.numpy() for top in tops))
    return batches


def assert_golden(name: str) -> None:
    """The four batches of a layer that a real Caffe served in the TEST phase, exactly."""
    (param,) = read_net(REFERENCE / f"{name}.prototxt").layer
    layer = create_layer(param, TEST, Context(root=str(REFERENCE)))
    layer.setup()
    wanted = np.load(REFERENCE / f"{name}.npz")
    shapes = layer.reshape()
    for k, tops in enumerate(load(layer, 4)):
        for top, shape, blob in zip(tops, shapes, param.top, strict=True):
            want = wanted[f"batch{k}.{blob}"]
            np.testing.assert_array_equal(top, want)
            if k == 0:
                assert top.shape == want.shape == tuple(shape)


def assert_resumes(build, batches: int = 3) -> None:
    """A layer that takes over the state of another goes on as that one, in a run of its own seed."""
    first = build(seed=1)
    load(first, batches)
    state = first.get_state()
    wanted = load(first, 4)
    second = build(seed=2)
    load(second)  # it has begun to read ahead
    second.set_state(state)
    for got, want in zip(load(second, 4), wanted, strict=True):
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)
    assert second.get_state() == first.get_state()


def assert_replicas_agree(build, batches: int = 4) -> None:
    """N processes get the rows that one process with N replicas gets, row i being replica i % N's."""
    together = load(build(replicas=3, rank=None), batches)
    for rank in range(3):
        for all_rows, own in zip(together, load(build(replicas=3, rank=rank), batches), strict=True):
            for a, b in zip(all_rows, own, strict=True):
                np.testing.assert_array_equal(a[rank::3], b)
