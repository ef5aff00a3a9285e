"""What scripts of 2014 to 2019 use and today's Python and libraries have no longer; for `caffe-compat python` alone.

`install(warn)` gives it back to the running script: NumPy's (see old_numpy), a few names of Python's own modules,
`yaml.load(stream)` without a loader, and scipy.misc's pictures. `warn` is called with a line at the first use. Names
are given only to the script and its own modules: libraries that ask whether a module has a name get its own answer.
"""

from __future__ import annotations

import collections
import collections.abc
import fractions
import functools
import importlib.util
import inspect
import math
import os
import sys
import sysconfig
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any

_LIBRARIES = tuple(
    os.path.join(path, "")
    for path in {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
    }
)


def is_script(frame: FrameType | None) -> bool:
    """Whether the code is the script's own, or of a module of its own; compiled modules count as who imports them."""
    while frame and frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None and not os.path.abspath(frame.f_code.co_filename).startswith(_LIBRARIES)


class Warner:
    """Called with what is used; the first time it says so, and where."""

    def __init__(self, warn: Callable[[str], None]):
        self._warn: Callable[[str], None] | None = warn

    def __call__(self, what: str, whose: str = "NumPy") -> None:
        if self._warn is None:
            return
        warn, self._warn = self._warn, None
        frame: FrameType | None = sys._getframe(1)
        while frame and (frame.f_code.co_filename.startswith("<frozen") or not is_script(frame)):
            frame = frame.f_back
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}: " if frame else ""
        warn(
            f"{where}{what} is gone from today's {whose}; this and more that is gone works under caffe-compat python only"
        )


def install(warn: Callable[[str], None]) -> None:
    """Give the running script its old names back; `warn` gets one line."""
    from caffe_compat.pycaffe import old_numpy

    used = Warner(warn)
    old_numpy.install(used)
    for module, names in _PYTHON.items():
        give_names(module, names.__getitem__, used, "Python")
    sys.meta_path.insert(0, _OldModules(used))


def give_names(module: ModuleType, find: Callable[[str], Any], used: Warner, whose: str = "NumPy") -> None:
    """Have scripts given what `find` finds (it raises KeyError) for names that the module has not."""
    own = vars(module).get("__getattr__")
    title = module.__name__.replace("numpy", "np", 1)

    def __getattr__(name: str) -> Any:
        if not name.startswith("__") and is_script(sys._getframe(1)):
            try:
                value = find(name)
            except KeyError:
                pass
            else:
                used(f"{title}.{name}", whose)
                return value
        if own is None:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        return own(name)

    module.__getattr__ = __getattr__  # type: ignore[method-assign]


ArgSpec = collections.namedtuple("ArgSpec", "args varargs keywords defaults")
_PYTHON: dict[ModuleType, dict[str, Any]] = {
    collections: {name: getattr(collections.abc, name) for name in collections.abc.__all__},
    fractions: {"gcd": math.gcd},
    inspect: {"getargspec": lambda function: ArgSpec(*inspect.getfullargspec(function)[:4])},
    time: {"clock": time.perf_counter},
}


class _OldModules(MetaPathFinder):
    """Changes modules as they are imported."""

    def __init__(self, used: Warner):
        self._used = used
        self._change: dict[str, Callable[[ModuleType], None]] = {
            "yaml": self._yaml,
            "scipy.misc": self._pictures,
            "scipy.ndimage": self._pictures,
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        change = self._change.pop(fullname, None)
        if change is None:
            return None
        spec = importlib.util.find_spec(fullname)
        if spec is None:
            return (
                importlib.util.spec_from_loader(fullname, _Empty(change))
                if fullname == "scipy.misc"
                else None
            )
        loader: Any = spec.loader
        run = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # scipy.misc is about to go
                run(module)
            change(module)

        loader.exec_module = exec_module
        return spec

    def _yaml(self, yaml: ModuleType) -> None:
        load = getattr(yaml, "load", None)
        if (
            load is None
            or inspect.signature(load).parameters["Loader"].default is not inspect.Parameter.empty
        ):
            return

        @functools.wraps(load)
        def new_load(stream: Any, Loader: Any = None) -> Any:
            if Loader is None:
                self._used("yaml.load without a Loader", "PyYAML")
            return load(stream, Loader or yaml.FullLoader)

        yaml.load = new_load  # type: ignore[attr-defined]

    def _pictures(self, module: ModuleType) -> None:
        from caffe_compat.pycaffe import old_pictures

        give_names(module, old_pictures.NAMES.__getitem__, self._used, "SciPy")


class _Empty(Loader):
    """The loader of a module that is not there any more."""

    def __init__(self, fill: Callable[[ModuleType], None]):
        self._fill = fill

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        self._fill(module)
