"""Caffe's log: `write` prints it, `read` understands anybody's, `plot` draws it.

As pycaffe's `log`, which has this name too: `log("text")` writes a line.
"""

import sys
from types import ModuleType

from caffe_compat.log.process import log as _log
from caffe_compat.log.write import NULL, Log

__all__ = ["NULL", "Log"]


class _Callable(ModuleType):
    def __call__(self, message: str) -> Log:
        return _log(message)


sys.modules[__name__].__class__ = _Callable
