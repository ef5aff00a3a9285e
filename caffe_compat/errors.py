"""Everything this package raises on purpose.

    CaffeError                 the base: a message for the user, exit code 1
    ├── ParseError             a prototxt or binary protobuf that cannot be read
    ├── NetError               a net that cannot be resolved or built
    │   └── LayerError         the fault of one layer; names file, line, layer and type
    ├── DataError              a data source that is missing, empty, broken or of the wrong shape
    ├── WeightsError           a caffemodel that does not fit the net
    ├── ExportError            an ONNX file that cannot be made, or whose numbers are not the net's
    ├── SnapshotError          a snapshot that cannot be written or restored
    ├── SolverError            a solver file that cannot be run
    ├── ParallelError          processes of a data-parallel run that cannot meet, or one that was lost
    ├── MissingExtra           an optional package that this input needs; gives the pip line
    └── UsageError             a command line that makes no sense; exit code 2

A message reads `file:line: layer 'x' (Type): what is wrong, with both numbers; what to do`.
"""

import difflib
import os
from collections.abc import Iterable


class CaffeError(Exception):
    """The user's input cannot be used; `str()` of it is the whole message."""

    exit_code = 1


class ParseError(CaffeError):
    """A file that is not what its name says; the message starts with file:line:column where known."""


class NetError(CaffeError):
    """A net that cannot be resolved or built."""


class LayerError(NetError):
    """One layer's parameters, bottoms or tops are wrong."""


class DataError(CaffeError):
    """A data source that is missing, empty, truncated or of another shape than the net expects."""


class WeightsError(CaffeError):
    """Trained weights that do not fit the net."""


class ExportError(CaffeError):
    """An ONNX file that cannot be made or written, or whose numbers are not the net's."""


class SnapshotError(CaffeError):
    """A snapshot that cannot be written, or a solverstate that cannot be restored."""


class SolverError(CaffeError):
    """A solver file that cannot be run."""


class ParallelError(CaffeError):
    """Processes of a data-parallel run that cannot meet, or one of them was lost."""


class MissingExtra(CaffeError):
    """An optional package is needed for this input and not installed."""

    def __init__(self, package: str, purpose: str):
        super().__init__(f"{purpose} needs the package {package}; install it with: pip install {package}")


class UsageError(CaffeError):
    """A command line that makes no sense."""

    exit_code = 2


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """A clause `; did you mean 'a' or 'b'?` with the known names closest to `name`, or ''."""
    folded = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), folded, n=count, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(folded[c]) for c in close)}?" if close else ""


def from_where(path: str) -> str:
    """A clause `; it is looked for from '/here' on ...` for a file that is named inside a file and is not there, or ""."""
    if os.path.isabs(path) or os.path.exists(path):
        return ""
    return f"; it is looked for from '{os.getcwd()}' on, and --root DIR starts elsewhere"


def some(known: Iterable[str], near: str = "", count: int = 5) -> str:
    """The names of a list as text: all of a few, else the `count` that are most like `near`, and how many more there are.

    They stand in the order of the list; without `near` they are the first ones.
    """
    names = list(known)
    if len(names) > count and near:
        matcher = difflib.SequenceMatcher(b=near.lower())

        def likeness(name: str) -> float:
            matcher.set_seq1(name.lower())
            return matcher.ratio()

        alike = sorted(range(len(names)), key=lambda i: likeness(names[i]), reverse=True)[:count]
        shown = [names[i] for i in sorted(alike)]
    else:
        shown = names[:count]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
