"""The `caffe-compat` command.

Each file of this folder with a top-level `HELP = "one line"` is a command, named like the file (`_`
becomes `-`), and defines `add_arguments(parser)` and `run(args) -> exit code`. What `run` needs is
imported inside it, so that starting up costs nothing. Command lines may be written as for Caffe's
tools (gflags): `-solver x`, `--gpu=all`, `-noshuffle`, `--encoded=false`, the command first or last.
"""

import argparse
import ast
import contextlib
import errno
import importlib
import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from caffe_compat.errors import CaffeError, UsageError, nearest, some

PROG = "caffe-compat"
_HELP = re.compile(r"^HELP = (.+)$", re.MULTILINE)
_NUMBER = re.compile(r"-\.?\d")
# What a GPU, Linux and Windows say.
_NO_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory")
_TRUE, _FALSE = {"true", "t", "yes", "y", "1"}, {"false", "f", "no", "n", "0"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name); the exit code is returned.

    0 done, 1 the user's input cannot be used, 2 the command line makes no sense, 130 interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started us, as `>&-` does
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    # Names of files that its encoding lacks are written as on standard error.
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    return guarded(lambda: _run(words))


def guarded(run: Callable[[], int]) -> int:
    """The exit code of `run`; an error on purpose is printed as one line."""
    try:
        return run()
    except CaffeError as error:
        _complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        print(f"\n{PROG}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader (head, less) has gone
        _close_output()
        return 141
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _complain(f"cannot write the output: {error.strerror}; free some space")
        _close_output()
        return CaffeError.exit_code
    except (MemoryError, RuntimeError) as error:  # torch's are RuntimeErrors
        if not lacks_memory(error):
            raise
        what = str(error).partition("\n")[0] or "there is no more"
        _complain(
            f"out of memory: {what}; smaller inputs or a smaller batch_size need less, and iter_size makes up for the "
            "latter in training"
        )
        return CaffeError.exit_code


def lacks_memory(error: BaseException) -> bool:
    """Whether there was not enough memory, of the host or of a GPU."""
    return isinstance(error, MemoryError) or bool(_NO_MEMORY.search(str(error)))


def _complain(what: str) -> None:
    from caffe_compat.log.names import printable
    from caffe_compat.log.progress import is_terminal

    what = printable(what).replace("\n", "\\n")
    clear = "\r\x1b[K" if is_terminal(sys.stderr) else ""  # there may be a progress bar on this line
    print(f"{clear}{PROG}: error: {what}", file=sys.stderr)


def _close_output() -> None:
    """Give the interpreter something to flush into at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(words: list[str]) -> int:
    commands = command_files()
    if not words:
        print(_overview(commands), file=sys.stderr)
        return UsageError.exit_code
    if words[0] in ("-h", "-help", "--help"):
        print(_overview(commands))
        return 0
    if words[0] in ("-version", "--version"):
        from caffe_compat import __version__

        print(f"{PROG} {__version__}")
        return 0
    name = _take_command(words, commands)
    command = importlib.import_module(f"caffe_compat.cli.{commands[name].stem}")
    parser = _Parser(prog=f"{PROG} {name}", description=command.HELP, allow_abbrev=False)
    command.add_arguments(parser)
    if name != "python":  # which runs another program
        with _escaping():
            return _run_command(command, parser, words)
    return _run_command(command, parser, words)


@contextlib.contextmanager
def _escaping() -> Iterator[None]:
    """Within it standard output shows control characters of names instead of acting on them."""
    from caffe_compat.log.names import Terminal

    stream = sys.stdout
    sys.stdout = Terminal(stream)  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stdout = stream


def _run_command(command: ModuleType, parser: "_Parser", words: list[str]) -> int:
    words = list(_normalise(words, parser))
    try:
        args = parser.parse_args(words)
    except SystemExit as stop:  # --help
        return int(stop.code or 0)
    return command.run(args)


def command_files() -> dict[str, Path]:
    """The file of each command by name, found without importing any."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return {file.stem.replace("_", "-"): file for file in files if _help(file) is not None}


def _help(file: Path) -> str | None:
    """The value of the file's top-level `HELP`, None where it has none."""
    found = _HELP.search(file.read_text(encoding="utf-8"))
    return found and ast.literal_eval(found[1])


def _overview(commands: dict[str, Path]) -> str:
    width = max(map(len, commands), default=0)
    lines = [f"  {name:{width}}  {_help(file)}" for name, file in commands.items()]
    return "\n".join(
        [
            f"usage: {PROG} COMMAND [options]",
            "",
            "Trains, tests and converts Caffe's nets on PyTorch.",
            "",
            "commands:",
            *lines,
            "",
            f"`{PROG} COMMAND --help` lists a command's options; `{PROG} --version` tells the version.",
            "Options may also be written as for Caffe's tools: -solver x, -gpu=all.",
        ]
    )


def _take_command(words: list[str], commands: dict[str, Path]) -> str:
    """Remove the command's name from `words`: the first word, else the last, else any between."""
    if words[0].startswith("-"):
        for at in (len(words) - 1, *range(1, len(words) - 1)):
            if words[at] in commands:
                return words.pop(at)
        raise UsageError(f"no command given; commands: {some(commands)}; see {PROG} --help")
    name = words.pop(0).replace("_", "-")
    if name not in commands:
        raise UsageError(f"unknown command '{name}'{nearest(name, commands) or ';'} see {PROG} --help")
    return name


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Every option of the parser and of its subcommands, by its string."""
    options = dict(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                options = _options(sub) | options
    return options


def _normalise(words: Sequence[str], parser: argparse.ArgumentParser) -> Iterator[str]:
    """The words with gflags' spellings turned into the parser's; unknown options raise UsageError."""
    if any(action.nargs == argparse.REMAINDER for action in parser._actions):
        yield from words  # another program's
        return
    options = _options(parser)
    for at, word in enumerate(words):
        if word == "--":
            yield from words[at:]
            return
        if not word.startswith("-") or word == "-" or _NUMBER.match(word) or word in options:
            yield word
            continue
        name, equals, value = word.partition("=")
        bare = name.lstrip("-")
        spellings = [f"--{bare}", f"--{bare.replace('-', '_')}", f"--{bare.replace('_', '-')}"]
        if bare.startswith("no"):
            spellings += [f"--no-{bare[2:]}", f"--no-{bare[2:].replace('_', '-')}"]
        known = next((s for s in spellings if s in options), None)
        if known is None:
            if not word.startswith("--") and word[:2] in options:  # -n8
                yield word
                continue
            close = nearest(f"--{bare}", options) or ";"
            raise UsageError(f"unknown option '{name}'{close} see {parser.prog} --help")
        if equals and options[known].nargs == 0:
            yield from _boolean(known, value, options)
        else:
            yield known + equals + value


def _boolean(option: str, value: str, options: dict[str, argparse.Action]) -> Iterator[str]:
    """`--name=true` as gflags writes it, for an option that takes no value."""
    if value.lower() not in _TRUE | _FALSE:
        raise UsageError(f"{option} takes true or false, not '{value}'")
    if value.lower() in _TRUE:
        yield option
    elif f"--no-{option[2:]}" in options:
        yield f"--no-{option[2:]}"
