"""pycaffe's process-wide state: mode, device, random seed."""

from __future__ import annotations

import torch

from caffe_compat.errors import NetError
from caffe_compat.log.process import log
from caffe_compat.net.execution import Execution

_gpu = False
_device_id = 0
_solver_count = 1
_solver_rank = 0
_generator = torch.Generator()
_generator.seed()
_warned = False  # that there is no GPU
_execution = Execution()


def set_mode_cpu() -> None:
    """Build nets on the CPU from now on."""
    global _gpu
    _gpu = False


def set_mode_gpu() -> None:
    """Build nets on the GPU from now on."""
    global _gpu
    _gpu = True


def set_device(device_id: int) -> None:
    """Which GPU `set_mode_gpu` means."""
    global _device_id
    _device_id = device_id


def device() -> torch.device:
    """Where a net built now lives; a GPU becomes torch's current one.

    Where there is no GPU it is the CPU, with one warning, as for a solver that says `solver_mode: GPU`.
    Raises NetError for a device that is not there beside others that are.
    """
    global _warned
    count = torch.cuda.device_count() if _gpu else 0
    if not count:
        if _gpu and not _warned:
            _warned = True
            log().warning("set_mode_gpu was called and there is no CUDA device here: using the CPU")
        return torch.device("cpu")
    if _device_id >= count:
        raise NetError(
            f"set_mode_gpu with device {_device_id}: there {'is' if count == 1 else 'are'} {count} CUDA device(s) here; "
            f"call set_device with 0 to {count - 1}"
        )
    try:
        torch.cuda.set_device(_device_id)
    except (AssertionError, RuntimeError) as error:
        what = " ".join(str(error).split())
        raise NetError(
            f"set_mode_gpu: the GPU cannot be used: {what}; see what nvidia-smi says, or call set_mode_cpu"
        ) from error
    return torch.device("cuda", _device_id)


def set_execution(precision: str = "fp32", compile: str = "auto", channels_last: str = "auto") -> None:
    """How nets and solvers made from now on run, in the words of `caffe-compat train`'s options of these names.

    One that exists already has it as `net.core.execution`. A net runs layer by layer, so that its blobs can be read and
    written; what `compile` says holds for whole forward passes in TEST, and for nets with `net.core.observed = False`.
    Raises ValueError for an unknown word.
    """
    global _execution
    _execution = Execution(precision, compile, channels_last)


def execution() -> Execution:
    """What `set_execution` said last."""
    return _execution


def set_random_seed(seed: int) -> None:
    """Seed fillers, DummyData and Dropout, and the data layers of nets built from now on."""
    torch.manual_seed(seed)
    _generator.manual_seed(seed)


def generator() -> torch.Generator:
    """The generator that fillers and data layers of new nets draw from."""
    return _generator


def solver_count() -> int:
    return _solver_count


def set_solver_count(count: int) -> None:
    global _solver_count
    _solver_count = count


def solver_rank() -> int:
    return _solver_rank


def set_solver_rank(rank: int) -> None:
    global _solver_rank
    _solver_rank = rank


def set_multiprocess(multiprocess: bool) -> None:
    """Accepted for scripts that call it; how solvers are spread is torch.distributed's matter."""


def has_nccl() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_nccl_available()
