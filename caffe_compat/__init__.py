"""Run Caffe's nets, solvers and data on PyTorch, with Caffe's numbers.

`import caffe_compat as caffe` gives pycaffe's names; nothing heavy is imported before one is used.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what editors and type checkers see; at run time __getattr__ gives these names
    from caffe_compat import layers, log, proto, pycaffe
    from caffe_compat.export import export_onnx
    from caffe_compat.pycaffe import (
        NCCL,
        AdaDeltaSolver,
        AdaGradSolver,
        AdamSolver,
        Classifier,
        Detector,
        Layer,
        NesterovSolver,
        Net,
        NetSpec,
        RMSPropSolver,
        SGDSolver,
        Timer,
        assign_proto,
        classifier,
        coord_map,
        detector,
        draw,
        get_solver,
        has_nccl,
        init_log,
        io,
        layer_type_list,
        model_libs,
        net_spec,
        params,
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
        to_proto,
    )
    from caffe_compat.pycaffe import _caffe as _caffe

__version__ = "0.1.0"

TRAIN, TEST = 0, 1

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
    "__version__",
    "assign_proto",
    "classifier",
    "coord_map",
    "detector",
    "draw",
    "export_onnx",
    "get_solver",
    "has_nccl",
    "init_log",
    "install_as_caffe",
    "io",
    "layer_type_list",
    "layers",
    "log",
    "model_libs",
    "net_spec",
    "params",
    "proto",
    "pycaffe",
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
]

# The modules that `import caffe` gives as attributes, and SSD's model_libs, where they are not this package's own.
_MODULES = {
    "_caffe": "caffe_compat.pycaffe._caffe",
    "model_libs": "caffe_compat.pycaffe.model_libs",
    "pycaffe": "caffe_compat.pycaffe",
}


def install_as_caffe() -> None:
    """Make `import caffe` and its sub-modules (caffe.io, caffe.proto.caffe_pb2 ...) mean this package.

    Raises RuntimeError if another `caffe` is imported already.
    """
    caffe = importlib.import_module("caffe_compat.pycaffe")
    if sys.modules.get("caffe", caffe) is not caffe:
        raise RuntimeError(
            "another module named caffe is imported already; call install_as_caffe() before it is"
        )
    sys.modules["caffe"] = caffe
    for name in ("classifier", "coord_map", "detector", "draw", "io", "model_libs"):
        sys.modules[f"caffe.{name}"] = importlib.import_module(f"caffe_compat.pycaffe.{name}")
    sys.modules["caffe.net_spec"] = importlib.import_module("caffe_compat.proto.net_spec")
    # The module with Net and the solvers in it, which is all of it here.
    sys.modules["caffe.pycaffe"] = caffe.pycaffe = caffe  # type: ignore[attr-defined]
    sys.modules["caffe._caffe"] = importlib.import_module("caffe_compat.pycaffe._caffe")
    proto = importlib.import_module("caffe_compat.proto")
    sys.modules["caffe.proto"] = caffe.proto = proto  # type: ignore[attr-defined]
    sys.modules["caffe.proto.caffe_pb2"] = importlib.import_module("caffe_compat.proto.caffe_pb2")


if not TYPE_CHECKING:  # to a type checker a name that is not above is an error

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return importlib.import_module(_MODULES[name])
        if name in ("layers", "log", "proto"):
            return importlib.import_module(f"caffe_compat.{name}")
        if name == "export_onnx":
            return importlib.import_module("caffe_compat.export").export_onnx
        if name in __all__:
            return getattr(importlib.import_module("caffe_compat.pycaffe"), name)
        raise AttributeError(f"module 'caffe_compat' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
