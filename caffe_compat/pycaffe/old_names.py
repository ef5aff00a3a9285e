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
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from caffe_compat.pycaffe import old_numpy
from caffe_compat.pycaffe.old_scripts import Warner, give_names


def install(warn: Callable[[str], None]) -> None:
    """Give the running script its old names back; `warn` gets one line."""
    used = Warner(warn)
    old_numpy.install(used)
    for module, names in _PYTHON.items():
        give_names(module, names.__getitem__, used, "Python")
    sys.meta_path.insert(0, _OldModules(used))


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
