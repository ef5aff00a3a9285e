"""A graph's code by itself: unlike torch.fx's own it pickles, and runs on any module that has what it calls."""

from __future__ import annotations

import functools
import importlib
import linecache
from types import ModuleType
from typing import Any

from torch import Tensor, fx, nn


class Program:
    """A graph's code, which runs on any module that has what it calls; unlike fx's own it pickles."""

    def __init__(self, graph: fx.Graph):
        code = graph.python_code("self")
        self._source, self._space = code.src, code.globals
        used = self._function.__code__.co_names
        self._space = {name: value for name, value in code.globals.items() if name in used}

    def __call__(self, module: nn.Module, *batch: Tensor) -> Any:
        return self._function(module, *batch)

    @functools.cached_property
    def _function(self) -> Any:
        name, space = f"<net {id(self)}>", dict(self._space)
        linecache.cache[name] = len(self._source), None, self._source.splitlines(True), name  # for tracebacks
        exec(compile(self._source, name, "exec"), space)  # noqa: S102 - fx has written it
        return space["forward"]

    def __reduce__(self) -> tuple[Any, ...]:
        modules = {n: v.__name__ for n, v in self._space.items() if isinstance(v, ModuleType)}
        others = {n: v for n, v in self._space.items() if n not in modules}
        return _program, (self._source, modules, others)


def _program(source: str, modules: dict[str, str], others: dict[str, Any]) -> Program:
    program = Program.__new__(Program)
    program._source = source
    program._space = {**others, **{name: importlib.import_module(path) for name, path in modules.items()}}
    return program
