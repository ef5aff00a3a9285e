"""`caffe-compat python`: run somebody's pycaffe script as it is."""

import argparse
import os
import runpy
import sys

from caffe_compat.errors import DataError, UsageError

HELP = "run a pycaffe script unchanged: its `import caffe` is this package"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="SCRIPT ...",
        help="the script and its own options, such as Caffe's python/classify.py, draw_net.py or detect.py",
    )


def run(args: argparse.Namespace) -> int:
    """The script's exit code."""
    if not args.words:
        raise UsageError("give the script to run first, then its own options")
    script = args.words[0]
    if not os.path.isfile(script):
        raise DataError(f"{script}: no such file; give a Python script")
    import caffe_compat

    caffe_compat.install_as_caffe()
    sys.argv = args.words
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return 1
    return 0
