"""Stand-ins for Python layers whose code a collection of prototxt files does not hold.

Such code stands beside its prototxt, in its repository. What is here says only which shapes its tops
have, as the `setup` and `reshape` of that repository's class do; `stands_for` names the class. No number is computed.
The stand-ins themselves are in wild_regions.py, wild_pixels.py and wild_others.py.
"""

from __future__ import annotations

import ast
import re
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

Shape = tuple[int, ...]
Shapes = Callable[["Use"], list[Shape]]


class Use:
    """One use of a Python layer: its class, the shapes of its bottoms, its tops' names, its param_str, its place."""

    def __init__(
        self, name: str, bottom: Sequence[Shape], top: Sequence[str], text: str = "", where: str = ""
    ):
        self.name, self.bottom, self.top, self.text, self.where = name, list(bottom), list(top), text, where

    @property
    def repository(self) -> str:
        return next((part for part in self.where.split("/") if "+" in part), "")

    def number(self, name: str, default: int = 0) -> int:
        """A number of param_str, whether that is YAML, JSON or a dict of Python."""
        match = re.search(rf"{name}\W*?(\d+)", self.text)
        return int(match[1]) if match else default

    def numbers(self, name: str) -> list[int]:
        """A list of numbers of param_str."""
        match = re.search(rf"{name}\W*?([\[(][\d, ]*[\])])", self.text)
        return list(ast.literal_eval(match[1])) if match else []


_STAND_INS: dict[str, Shapes] = {}


def stands_for(*names: str) -> Callable[[Shapes], Shapes]:
    """Register the shapes of a Python class: `module.Class`, or `repository/module.Class` for one repository's."""

    def register(shapes: Shapes) -> Shapes:
        _STAND_INS.update(dict.fromkeys(names, shapes))
        return shapes

    return register


def modules() -> list[str]:
    """The modules that stand-ins are for."""
    return sorted({name.rpartition("/")[2].rpartition(".")[0] for name in _STAND_INS})


def provide(repository: str) -> None:
    """Put modules with the stand-ins for this repository's Python layers into `sys.modules`."""
    from caffe_compat.layers.python import PythonLayer

    for name in {name for module in modules() for name in parents(module)}:
        sys.modules.pop(name, None)
    for name, shapes in sorted(_STAND_INS.items(), key=lambda item: "/" in item[0]):  # its own ones win
        of, _, path = name.rpartition("/")
        if of in ("", repository):
            module, _, cls = path.rpartition(".")
            body = {"setup": lambda *_: None, "reshape": _reshape(shapes)}
            setattr(_module(module), cls, type(cls, (PythonLayer,), body))


def parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts) + 1) if parts[:i] != ["caffe"]]


def _module(name: str) -> Any:
    """The module of this name, made if it is not there, and its packages."""
    for path in parents(name):
        if path not in sys.modules:
            made = sys.modules[path] = types.ModuleType(path)
            made.__path__ = []  # type: ignore[attr-defined]
            parent, _, last = path.rpartition(".")
            if parent in sys.modules:
                setattr(sys.modules[parent], last, made)
    return sys.modules[name]


def _reshape(shapes: Shapes) -> Callable[..., None]:
    def reshape(self: Any, bottom: Any, top: Any) -> None:
        param = self.layer_param
        name = param.python_param.layer
        use = Use(name, [blob.shape for blob in bottom], param.top, self.param_str, param.origin)
        for blob, shape in zip(top, shapes(use), strict=False):
            blob.reshape(*shape)

    return reshape


# -- shapes that many have ------------------------------------------------------------------------


def as_bottom(use: Use) -> list[Shape]:
    return [use.bottom[0]]


def scalars(use: Use) -> list[Shape]:
    return [(1,)] * len(use.top)


def pictures_and_labels(height: int, width: int) -> Shapes:
    return lambda use: [(1, 3, height, width), (1, 1, height, width)]
