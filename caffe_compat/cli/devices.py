"""Which device a command runs on."""

from typing import Any

import torch

from caffe_compat.cli import common
from caffe_compat.errors import UsageError
from caffe_compat.proto import SolverParameter


def choose_device(gpu: str, param: Any, log: Any, command: str = "train") -> torch.device:
    """The device of `--gpu`, else of the solver's solver_mode and device_id, as `caffe train` decides; logs it.

    A solver that says GPU on a machine without one trains on the CPU, with a warning; `--gpu` there is
    an error. Raises UsageError for devices that do not exist.
    """
    count = torch.cuda.device_count()
    ids = common.gpu_ids(gpu, lambda: count)
    if (
        not gpu
        and param is not None
        and param.HasField("solver_mode")
        and param.solver_mode == SolverParameter.GPU
    ):
        if count:
            ids = [param.device_id]
        else:
            log.warning("solver_mode is GPU and there is no CUDA device here: using the CPU")
    if (gpu and not count) or max(ids, default=-1) >= count:
        raise UsageError(
            f"--gpu {gpu or param.device_id}: there {'is' if count == 1 else 'are'} {count} CUDA device(s) here; "
            "leave --gpu out to use the CPU"
        )
    if param is not None and ids:
        param.device_id = ids[0]
    log.device([(i, torch.cuda.get_device_name(i)) for i in ids], command)
    return torch.device("cuda", ids[0]) if ids else torch.device("cpu")
