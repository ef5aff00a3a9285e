"""`caffe-compat estimate-lr`: the learning rate that successive weights imply (equation 8 of the paper)."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from caffe_compat.cli import common
from caffe_compat.errors import UsageError

if TYPE_CHECKING:
    from caffe_compat.experiments.estimate import Row
    from caffe_compat.solver.solver import Solver

HELP = "estimate the learning rate that successive weights imply, while training or from snapshots"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--every",
        type=int,
        default=0,
        metavar="K",
        help="iterations between the weights compared (default: 1; of snapshots: as near as they are)",
    )
    parser.add_argument(
        "--out", default="estimate.csv", metavar="FILE", help="the table to write (default: estimate.csv)"
    )
    parser.add_argument("--plot", metavar="FILE", help="also draw it, to a .png, .svg or .pdf file")
    parser.add_argument(
        "--snapshots",
        metavar="PREFIX",
        help="do not train: read PREFIX_iter_N.caffemodel; the rates are those of --solver",
    )
    from caffe_compat.cli import train

    train.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from caffe_compat.cli import train
    from caffe_compat.experiments import estimate

    if args.every < 0:
        raise UsageError(f"--every {args.every} is below 0")
    if args.plot:
        from caffe_compat.log.plot import require_format

        require_format(args.plot)
    if args.snapshots:
        rows = _from_snapshots(args)
    else:
        from caffe_compat.solver import parallel

        several = f"--gpu {args.gpu}" if "," in args.gpu or args.gpu == "all" else ""
        if parallel.world_size() > 1:
            several = "torchrun"
        if several:
            raise UsageError(
                f"{several}: estimate-lr trains in one process; use one device, and --replicas N"
            )
        watch = _Watch(args)
        code = train.run(args, watch.begin)
        if code:
            return code
        watch.look()
        rows = estimate.read_table(args.out)
    if rows:
        last = rows[-1]
        print(
            f"{len(rows)} estimates, the last at iteration {last.iteration}: {last.smoothed:.4g} smoothed, at rate "
            f"{last.lr:.4g}"
        )
    print(args.out)
    if args.plot:
        from caffe_compat.log.plot import Line, plot_lines

        x = [row.iteration for row in rows]
        lines = [
            Line("estimate", x, [row.estimate for row in rows], 0, faint=True),
            Line("estimate, smoothed", x, [row.smoothed for row in rows], 0),
            Line("rate of the schedule", x, [row.lr for row in rows], 1),
        ]
        plot_lines(
            args.plot, {"learning rate": lines}, "iteration", "learning rate estimated from the weights"
        )
        print(args.plot, file=sys.stderr)
    return 0


def _from_snapshots(args: argparse.Namespace) -> list[Row]:
    from caffe_compat.cli.overrides import apply_overrides
    from caffe_compat.experiments import estimate
    from caffe_compat.log.write import Log
    from caffe_compat.proto import text

    solver = text.read_solver(common.locate(args.root, args.solver), ignore_unknown=args.ignore_unknown)
    apply_overrides(solver, None, args.set, Log())
    prefix = common.resolve(args.root, args.snapshots)
    rows = list(estimate.from_snapshots(prefix, solver, args.every))
    estimate.Table(args.out, rows)
    return rows


class _Watch:
    """Estimates the rate as a Solver trains."""

    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.every = args.every or 1

    def begin(self, solver: Solver) -> None:
        from caffe_compat.experiments import estimate

        kept = _kept(self.args, solver.iter, self.every)
        self.solver = solver
        self.table = estimate.Table(self.args.out, kept)
        self.estimator = estimate.Estimator(self.every, kept)
        self.rate = estimate.rates(solver.param)
        self.blobs = [blob for layer in solver.net.layers for blob in layer.blobs]
        solver.callbacks.append((self.look, lambda: None))

    def look(self) -> None:
        """Take the weights as they are now; called before every iteration and after the last."""
        import torch

        iteration = self.solver.iter
        if iteration == 0 or iteration % self.every:  # the published scripts begin at the first snapshot
            return
        weights = torch.cat([blob.detach().reshape(-1) for blob in self.blobs]).double()
        row = self.estimator.add(iteration, self.rate(iteration), weights)
        if row:
            self.table.add(row)


def _kept(args: argparse.Namespace, iteration: int, every: int) -> list[Row]:
    """The estimates that a resumed run has already: those that no weights after `iteration` went into."""
    from caffe_compat.experiments import estimate

    if not iteration or not os.path.exists(args.out):
        return []
    return [row for row in estimate.read_table(args.out) if row.iteration + 2 * every <= iteration]
