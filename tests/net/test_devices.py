"""The nets of prototxt/ on a GPU: the CPU's numbers, and no wait for the GPU, whether captured or not."""

import os

import pytest
import torch

from caffe_compat.layers.base import Context
from caffe_compat.net.execution import Execution
from caffe_compat.net.net import Net
from caffe_compat.proto import TEST, TRAIN, text
from tests import pretended
from tests.net.test_same_numbers import NETS, PROTOTXT, with_inputs

QUICK = ("lenet.prototxt", "quickstart.prototxt")


def passes(name, phase, device, compile="off"):
    """Losses, outputs, gradients and blobs of as many passes as it takes to record one."""
    param = with_inputs(text.read_net(os.path.join(PROTOTXT, name)), 3)
    param.state.phase = phase
    net = Net(param, context=Context(torch.Generator().manual_seed(4)), device=device)
    net.execution = Execution(compile=compile, channels_last="off")
    (data,) = [layer for layer in net.data_layers() if layer.type == "Input"]
    draw = torch.Generator().manual_seed(2)
    data.tops[0] = torch.rand(data.tops[0].shape, generator=draw)
    torch.manual_seed(5)
    found = []
    for _ in range(4):
        net.clear_param_diffs()
        loss, outputs = net.forward_backward() if phase == TRAIN else net.forward()
        found += [loss, *outputs.values(), *(b.tensor.grad for b in net.learned if b.tensor.grad is not None)]
    found = [value.detach().clone() for value in found]
    return found + [blob.detach() for layer in net.layers for blob in layer.owned_blobs()], net


@pytest.mark.gpu
@pytest.mark.parametrize("phase", [TRAIN, TEST], ids=["TRAIN", "TEST"])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in NETS]
)
def test_a_net(name, phase):
    wanted, _ = passes(name, phase, "cpu")
    found, _ = passes(name, phase, "cuda")
    captured, net = passes(name, phase, "cuda", "capture")
    assert all(kept.recorded for kept in net._runner._captured.values()) and net._runner._captured
    if pretended.real() and "dropout" in name:
        return  # a GPU draws other numbers
    for ours in (found, captured):
        torch.testing.assert_close([value.cpu() for value in ours], wanted, rtol=1e-3, atol=1e-4)
