"""`caffe-compat show`: the layers of a net with shapes, parameters, multiply-adds and memory."""

import argparse
import sys

from caffe_compat.cli import common, without_torch

HELP = "list a net's layers, shapes, parameters and costs; needs neither data nor weights"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_look_options(parser)
    common.add_set(parser)
    common.add_weights(parser)
    parser.add_argument("--format", choices=("table", "json", "csv"), default="table", help="default: table")


def run(args: argparse.Namespace) -> int:
    return without_torch.run(_show, args)


def _show(args: argparse.Namespace) -> int:
    from caffe_compat.cli.models import outline_net
    from caffe_compat.inspect import show
    from caffe_compat.log.write import WARNING, Log

    log = Log(progress=False, level=WARNING)
    outline = outline_net(args, log)
    summary = show.summarize(outline)
    for name in args.weights.split(",") if args.weights else ():
        show.compare_weights(summary, outline, common.locate(args.root, name.strip()), log)
    sys.stdout.write(show.FORMATS[args.format](summary))
    if args.format == "csv":
        for note in summary.notes:
            print(f"note: {note}", file=sys.stderr)
    return 0
