"""`caffe-compat python`: run somebody's pycaffe script as it is."""

from __future__ import annotations

import argparse
import dis
import os
import runpy
import sys
import types
from collections.abc import Callable
from types import TracebackType

from caffe_compat.errors import CaffeError, DataError, LayerError, UsageError

HELP = "run a pycaffe script unchanged: its `import caffe` is this package"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c", nargs=argparse.REMAINDER, metavar="CODE", help="run this code, as python -c does"
    )
    parser.add_argument(
        "-m", nargs=argparse.REMAINDER, metavar="MODULE", help="run this module, as python -m does"
    )
    parser.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="SCRIPT ...",
        help="the script (- for standard input) and its own options, such as Caffe's python/classify.py, draw_net.py "
        "or detect.py",
    )


def run(args: argparse.Namespace) -> int:
    """The script's exit code, as Python would give it."""
    words = args.c or args.m or args.words
    if not words:
        raise UsageError("give the script to run first, then its own options")
    name = words[0]
    if args.c:
        words = ["-c", *words[1:]]
        return _run(words, "", lambda: _execute(name, "<string>"))
    if args.m:
        return _run(words, os.getcwd(), lambda: runpy.run_module(name, run_name="__main__", alter_sys=True))
    if name == "-":
        return _run(words, "", lambda: _execute(sys.stdin.read(), "<stdin>"))
    if not os.path.isfile(name):
        raise DataError(f"{name}: no such file; give a Python script")
    with open(name, "rb") as file:
        code = file.read()
    return _run(words, os.path.dirname(os.path.realpath(name)), lambda: _execute(code, os.path.abspath(name)))


def _run(argv: list[str], folder: str, main: Callable[[], object]) -> int:
    """Run `main` with these arguments and `folder` as the first place for modules."""
    import caffe_compat
    from caffe_compat.pycaffe import old_names, state

    caffe_compat.install_as_caffe()
    old_names.install(lambda line: state.log().warning(line))
    typed = {os.path.abspath(argv[0]): argv[0]}  # the script may go to another folder
    sys.argv = argv
    sys.path[:0] = [folder, _AS_CAFFE]
    try:
        main()
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return 1
    except Exception as error:  # noqa: BLE001 - whatever the script lets go
        return _report(error, typed)
    return 0


def _execute(code: str | bytes, name: str) -> None:
    """Run code as the module __main__."""
    main = types.ModuleType("__main__")
    if not name.startswith("<"):
        main.__file__ = name
    sys.modules["__main__"] = main
    exec(compile(code, name, "exec", dont_inherit=True), vars(main))  # noqa: S102 - what the command is for


def _report(error: BaseException, typed: dict[str, str]) -> int:
    """Print what Python would, the frames of this package left out; the exit code."""
    from caffe_compat.cli import python2

    cause = error.__context__
    _hide(error)
    syntax = cause if isinstance(error, LayerError) and isinstance(cause, SyntaxError) else error
    line = python2.verdict(syntax, error.__traceback__, typed)
    if line is not None:
        print(f"caffe-compat: error: {line}", file=sys.stderr)
    else:
        sys.excepthook(type(error), error, error.__traceback__)
        note = python2.advice(error, error.__traceback__)
        if note is not None:
            print(f"caffe-compat: note: {note}", file=sys.stderr)
    return 1


# -- tracebacks -------------------------------------------------------------------------------

_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_AS_CAFFE = os.path.join(_PACKAGE, "pycaffe", "as_caffe")
_RUNNERS = (os.path.abspath(__file__), "<frozen runpy>", runpy.__file__)


def _hide(error: BaseException | None) -> None:
    """Take the frames of this package out of an error, and of those that led to it."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.__traceback__ = _script_frames(error)
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is not None and _script_frames(cause) is None:
            # It was wholly ours, so it says nothing to a script.
            error.__cause__ = error.__context__ = cause = None
        error = cause


def _script_frames(error: BaseException) -> TracebackType | None:
    from caffe_compat.pycaffe.old_scripts import is_script

    frames = []
    at = error.__traceback__
    while at is not None:
        frames.append(at)
        at = at.tb_next
    files = [frame.tb_frame.f_code.co_filename for frame in frames]
    while files and (files[0] in _RUNNERS or files[0].startswith("<frozen importlib")):
        del files[0], frames[0]
    if files and not isinstance(error, CaffeError | OSError) and _is_a_bug(frames[-1], files[-1]):
        return frames[0]
    ours = [file.startswith(_PACKAGE) for file in files]
    for i, frame in enumerate(frames):  # the libraries that this package calls, and that call it back
        ours[i] |= i > 0 and ours[i - 1] and not is_script(frame.tb_frame)
    kept: TracebackType | None = None
    for frame, hidden in zip(reversed(frames), reversed(ours), strict=True):
        if not hidden:
            kept = TracebackType(kept, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return kept


def _is_a_bug(frame: TracebackType, file: str) -> bool:
    """Whether code of this package failed, rather than raised the error: then its frames are the only clue."""
    code = frame.tb_frame.f_code.co_code
    return file.startswith(_PACKAGE) and code[frame.tb_lasti] != dis.opmap["RAISE_VARARGS"]
