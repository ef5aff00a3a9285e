"""The device that is not there keeps a GPU's rules: without that, tests on it would show nothing."""

import warnings

import pytest
import torch

from tests import pretended
from tests.pretended import DeviceError, DeviceTensor, Waits

pytestmark = pytest.mark.skipif(pretended.real(), reason="there is a GPU")


@pytest.fixture
def device():
    with pretended.cuda() as device:
        yield device


def there(*shape):
    return torch.ones(shape, device="cuda")


def pinned(*shape):
    return torch.zeros(shape, pin_memory=True)


def test_computes_there(device):
    weight = torch.nn.Parameter(there(3, 2))
    top = torch.nn.functional.linear(there(4, 2), weight)
    assert isinstance(top, DeviceTensor) and top.device == torch.device("cuda", 0) and top.is_cuda
    top.square().sum().backward()
    assert weight.grad.device.type == "cuda"
    assert weight.grad.cpu().tolist() == [[16.0, 16]] * 3


def test_a_module_keeps_its_parameters(device):
    module = torch.nn.Linear(2, 3)
    weight = module.weight
    assert module.to("cuda").weight is weight and weight.is_cuda and weight.requires_grad


@pytest.mark.parametrize(
    "mixed",
    [
        lambda: there(2, 3) + torch.ones(2, 3),
        lambda: torch.cat([there(2), torch.zeros(1)]),
        lambda: torch.stack([there(), torch.zeros(())]),
        lambda: torch.zeros(()).add_(there()),
        lambda: there(4, 2).index_select(0, torch.tensor([1])),
        lambda: torch.ones(4)[there(2).long()],
        lambda: there(3).uniform_(generator=torch.Generator()),
        lambda: torch._foreach_add([there(3)], [torch.ones(3)]),
    ],
)
def test_both_sides_at_once_fail(device, mixed):
    with pytest.raises((DeviceError, IndexError)):
        mixed()


def test_a_single_number_of_the_host_may_go_along(device):
    assert (there(2) * torch.tensor(3.0)).cpu().tolist() == [3, 3]


def test_numpy_fails(device):
    with pytest.raises(TypeError, match="Tensor.cpu"):
        there(2).numpy()


@pytest.mark.parametrize(
    "wait",
    [
        lambda: there().item(),
        lambda: float(there()),
        lambda: bool(there(2).any()),
        lambda: there(2).tolist(),
        lambda: there(2).cpu(),
        lambda: there(2).nonzero(),
        lambda: there(2)[there(2) > 0],
        lambda: there(4)[[1, 2]],
        lambda: there(4)[torch.tensor([1, 2])],
        lambda: torch.equal(there(2), there(2)),
        lambda: torch.ones(2).to("cuda"),
        lambda: torch.tensor([1.0, 2], device="cuda"),
        lambda: there(2).new_tensor([1.0, 2]),
        lambda: there(2).copy_(torch.ones(2)),
        lambda: torch.ones(1 << 15).to("cuda", non_blocking=True),
        lambda: torch.cuda.synchronize(),
    ],
)
def test_what_waits(device, wait):
    there(2)
    assert not device.waits
    wait()
    assert len(device.waits) == 1
    with device.no_waiting(), pytest.raises(Waits):
        wait()


def test_what_does_not_wait(device):
    source = pinned(1 << 15)
    with device.no_waiting():
        source.to("cuda", non_blocking=True)
        torch.ones(2).to("cuda", non_blocking=True)
        there(3).to(torch.float64)
        there(4)[there(2).long()]
        torch.nn.functional.dropout(there(5))
    assert source.is_pinned() and not torch.ones(2).is_pinned()


def test_a_source_that_changes_before_it_is_copied_fails(device):
    source = pinned(3)
    copied = source.to("cuda", non_blocking=True)
    device.settle()
    source.add_(1)  # after it was copied
    copied.copy_(source, non_blocking=True)
    source.add_(1)
    with pytest.raises(DeviceError, match="changed before it was copied"):
        device.settle()
    assert not device.copying


def test_a_graph_does_nothing_until_it_is_replayed(device):
    x, total = there(3), torch.zeros(3, device="cuda")
    scale = torch.tensor(2.0)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = x.view(1, 3)[0] * scale
        total.add_(y).mul_(2)
        drawn = torch.nn.functional.dropout(torch.ones_like(x).expand(100, 3))
    assert total.tolist() == [0] * 3 and y.isnan().all()
    scale.fill_(7)  # the host's values stay what they were
    graph.replay()
    assert y.tolist() == [2] * 3 and total.tolist() == [4] * 3
    first = drawn.clone()
    x.copy_(there(3) * 3)
    graph.replay()
    assert y.tolist() == [6] * 3 and total.tolist() == [20] * 3
    assert not torch.equal(first, drawn)


@pytest.mark.parametrize(
    "wait",
    [lambda: there().item(), lambda: torch.ones(2).to("cuda", non_blocking=True), lambda: there(2).nonzero()],
)
def test_what_a_graph_cannot_hold(device, wait):
    with (
        pytest.raises(DeviceError, match="while a graph is captured"),
        torch.cuda.graph(torch.cuda.CUDAGraph()),
    ):
        wait()


def test_a_test_that_uses_a_device_is_marked(monkeypatch, request):
    """So that `-m gpu` is the check of a GPU; conftest marks by the names in a module."""
    assert request.node.get_closest_marker("gpu").kwargs == {"entered": True}
    monkeypatch.setattr(pretended, "allowed", False)
    with pytest.raises(AssertionError, match="carries the marker gpu"), pretended.cuda():
        pass


@pytest.mark.parametrize(
    "text",
    [
        "TensorFloat32 tensor cores for float32 matrix multiplication available but not enabled. Consider setting",
        "Synchronization debug mode is a prototype feature and does not yet detect all synchronizing operations",
        "Not enough SMs to use max_autotune_gemm mode",
    ],
)
def test_what_a_real_device_warns_of_is_no_failure(text):
    warnings.warn(text, stacklevel=1)
