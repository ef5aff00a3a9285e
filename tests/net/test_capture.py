"""Passes recorded as CUDA graphs give what passes give. tests/solver/test_devices.py trains with them."""

import gc
import io

import pytest
import torch
from torch.autograd.graph import get_gradient_edge

from caffe_compat.errors import NetError
from caffe_compat.layers.base import Context
from caffe_compat.log.write import NULL, Log
from caffe_compat.net import capture
from caffe_compat.net.execution import Execution
from caffe_compat.net.net import Net
from caffe_compat.proto import TRAIN, NetParameter, text
from tests import pretended, pretended_device

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


def make(compile="capture", net=NET, where="cuda", log=NULL):
    param = text.parse(net, NetParameter)
    param.state.phase = TRAIN
    made = Net(param, context=Context(torch.Generator().manual_seed(3)), device=where, log=log)
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
    assert not any(recorded(net))
    told = net.describe_execution()
    assert told.endswith("not compiled, not captured: gradients go to other processes while backward runs")


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


DRAWS = NET.replace(
    'layer { name: "loss"',
    '''layer { name: "d" type: "Dropout" bottom: "y" top: "y" }
layer { name: "loss"''',
)


def breaks(layer, monkeypatch, what):
    """A pass that is recorded breaks off in this layer's forward, after it has changed what it can."""
    forward = layer.forward

    def broken(x):
        layer.count = getattr(layer, "count", 0) + 1
        y = forward(x)
        if torch.cuda.is_current_stream_capturing():
            layer.blobs.anchor = torch.zeros(0)
            torch.randn(3)
            what(x)
        return y

    monkeypatch.setattr(layer, "forward", broken)


def reads(x):
    float(x.detach().sum())


def lacks_memory(x):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")


@pytest.mark.parametrize(("what", "says"), [(reads, ""), (lacks_memory, "CUDA out of memory")])
@pytest.mark.parametrize("add", [False, True])
def test_auto_goes_on_without_what_cannot_be_recorded(device, monkeypatch, what, says, add):
    """As if it had never been tried: blobs, statistics, gradients (added to those there), random numbers, one line."""
    text = io.StringIO()
    ours, plain = make("auto", DRAWS, log=Log(text, progress=False)), make("off", DRAWS)
    breaks(ours.layer("ip"), monkeypatch, what)
    results = []
    for net in (ours, plain):
        torch.manual_seed(5)
        results.append([])
        for _ in range(7):
            if not add:
                net.clear_param_diffs()
            net.forward_backward()
            held = [blob.detach() for layer in net.layers for blob in layer.owned_blobs()]
            held += [blob.tensor.grad for blob in net.learned if blob.tensor.grad is not None]
            results[-1].append([value.cpu().clone() for value in held])
        results[-1].append(torch.rand(3))
    torch.testing.assert_close(*results, rtol=0, atol=0)
    assert not ours._runner._captured and "anchor" not in vars(ours.layer("ip").blobs)
    assert ours.layer("ip").count == 7
    told = [line for line in text.getvalue().splitlines() if "recorded" in line]
    assert len(told) == 1
    assert "the net cannot be recorded as a CUDA graph and runs as it is: " in told[0] and says in told[0]
    assert ours.describe_execution().endswith("not compiled")


def test_auto_records_what_can_be(device):
    ours, plain = make("auto"), make("off")
    for _ in range(6):
        torch.testing.assert_close(step(ours), step(plain))
    assert recorded(ours) == [True]
    assert ours.describe_execution().endswith("captured as a CUDA graph")


def test_auto_leaves_alone_what_would_miss_a_call(device):
    """A hook, or a layer of the user's own, may count passes."""
    seen = []
    for hook in (
        lambda net: net.layer("ip").register_forward_hook(lambda *_: seen.append(1)),
        lambda net: net.learned[3].tensor.register_hook(lambda gradient: seen.append(1)),
        lambda net: setattr(type(net.layer("ip")), "__module__", "mine"),
    ):
        net = make("auto")
        module = type(net.layer("ip")).__module__
        hook(net)
        try:
            for _ in range(5):
                step(net)
        finally:
            type(net.layer("ip")).__module__ = module
        assert not net._runner._captured


def test_what_torch_leaves_undone_is_done(device, monkeypatch):
    """Where the driver breaks a recording off torch keeps its memory, and up to 2.9 draws no more random numbers."""
    if pretended.real():
        pytest.skip("a real device may break off so")
    told = []

    class Broken(pretended_device.Graph):
        def pool(self):
            raise RuntimeError("without a preceding successful capture")

    class Random(list):
        def graphsafe_set_state(self, state):
            told.append("another generator")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Broken)
    monkeypatch.setattr(torch.cuda, "default_generators", [Random()])
    for name in ("_cuda_endAllocateToPool", "_cuda_releasePool"):
        monkeypatch.setattr(
            torch._C, name, lambda *given, name=name: told.append((name, *given)), raising=False
        )
    monkeypatch.setattr(pretended.Generator, "graphsafe_get_state", lambda self: None, raising=False)

    def rand(*_, **__):
        raise RuntimeError("Offset increment outside graph capture encountered unexpectedly.")

    net = make("auto")
    breaks(net.layer("ip"), monkeypatch, reads)
    for _ in range(capture._FIRST):
        step(net)
    monkeypatch.setattr(torch, "rand", rand)
    monkeypatch.setattr(capture, "_FAILED", [])
    step(net)
    assert told == [
        ("_cuda_endAllocateToPool", 0, (0, 1)),
        ("_cuda_releasePool", 0, (0, 1)),
        "another generator",
    ]
    assert len(capture._FAILED) == 1


def test_what_debug_info_ran_is_not_held(device):
    """A recorded pass must make the nodes of its blobs anew: others belong to another stream, which it must not wait for."""
    net = make("auto")
    net.debug_info = True
    step(net)
    net.debug_info = False
    for _ in range(capture._FIRST):
        step(net)
    blobs = [blob.tensor for blob in net.learned if blob.tensor.requires_grad]
    for blob in blobs:
        get_gradient_edge(blob).node.metadata["mark"] = 1  # lost with the node, if nobody holds it
    gc.collect()
    assert not any("mark" in get_gradient_edge(blob).node.metadata for blob in blobs)
    step(net)
    assert recorded(net) == [True]
