"""The graph without gradients: prepared weights follow every change of a blob."""

import pytest
import torch

from caffe_compat.layers.base import Context
from caffe_compat.net import packed
from caffe_compat.net.fuse import PASSES, fuse
from caffe_compat.net.lower import lower
from caffe_compat.net.net import Net
from caffe_compat.proto import TEST, NetParameter, text
from tests.net.block import NET, batch, make

DEPLOY = "\n".join(line for line in NET.splitlines() if '"acc"' not in line and '"loss"' not in line).replace(
    'top: "x" top: "label"', 'top: "x"'
).replace("shape { dim: 6 } }", "}")  # fmt: skip


def deploy():
    param = text.parse(DEPLOY, NetParameter, "deploy.prototxt")
    param.state.phase = TEST
    net = Net(param, context=Context(torch.Generator().manual_seed(3), dtype=torch.float64))
    draw = torch.Generator().manual_seed(4)
    for layer in net.layers:
        if layer.type == "BatchNorm":
            for blob in layer.blobs:
                blob.detach().uniform_(0.5, 2, generator=draw)
    net.layerwise.data("x").copy_(batch()[0])
    return net


def watched(net):
    """The blobs after a forward pass that a hook watches, so that it goes layer by layer."""
    net.layerwise.before_forward.append(lambda i: None)
    net.layerwise.forward()
    net.layerwise.before_forward.clear()
    return {name: net.layerwise.data(name).clone() for name in net.blob_names}


def test_an_unwatched_forward_pass_shows_every_blob():
    net = deploy()
    expected = watched(net)
    net.layerwise.forward()
    assert {"c1", "bn1", "c2", "sum", "y"} <= set(expected)
    for name, value in expected.items():
        found = net.layerwise.data(name)
        assert found.is_contiguous()
        torch.testing.assert_close(found, value, rtol=1e-9, atol=1e-11, msg=name)


@pytest.mark.parametrize("layer", ["c1", "bn1", "sc1", "c2"])
@pytest.mark.parametrize("how", ["tensor", "array"])
def test_a_forward_pass_follows_every_change_of_a_blob(layer, how):
    net = deploy()
    blob = net.layer(layer).owned_blobs()[0]
    if how == "array":
        blob.shown = True
    array = blob.detach().numpy()  # a view from before the first pass
    net.layerwise.forward()
    before = net.layerwise.data("y").clone()
    if how == "array":
        array *= 1.5
    else:
        with torch.no_grad():
            blob.mul_(1.5)
    net.layerwise.forward()
    after = net.layerwise.data("y").clone()
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, watched(net)["y"], rtol=1e-9, atol=1e-11)


def test_a_forward_pass_follows_new_shapes():
    net = deploy()
    net.layerwise.forward()
    net.layerwise.reshape_blob("x", (2, 3, 9, 8))
    net.layerwise.forward()
    assert net.layerwise.data("y").shape == (2, 5)
    torch.testing.assert_close(net.layerwise.data("y"), watched(net)["y"], rtol=1e-9, atol=1e-11)


def test_what_a_program_writes_to_a_blobs_data_is_seen():
    net = deploy()
    net.layer("in").load = lambda device: list(batch()[:1])
    first = net.forward()[1]["y"]
    net.layer("c1").blobs[0].data.mul_(1.5)
    net.layer("bn1").blobs[0].data.add_(0.5)
    second = net.forward()[1]["y"]
    torch.testing.assert_close(
        second, fuse(lower(net.wiring), off=PASSES)(batch()[0])[1]["y"], rtol=1e-9, atol=0
    )
    assert not torch.allclose(first, second)
    with net.steady():
        net.forward()
        net.layer("c1").blobs[0].data.zero_()
        assert torch.equal(net.forward()[1]["y"], second)
    assert not torch.allclose(net.forward()[1]["y"], second)


def rectified(bottom, weight, bias, other, window, group):
    """cuDNN's operation, on the CPU."""
    top = torch.nn.functional.conv2d(bottom, weight, bias, *window, group)
    return (top if other is None else top + other).relu()


def of_no_such_type(*_):
    raise RuntimeError("CUDNN_STATUS_NOT_SUPPORTED")


@pytest.mark.parametrize(
    ("operation", "trusted"),
    [
        (rectified, True),
        (of_no_such_type, False),
        (lambda *args: rectified(*args).nan_to_num(0), False),
        (lambda bottom, weight, bias, other, *rest: rectified(bottom, weight, bias, None, *rest), False),
    ],
    ids=["right", "missing", "without NaN", "without the sum"],
)
def test_one_operation_for_convolution_sum_and_relu_is_tried_before_it_is_trusted(
    operation, trusted, monkeypatch
):
    monkeypatch.setattr(packed, "_rectified", operation)
    packed.rectifies.cache_clear()
    assert packed.rectifies(torch.device("cpu"), torch.float32) is trusted
    packed.rectifies.cache_clear()


def test_with_that_operation_the_numbers_are_the_same(monkeypatch):
    net, calls = make(TEST), []
    net.layer("in").load = lambda device: list(batch())
    wanted = net.forward()
    monkeypatch.setattr(packed, "_fits", lambda bottom: True)
    monkeypatch.setattr(packed, "_rectified", lambda *args: calls.append(args[3]) or rectified(*args))
    found = net.forward()
    assert [other is None for other in calls] == [True, False]
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=0)
