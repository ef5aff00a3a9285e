"""Names that a module has not are given to the running script and its own modules, and to no library; see old_names."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Callable
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
