"""The message classes of caffe.proto and of the forks' files, made when this package is imported.

`from caffe_compat.proto import NetParameter, SolverParameter, BlobProto, ..., TRAIN, TEST`: every message
by name, and the enums outside messages with their values. They live in a descriptor pool of their own, so
a real Caffe's `caffe_pb2` may be loaded in the same process.
"""

import importlib
from typing import TYPE_CHECKING, Any

from caffe_compat.proto import messages
from caffe_compat.proto.extensions import EXTENSIONS, extend
from caffe_compat.proto.fields import TRAINING_NETS, fork_fields, hints, is_repeated, own
from caffe_compat.proto.messages import *
from caffe_compat.proto.schema import compile_schema

__all__ = [
    "EXTENSIONS",
    "TRAINING_NETS",
    "compile_schema",
    "extend",
    "fork_fields",
    "hints",
    "is_repeated",
    "own",
]
__all__ += messages.__all__

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name == "caffe_pb2":  # there without being imported, as after pycaffe's `import caffe`
            return importlib.import_module(f"{__name__}.caffe_pb2")
        raise AttributeError(f"module {__name__!r} has no message {name!r}")
