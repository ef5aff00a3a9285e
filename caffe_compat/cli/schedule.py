"""`caffe-compat schedule`: the rates of every iteration of a solver, without building a net."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from caffe_compat.cli import common, without_torch
from caffe_compat.errors import SolverError

if TYPE_CHECKING:
    import numpy as np

    from caffe_compat.log.write import Log
    from caffe_compat.proto import SolverParameter
    from caffe_compat.solver.schedule import Table

HELP = "print learning rate, momentum and weight decay for every iteration of a solver"

_BLOCK = 100_000  # rows
_ECHO = "Initializing solver from parameters"  # what Caffe logs before it echoes a solver


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--solver",
        required=True,
        metavar="FILE",
        help="the solver, a prototxt or the log of a run, which echoes it",
    )
    parser.add_argument(
        "--csv",
        action="store_true",
        help="print comma-separated values, in full precision, instead of a table",
    )
    parser.add_argument("--plot", metavar="FILE", help="also draw the rates, to a .png, .svg or .pdf file")
    common.add_root(parser)
    common.add_ignore_unknown(parser)
    common.add_set(parser)


def run(args: argparse.Namespace) -> int:
    from caffe_compat.cli.overrides import apply_overrides
    from caffe_compat.log.write import Log
    from caffe_compat.solver.schedule import Schedule

    path = common.locate(args.root, args.solver)
    log = Log()
    param = _read(path, args.ignore_unknown)
    apply_overrides(param, None, args.set, log)
    _check(param, args.ignore_unknown, log)
    if param.max_iter <= 0:
        raise SolverError(
            f"{path}: max_iter is {param.max_iter}; give the number of iterations: --set max_iter=10000"
        )
    table = Schedule(param).table(param.max_iter)
    heads, form = list(table._fields), ",".join("{}" for _ in table)
    if not args.csv:
        heads = [name.replace("_", " ") for name in heads]
        widths = [len(head) for head in heads]
        for block in _blocks(table, shortest=False):
            widths = [max(width, *map(len, set(texts))) for width, texts in zip(widths, block, strict=True)]
        form = "  ".join(f"{{:>{width}}}" for width in widths)
    row = form.format
    sys.stdout.write(row(*heads) + "\n")
    for block in _blocks(table, shortest=args.csv):
        sys.stdout.write("\n".join(map(row, *block)) + "\n")
    if args.plot:
        from caffe_compat.log.plot import plot_schedule

        plot_schedule(args.plot, table, title=path)
        print(f"Wrote {args.plot}", file=sys.stderr)
    return 0


def _check(param: SolverParameter, ignore_unknown: bool, log: Log) -> None:
    """Refuse what `train` refuses, and warn of the fields that do nothing."""

    def check(args: argparse.Namespace) -> int:
        from caffe_compat.solver import fields

        fields.check(param, ignore_unknown, log.warn_once)
        return 0

    without_torch.run(check, argparse.Namespace(imports=[], allow_python_layers=False))


def _read(path: str, ignore_unknown: bool) -> SolverParameter:
    """The solver of a prototxt, or the one that the last run of a log echoes."""
    from caffe_compat.log.read import read_log
    from caffe_compat.proto import SolverParameter, text

    try:
        content = text.content(path).decode(errors="replace")
    except OSError as error:
        raise SolverError(f"{path}: cannot be read: {error.strerror}; give a solver prototxt") from error
    if _ECHO in content:
        return text.parse(
            read_log(io.StringIO(content, newline=None)).solver, SolverParameter, path, ignore_unknown
        )
    return text.read_solver(path, ignore_unknown=ignore_unknown)


def _blocks(table: Table, shortest: bool) -> Iterator[list[list[str]]]:
    """The columns as texts, so many rows at a time that a run of millions of iterations needs no gigabytes."""
    for start in range(0, len(table.iteration), _BLOCK):
        yield [_texts(column[start : start + _BLOCK], shortest) for column in table]


def _texts(column: np.ndarray, shortest: bool) -> list[str]:
    """The numbers of an array as Caffe logs them, or just so long that they read back as the same float32."""
    import numpy as np

    values, where = np.unique(column, return_inverse=True)  # most columns repeat one value or a few
    if shortest or values.dtype.kind == "i":
        texts = values.astype("U32")
    else:
        texts = np.array([f"{value:g}" for value in values.tolist()])
    return texts[where].tolist()
