"""A CUDA device that is not there: tensors that say they are on it, compute on the CPU, and keep its rules.

    with pretended.cuda() as device:
        net = Net(param, device="cuda")
        with device.no_waiting():
            net.forward_backward()

An operation on tensors of both sides fails as it would on a GPU, and so does numpy on a tensor of the device. What
makes the host wait for the device (a value read, a blocking copy, an operation whose result has a size that depends on
values) is allowed, but not within `no_waiting`. A copy that does not block reads its source when the device comes to
it: a source that was changed before the next wait fails. Within torch.cuda.graph operations are only written down, and
done when the graph is replayed.

Not pretended: kernels, streams, precision, memory. Where there is a GPU, `cuda` gives that, and torch looks for waits.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from tests.pretended_device import CUDA, Device, DeviceError, DeviceTensor, Event, Graph, Stream, Waits

__all__ = ["Device", "DeviceError", "DeviceTensor", "Waits", "cuda", "real"]


class _Numbered(TorchFunctionMode):
    """ "cuda" is "cuda:0": to find out which one is current, torch would need a device that is there."""

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        if func is torch.device:
            return func(*args, **(kwargs or {}))
        if func is Tensor.cuda:
            return args[0].to(CUDA)
        if func is Tensor.new_tensor and isinstance(args[0], DeviceTensor):
            return torch.tensor(*args[1:], **{"dtype": args[0].dtype, "device": CUDA, **(kwargs or {})})
        if func in (Tensor.__getitem__, Tensor.__setitem__) and isinstance(args[0], DeviceTensor):
            args = (
                args[0],
                tree_map(_as_index, args[1], is_leaf=lambda part: isinstance(part, list)),
                *args[2:],
            )
        args = tuple(self._numbered(value) for value in args)
        return func(*args, **{name: self._numbered(value) for name, value in (kwargs or {}).items()})

    @staticmethod
    def _numbered(value: Any) -> Any:
        return CUDA if isinstance(value, str | torch.device) and str(value) == "cuda" else value


def _as_index(part: Any) -> Any:
    return torch.tensor(part) if isinstance(part, list) else part


class RealDevice:
    """What `cuda` gives where there is a GPU."""

    def __init__(self) -> None:
        self.waits: list[str] = []

    @contextmanager
    def no_waiting(self) -> Iterator[None]:
        before = torch.cuda.get_sync_debug_mode()
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(before)


class Generator(torch.Generator):
    """The random numbers of any device are the CPU's."""

    def __new__(cls, device: Any = None) -> Any:
        return super().__new__(cls)


allowed = True  # whether the test that runs is marked `gpu`; conftest says so


@contextmanager
def cuda() -> Iterator[Any]:
    """Torch has a CUDA device within it: one that is there (`real`), else a pretended one."""
    assert allowed, (
        "a test that uses a device carries the marker gpu, with entered=True if it enters it itself"
    )
    if real():
        yield RealDevice()
        return
    device = Device()
    patches = {
        "_lazy_init": lambda: None,
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "set_device": lambda device: None,
        "synchronize": device.synchronize,
        "CUDAGraph": Graph,
        "graph": device.capturing,
        "graph_pool_handle": lambda: (0, 1),
        "is_current_stream_capturing": lambda: device.tape is not None,
        "Stream": Stream,
        "stream": lambda stream: nullcontext(),
        "current_stream": lambda device=None: Stream(),
        "mem_get_info": lambda device=None: (1 << 30, 1 << 30),
        "Event": Event,
        "get_device_capability": lambda device=None: (9, 0),
        "is_bf16_supported": lambda including_emulation=True: True,
        "get_device_name": lambda device=None: "Pretended",
        "get_rng_state": lambda device=None: torch.get_rng_state(),
        "set_rng_state": lambda state, device=None: torch.set_rng_state(state),
    }
    lifts = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)
    Device.current = device
    try:
        with (
            mock.patch.multiple(torch.cuda, **patches),
            mock.patch("torch.Generator", Generator),
            device,
            _Numbered(),
        ):
            yield device
        device.settle()
    finally:
        Device.current = None
        torch._C._set_only_lift_cpu_tensors(lifts)


def real() -> bool:
    """Whether there is a GPU."""
    return Device.current is None and torch.cuda.is_available()
