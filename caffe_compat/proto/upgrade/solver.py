"""What Caffe makes of a solver: the type in words, and a prefix for its snapshots."""

import os

from caffe_compat.log import names
from caffe_compat.log.write import WARNING, Log
from caffe_compat.proto import SolverParameter

_TYPES = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
}


def has_old_type(param: SolverParameter) -> bool:
    return param.HasField("solver_type")


def name_type(param: SolverParameter) -> list[str]:
    param.type = _TYPES[SolverParameter.SolverType.Name(param.solver_type)]
    param.ClearField("solver_type")
    return []


def fill_snapshot_prefix(param: SolverParameter, source: str, log: Log | None = None, root: str = "") -> None:
    """Give a SolverParameter the snapshot_prefix that Caffe does: the solver file's name without extension.

    That name also completes a prefix that is a folder, looked up below `root`.
    """
    log = log or Log(progress=False, level=WARNING)
    stem = names.decode(os.fsencode(os.path.splitext(source)[0]))
    if not param.HasField("snapshot_prefix"):
        param.snapshot_prefix = stem
        log.snapshot_prefix(stem, False)
    elif os.path.isdir(os.path.join(root, names.file_name(param.snapshot_prefix))):
        param.snapshot_prefix = os.path.join(param.snapshot_prefix, os.path.basename(stem))
        log.snapshot_prefix(param.snapshot_prefix, True)
