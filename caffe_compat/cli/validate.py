"""`caffe-compat validate`: compare what a real Caffe computed, or logged, with what this package does."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from caffe_compat.cli import common
from caffe_compat.errors import CaffeError, UsageError

if TYPE_CHECKING:
    from caffe_compat.parity.compare import Report

HELP = "compare with a real Caffe: its dumped numbers (--reference) or its log (--log)"

_EPILOG = """\
exit code: 0 everything agrees; 1 something differs (or a file cannot be used); 3 nothing differs, but something could
not be compared (a bundle or log that is cut short, of another net, or of a fork with unknown layers): the output says
what. tools/dump_caffe_reference.py writes a bundle inside any pycaffe."""

_SOLVER_FILES = ("bundle.npz", "trajectory.npz")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--reference", metavar="BUNDLE", help="a bundle's folder, or its .npz")
    what.add_argument("--log", metavar="FILE", help="a training log of Caffe, of any version or fork")
    parser.add_argument(
        "--solver", metavar="FILE", help="the solver, instead of the bundle's or the echoed one"
    )
    parser.add_argument("--net", metavar="FILE", help="the net, instead of the bundle's or the echoed one")
    parser.add_argument("--run", metavar="LOG", help="with --log: the log of our run, to compare the curves")
    parser.add_argument("--weights", metavar="FILE", help="with --log: the caffemodel that run started from")
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="X",
        help="with --reference: allowed difference, relative to an array's largest value (default: 2e-4; losses, updates "
        "and weights of iterations ten times that; data exactly)",
    )
    parser.add_argument(
        "--replicas", type=int, default=1, metavar="N", help="with --reference: the bundle's run had N GPUs"
    )
    parser.add_argument("--json", metavar="FILE", help="also write everything as JSON; - is standard output")
    parser.add_argument("--html", metavar="FILE", help="also write a page with the error of each layer drawn")
    parser.add_argument(
        "--plot", metavar="FILE", help="with --log: also draw the curves (.png, .svg or .pdf)"
    )
    common.add_root(parser)
    common.add_python_layers(parser)
    common.add_extensions(parser)  # no --ignore-unknown-fields: such fields are noted, never an error here


def run(args: argparse.Namespace) -> int:
    wrong = ("run", "weights", "plot") if args.reference else ("tolerance",)
    for name in wrong:
        if getattr(args, name) is not None:
            raise UsageError(f"--{name} goes with {'--log' if args.reference else '--reference'}")
    if args.tolerance is not None and not args.tolerance >= 0:
        raise UsageError(f"--tolerance {args.tolerance:g} must be 0 or more")
    if args.replicas < 1:
        raise UsageError(f"--replicas {args.replicas} is below 1")
    common.load_torch()
    from caffe_compat.log.progress import is_terminal
    from caffe_compat.net.memory import keep_freed_memory
    from caffe_compat.parity.report import as_html, as_text

    common.allow_code(args)
    keep_freed_memory()
    report = _reference(args) if args.reference else _log(args)
    if args.json:
        _write(args.json, json.dumps(report.as_dict(), indent=1) + "\n")
    if args.html:
        _write(args.html, as_html(report))
    if args.json != "-":
        colour = is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")
        sys.stdout.write(as_text(report, colour))
    return report.exit_code


def _reference(args: argparse.Namespace) -> "Report":
    from caffe_compat.parity.batches import validate_data
    from caffe_compat.parity.bundle import open_bundle
    from caffe_compat.parity.nets import TOLERANCE, validate_net
    from caffe_compat.parity.steps import validate_solver

    bundle = open_bundle(args.reference, args.root, args.net, args.solver)
    if bundle.kind == "data":
        return validate_data(bundle, args.tolerance or 0.0)
    tolerance = TOLERANCE if args.tolerance is None else args.tolerance
    if bundle.kind == "solver":
        return validate_solver(bundle, tolerance, args.replicas)
    return validate_net(bundle, tolerance)


def _log(args: argparse.Namespace) -> "Report":
    from caffe_compat.log.read import read_runs
    from caffe_compat.parity.logs import validate_log

    report = validate_log(args.log, args.solver, args.net, args.run, args.weights, args.root)
    if args.plot:
        from caffe_compat.log.plot import plot_curves

        runs = [read_runs(log)[-1] for log in (args.log, args.run) if log]
        plot_curves(runs, args.plot, ["Caffe", "ours"][: len(runs)])
    return report


def _write(path: str, content: str) -> None:
    if path == "-":
        sys.stdout.write(content)
        return
    try:
        Path(path).write_text(content, encoding="utf-8")
    except OSError as error:
        raise CaffeError(f"{path}: cannot be written: {error.strerror}") from None
