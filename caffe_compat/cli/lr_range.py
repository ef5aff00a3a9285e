"""`caffe-compat lr-range`: a learning-rate range test of any net, and what it suggests."""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING

from caffe_compat.cli import common
from caffe_compat.errors import CaffeError, UsageError

if TYPE_CHECKING:
    from caffe_compat.experiments.lr_range import Suggestion
    from caffe_compat.log.runs import RunLog

HELP = "learning-rate range test of any net: plots it and suggests max_lr and base_lr"

_DRAWN = 10  # times the first loss: what is beyond would flatten the rest
_SHOWN = re.compile(r"\] Iteration \d+ (?:\(.*\))?, loss = (\S+)|\] Iteration \d+, loss = (\S+)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--solver", metavar="FILE", help="the solver, a prototxt; its schedule is replaced by the ramp"
    )
    what.add_argument("--log", metavar="FILE", help="read the log of a range test made before instead")
    parser.add_argument("--max-lr", type=float, metavar="LR", help="the last rate of the ramp")
    parser.add_argument(
        "--min-lr", type=float, metavar="LR", help="the first (default: 0, exponential: max-lr / 10000)"
    )
    parser.add_argument("--iterations", type=int, metavar="N", help="the length of the ramp")
    parser.add_argument(
        "--exponential", action="store_true", help="multiply the rate instead of adding to it"
    )
    parser.add_argument("--tests", type=int, default=50, metavar="N", help="how often to test (default: 50)")
    parser.add_argument(
        "--out",
        default="lr_range",
        metavar="NAME",
        help="writes NAME.log, NAME.png and NAME.json (default: lr_range)",
    )
    parser.add_argument("--plot", metavar="FILE", help="another file for the plot: .png, .svg or .pdf")
    parser.add_argument("--weights", metavar="FILES", help="caffemodels to start from, separated by commas")
    parser.add_argument("--replicas", type=int, metavar="N", help="as of caffe-compat train")
    common.add_gpu(parser)
    common.add_execution(parser)
    common.add_net(parser)
    common.add_building(parser)
    common.add_set(parser)


def run(args: argparse.Namespace) -> int:
    from caffe_compat.experiments import lr_range
    from caffe_compat.log.plot import require_format
    from caffe_compat.log.read import read_log

    if args.plot:
        require_format(args.plot)
    log = args.log or _train(args)
    read = read_log(log)
    suggestion = lr_range.analyse(read)
    print(lr_range.report(suggestion))
    if not args.log:
        _write_json(f"{args.out}.json", asdict(suggestion))
    plot = args.plot or (None if args.log else f"{args.out}.png")
    if plot:
        _plot(plot, read, suggestion)
        print(plot, file=sys.stderr)
    return 0


def _write_json(path: str, content: dict[str, object]) -> None:
    from caffe_compat.proto.binary import write_atomic

    write_atomic(path, (json.dumps(content, indent=1) + "\n").encode())


def _plot(path: str, read: RunLog, suggestion: Suggestion) -> None:
    from caffe_compat.experiments.curves import curve, smooth
    from caffe_compat.experiments.lr_range import WINDOW
    from caffe_compat.log.plot import Line, plot_lines

    panels = {}
    for name in ("test accuracy", "train loss", "test loss"):
        x, y = curve(read, name, "learning rate")
        keep = y <= _DRAWN * abs(y[0]) if len(y) and name.endswith("loss") else y >= 0
        if keep.any():
            x, y = x[keep], y[keep]
            panels[name] = [
                Line("as measured", x.tolist(), y.tolist(), 0, True),
                Line("smoothed", x.tolist(), smooth(y, WINDOW).tolist(), 0),
            ]
    if not panels:
        panels["train loss"] = []  # every loss was NaN: an empty picture says so
    known = {
        "peak": suggestion.peak if suggestion.max_lr else None,
        "last stable rate": suggestion.stable if suggestion.max_lr else None,
        "the net is dead": suggestion.dead_at if suggestion.max_lr else None,
        "diverged": suggestion.diverged_at,
    }
    marks = {what: rate for what, rate in known.items() if rate is not None}
    title = f"range test: super-convergence {suggestion.verdict}"
    log_x = read.lr_policy == "exp" and any(
        x > 0 for lines in panels.values() for line in lines for x in line.x
    )
    plot_lines(path, panels, "learning rate", title, marks, log_x=log_x)


def _train(args: argparse.Namespace) -> str:
    """Run the ramp; returns the path of its log."""
    from caffe_compat.experiments import lr_range, runner

    if args.max_lr is None or args.iterations is None:
        raise UsageError("a range test needs --max-lr and --iterations")
    if not 0 < args.max_lr < math.inf:
        raise UsageError(f"--max-lr {args.max_lr:g} must be a number above 0")
    if os.path.isdir(args.out) or args.out.endswith(os.sep):
        raise UsageError(
            f"--out {args.out} is a folder; give the beginning of the files' names, as in {args.out.rstrip(os.sep)}/run"
        )
    low = args.min_lr if args.min_lr is not None else args.max_lr / 10000 if args.exponential else 0.0
    if not 0 <= low < args.max_lr or (args.exponential and low == 0):
        raise UsageError(
            f"--min-lr {low:g} must be {'above' if args.exponential else 'from'} 0 and below --max-lr"
        )
    for name, least in (("tests", 8), ("iterations", args.tests)):
        if getattr(args, name) < least:
            raise UsageError(
                f"--{name} {getattr(args, name)} is below {least}; the curve would have too few points"
            )
    words = ["train", "--solver", args.solver]
    for option in ("net", "root", "gpu", "weights", "replicas"):
        value = getattr(args, option)
        if value not in ("", None):
            words += [f"--{option}", str(value)]
    words += common.execution_words(args)
    words += ["--allow-python-layers"] * args.allow_python_layers
    words += ["--ignore-unknown-fields"] * args.ignore_unknown
    for module in args.imports:
        words += ["--import", module]
    ramp = lr_range.ramp_settings(low, args.max_lr, args.iterations, args.tests, args.exponential)
    for setting in [*args.set, *ramp]:
        words += ["--set", setting]
    path = f"{args.out}.log"
    try:
        with open(path, "w", encoding="utf-8") as log:
            process = runner.command(words, stderr=subprocess.PIPE)
            code = _follow(process, log, path)
    except OSError as error:
        raise CaffeError(f"{path}: cannot be written: {error.strerror}; choose another --out") from None
    if code:
        lines = [line for line in Path(path).read_text(encoding="utf-8").splitlines() if line]
        last = next((line for line in reversed(lines) if "error: " in line), lines[-1] if lines else "")
        raise CaffeError(
            f"the range test ended with exit code {code}: {last.partition('error: ')[2] or last}"
        )
    return path


def _follow(process: subprocess.Popen[bytes], log: IO[str], path: str) -> int:
    """Copy what the run prints to the log at `path` and the screen; stop it once its loss has diverged and stays so."""
    from caffe_compat.experiments import chance, lr_range
    from caffe_compat.log.read import read_log

    first, known = math.nan, None
    in_a_row = 0
    stopped = False
    assert process.stderr
    try:
        for raw in process.stderr:
            line = raw.decode(errors="replace")
            log.write(line)
            sys.stderr.write(line)
            shown = _SHOWN.search(line)
            if not shown or stopped:
                continue
            loss = float(shown[1] or shown[2])
            if not math.isfinite(first) and math.isfinite(loss):
                first = loss
                log.flush()
                run = read_log(path)
                known = lr_range.loss_before(run, chance.of(run).train, first)
            elif lr_range.divergence(first, loss, known):
                in_a_row += 1
            else:
                in_a_row = 0
            if in_a_row == 2:
                stopped = True
                print("lr-range: the loss has diverged; stopping here", file=sys.stderr)
                os.kill(process.pid, signal.SIGINT)
    except BaseException:
        process.send_signal(signal.SIGINT)
        raise
    finally:
        code = process.wait()
        process.stderr.close()
    return code
