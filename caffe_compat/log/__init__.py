"""Caffe's log: `write` prints it, `read` understands anybody's, `plot` draws it.

As pycaffe's `log`, which has this name too: `log("text")` writes a line.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

from caffe_compat.log.write import NULL, Log

__all__ = ["NULL", "Log"]


class _Callable(ModuleType):
    def __call__(self, message: str) -> Any:
        return importlib.import_module("caffe_compat.pycaffe.state").log(message)


sys.modules[__name__].__class__ = _Callable
