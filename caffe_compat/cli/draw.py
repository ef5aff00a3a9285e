"""`caffe-compat draw`: a picture of a net."""

import argparse
import os
import sys

from caffe_compat.cli import common, without_torch
from caffe_compat.errors import UsageError

HELP = "draw a net to .svg, .png or .dot, with shapes on the edges"

_DIRECTIONS = ("TB", "BT", "LR", "RL")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_look_options(parser)
    common.add_set(parser)
    parser.add_argument(
        "output", metavar="OUT", help="the file to write: .svg, .png, .dot, or what Graphviz makes"
    )
    parser.add_argument("--fold", action="store_true", help="draw one of several equal blocks in a row")
    parser.add_argument(
        "--rankdir", choices=_DIRECTIONS, default="TB", help="where data flows (default: TB, top to bottom)"
    )


def run(args: argparse.Namespace) -> int:
    return without_torch.run(_draw, args)


def _draw(args: argparse.Namespace) -> int:
    from caffe_compat.cli.models import find_net, outline_net
    from caffe_compat.errors import CaffeError
    from caffe_compat.inspect.draw import net_graph
    from caffe_compat.log.write import WARNING, Log
    from caffe_compat.net.resolve import filter_net

    format = os.path.splitext(args.output)[1][1:].lower()
    if not format:
        raise UsageError(f"{args.output}: no format; name the picture .svg, .png or .dot")
    log = Log(progress=False, level=WARNING)
    shapes = None
    try:
        shapes = outline_net(args, log).net.blob_shapes
    except UsageError:
        raise
    except CaffeError as error:
        log.warning(f"drawn without shapes: {error}")
    param = find_net(args, log)
    graph = net_graph(filter_net(param, param.state), shapes, args.rankdir, args.fold)
    try:
        graph.write(args.output, format)
    except OSError as error:
        raise CaffeError(f"{args.output}: cannot be written: {error.strerror}; check the folder") from error
    print(f"Wrote {args.output}: {len(graph.nodes)} boxes", file=sys.stderr)
    return 0
