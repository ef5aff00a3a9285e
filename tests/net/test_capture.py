"""Passes recorded as CUDA graphs give what passes give. tests/solver/test_devices.py trains with them."""

import pytest
import torch

from caffe_compat.errors import NetError
from caffe_compat.layers.base import Context
from caffe_compat.net import capture
from caffe_compat.net.execution import Execution
from caffe_compat.net.net import Net
from caffe_compat.proto import TRAIN, NetParameter, text
from tests import pretended

NET = """
layer { name: "in" type: "MemoryData" top: "x" top: "label" memory_data_param { batch_size: 4 channels: 3 height: 2 width: 1 } }
layer { name: "bn" type: "BatchNorm" bottom: "x" top: "n" }
layer { name: "ip" type: "InnerProduct" bottom: "n" top: "y" inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" }
"""


@pytest.fixture
def device():
    with pretended.cuda() as device:
        yield device


def make(compile="capture", net=NET, where="cuda"):
    param = text.parse(net, NetParameter)
    param.state.phase = TRAIN
    made = Net(param, context=Context(torch.Generator().manual_seed(3)), device=where)
    made.execution = Execution(compile=compile, channels_last="off")
    draw = torch.Generator().manual_seed(2)
    x = torch.randn(240, 3, 2, 1, generator=draw).numpy()
    made.layer("in").reset(x, torch.randint(0, 5, (240,), generator=draw).numpy())
    return made


def step(net):
    net.clear_param_diffs()
    loss, outputs = net.forward_backward()
    values = [
        loss,
        *outputs.values(),
        *(b.tensor for b in net.learned),
        *(b.tensor.grad for b in net.learned[3:]),
    ]
    return [value.detach().cpu() for value in values]


def recorded(net):
    return [kept.recorded for kept in net._runner._captured.values()]


def test_from_the_fourth_pass_on(device):
    captured, plain = make(), make("off")
    for count in range(1, 7):
        torch.testing.assert_close(step(captured), step(plain))
        assert recorded(captured) == [count > capture._FIRST]
    assert captured.describe_execution().endswith("not compiled, captured as a CUDA graph")
    assert plain.describe_execution().endswith("not compiled") and not plain._runner._captured


def test_results_are_not_overwritten_by_the_next_pass(device):
    net = make()
    losses = [net.forward_backward()[0] for _ in range(7)]
    values = [float(loss) for loss in losses]
    plain = make("off")
    assert values == pytest.approx([float(plain.forward_backward()[0]) for _ in range(7)])
    assert len(set(values)) == 7


def test_another_batch_size_is_another_graph(device):
    captured, plain = make(), make("off")
    for size in (4, 6, 4):
        for net in (captured, plain):
            net.layer("in").set_batch_size(size)
        for _ in range(5):
            torch.testing.assert_close(step(captured), step(plain))
        assert recorded(captured) == [True]


def test_memory_that_moves_is_noticed(device):
    net = make()
    for _ in range(5):
        step(net)
    layer = net.layer("loss")
    before = layer.bad_position
    layer.bad_position = before.clone()
    step(net)
    assert recorded(net) == [False]


def test_passes_that_others_wait_for_are_not_recorded(device):
    net = make()
    net.learned[3].tensor.register_post_accumulate_grad_hook(lambda blob: None)
    for _ in range(5):
        step(net)
    assert not any(recorded(net)) and net.describe_execution().endswith("not compiled")


def test_layers_that_write_files_are_not_recorded(device, tmp_path):
    output = f'layer {{ name: "o" type: "HDF5Output" bottom: "y" bottom: "label" hdf5_output_param {{ file_name: "{tmp_path}/o.h5" }} }}'
    net = make(net=NET + output)
    for _ in range(5):
        step(net)
    assert not net._runner._captured


def test_on_a_cpu_nothing_is_recorded():
    net = make(where="cpu")
    for _ in range(5):
        step(net)
    assert not net._runner._captured and net.describe_execution().endswith("not compiled")


def test_what_cannot_be_recorded(device, monkeypatch):
    net = make()
    layer = net.layer("ip")
    forward = layer.forward
    monkeypatch.setattr(layer, "forward", lambda x: forward(x) * float(x.detach().sum() != 0))
    with pytest.raises(NetError, match="cannot be recorded as a CUDA graph: .+; give --compile on or off"):
        for _ in range(5):
            step(net)
