"""pycaffe's module, name for name: what `import caffe` gives a script.

`caffe_compat.install_as_caffe()` puts this package under the name `caffe`.
"""

from caffe_compat.layers.python import PythonLayer as Layer
from caffe_compat.layers.registry import registry as _registry
from caffe_compat.log.process import init_log, log
from caffe_compat.proto import TEST, TRAIN, net_spec
from caffe_compat.proto.net_spec import NetSpec, assign_proto, layers, params, to_proto
from caffe_compat.pycaffe import classifier, coord_map, detector, draw, io
from caffe_compat.pycaffe.classifier import Classifier
from caffe_compat.pycaffe.detector import Detector
from caffe_compat.pycaffe.net import Net
from caffe_compat.pycaffe.parallel import NCCL, Timer
from caffe_compat.pycaffe.solvers import (
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    NesterovSolver,
    RMSPropSolver,
    SGDSolver,
    get_solver,
)
from caffe_compat.pycaffe.state import (
    has_nccl,
    set_device,
    set_execution,
    set_mode_cpu,
    set_mode_gpu,
    set_multiprocess,
    set_random_seed,
    set_solver_count,
    set_solver_rank,
    solver_count,
    solver_rank,
)

__version__ = "1.0.0"  # the Caffe whose interface this is


def layer_type_list() -> list[str]:
    """The names of all layer types that a net may use, sorted."""
    return sorted(_registry())


__all__ = [
    "NCCL",
    "TEST",
    "TRAIN",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Classifier",
    "Detector",
    "Layer",
    "NesterovSolver",
    "Net",
    "NetSpec",
    "RMSPropSolver",
    "SGDSolver",
    "Timer",
    "assign_proto",
    "classifier",
    "coord_map",
    "detector",
    "draw",
    "get_solver",
    "has_nccl",
    "init_log",
    "io",
    "layer_type_list",
    "layers",
    "log",
    "net_spec",
    "params",
    "set_device",
    "set_execution",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
    "to_proto",
]  # fmt: skip
