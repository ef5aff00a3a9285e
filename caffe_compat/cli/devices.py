"""Which device a command runs on, and how many processes it takes."""

import os
import warnings

import torch

from caffe_compat.cli import common
from caffe_compat.errors import UsageError
from caffe_compat.log.commands import CommandLog
from caffe_compat.proto import SolverParameter
from caffe_compat.solver import parallel


def processes_to_start(gpu: str) -> int:
    """How many processes `--gpu` asks for: one a device, or none where torchrun has started them already.

    Raises UsageError for devices that do not exist.
    """
    ids = existing(gpu)
    return len(ids) if len(ids) > 1 and parallel.world_size() == 1 else 0


def choose_device(
    gpu: str, param: SolverParameter | None, log: CommandLog, command: str = "train"
) -> torch.device:
    """The device of `--gpu`, else of the solver's solver_mode and device_id, as `caffe train` decides; logs it.

    Of several devices each process takes its own. A solver that says GPU on a machine without one trains on
    the CPU, with a warning; `--gpu` there is an error. Raises UsageError for devices that do not exist.
    """
    ids = existing(gpu)
    local = parallel.local_rank()
    if (
        not gpu
        and param is not None
        and param.HasField("solver_mode")
        and param.solver_mode == SolverParameter.GPU
    ):
        count, why = count_devices()
        if not count:
            log.warning(f"solver_mode is GPU and there is no CUDA device here{why}: using the CPU")
        elif parallel.world_size() > 1:
            ids = existing("all")
        else:
            ids = existing(str(param.device_id))
    if param is not None and ids:
        param.device_id = ids[0]
    log.device(_named(ids), command)
    if not ids:
        return torch.device("cpu")
    if local >= len(ids):
        raise UsageError(
            f"more processes than devices on this host: process {local} and {len(ids)} CUDA device(s); start "
            f"{len(ids)} here, and give --replicas {parallel.world_size()} for the same numbers"
        )
    torch.cuda.set_device(ids[local])  # else page-locked memory and the like take a part of the first device
    return torch.device("cuda", ids[local])


def existing(gpu: str) -> list[int]:
    """The devices that `--gpu` names. Raises UsageError for one that does not exist."""
    count, why = count_devices()
    ids = common.gpu_ids(gpu, lambda: count)
    if gpu and (not count or max(ids) >= count):
        what = f"--gpu {gpu}: there {'is' if count == 1 else 'are'} {count} CUDA device(s) here{why}; "
        if len(ids) < 2:
            raise UsageError(what + "leave --gpu out to use the CPU")
        here = "--gpu 0" if count else "no --gpu (the CPU)"
        raise UsageError(what + f"{here} with --replicas {len(ids)} gives the same numbers")
    return ids


def count_devices() -> tuple[int, str]:
    """How many CUDA devices a program sees, and why there may be less than the user expects, in parentheses."""
    with warnings.catch_warnings(record=True) as told:  # torch warns of a driver that it cannot use
        warnings.simplefilter("always")
        count = torch.cuda.device_count()
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told:
        return count, f" ({_sentence(told[0].message)})"
    if chosen is not None:
        return count, f" (CUDA_VISIBLE_DEVICES={chosen})"
    return count, "" if count or torch.backends.cuda.is_built() else " (this torch is built without CUDA)"


def _named(ids: list[int]) -> list[tuple[int, str]]:
    """The devices with their names, which only a driver tells that torch can use."""
    try:
        return [(i, torch.cuda.get_device_name(i)) for i in ids]
    except (AssertionError, RuntimeError) as error:
        raise UsageError(
            f"the GPU cannot be used: {_sentence(error)}; see what nvidia-smi says, or leave --gpu and solver_mode: GPU out "
            "to use the CPU"
        ) from error


def _sentence(message: object) -> str:
    """The first sentence of what torch says, on one line."""
    text = " ".join(str(message).removeprefix("CUDA initialization: ").split())
    return text.partition(". ")[0].removesuffix(".")
