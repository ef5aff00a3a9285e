"""One file a layer type, or a family of one-formula types; base.py finds them.

As pycaffe's `layers`, which has this name too: `layers.Convolution(bottom, ...)` is a layer of a NetSpec.
"""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name[:1].isupper():  # a layer type; modules are in lower case
        return getattr(importlib.import_module("caffe_compat.proto.net_spec").layers, name)
    raise AttributeError(f"module 'caffe_compat.layers' has no attribute {name!r}")
