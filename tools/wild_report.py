#!/usr/bin/env python3
"""How many Caffe files of other people this package reads: a table in Markdown.

    python tools/wild_report.py FOLDER [--jobs 2] [--limit 60] [--details FILE]

FOLDER holds one folder a repository, each with its prototxt files. Files of equal content count once. A file
is a net or a solver by what stands in it, not by its name; others (label maps, fragments without layers) are
not counted. A net builds if it builds in every phase that its rules name; data layers whose source is
missing take their shapes from their parameters or, where these do not tell, from the names of well-known data
sets and from what reads them, and Python layers have stand-ins (wild_layers.py); no filler runs. A solver passes if
it parses and gives a rate for its first iterations. --details writes one line a file: what it is, whether it passed, why not.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import io
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # this file is a script; tools is not installed

from tools import wild_data, wild_layers, wild_others, wild_pixels, wild_regions  # noqa: F401  # they register themselves

SUFFIXES = (".prototxt", ".pt")
_SKIP = re.compile(r"#[^\n]*|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'")
_NET_WORDS = {"layer", "layers", "input", "input_dim", "input_shape"}
_SOLVER_WORDS = {"base_lr", "lr_policy", "max_iter", "train_net", "test_iter", "net_param", "solver_mode"}


class Result(NamedTuple):
    """What became of one file."""

    path: str
    kind: str  # net, solver or other
    parses: bool
    passes: bool  # a net builds, a solver gives a schedule
    cause: str  # of the failure, as the table groups them
    message: str
    unknown_types: tuple[str, ...]  # all of the net's, not only the first
    unknown_fields: tuple[str, ...]


def kind_of(text: str) -> str:
    """`net`, `solver` or `other`, by the words outside all brackets."""
    text = _SKIP.sub(" ", text)
    words, depth = set(), 0
    for token in re.finditer(r"[A-Za-z_]\w*|[{}<>]", text):
        if token[0] in "{<":
            depth += 1
        elif token[0] in "}>":
            depth = max(0, depth - 1)
        elif depth == 0:
            words.add(token[0])
    if words & _SOLVER_WORDS:
        return "solver"
    return "net" if words & _NET_WORDS else "other"


def distinct_files(folder: Path) -> list[Path]:
    """The prototxt files below `folder`, the first of each content, in the order of their names."""
    seen: set[bytes] = set()
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()):
        digest = hashlib.sha256(path.read_bytes()).digest()
        if digest not in seen:
            seen.add(digest)
            found.append(path)
    return found


class _TooLong(Exception):
    pass


def _alarm(*_: Any) -> None:
    raise _TooLong


def judge(path: str, limit: int = 60, repository: str = "") -> Result:
    """Parse a file of this repository and build or schedule it, in at most `limit` seconds."""
    from caffe_compat.errors import CaffeError

    text = Path(path).read_bytes().decode(errors="surrogateescape")
    kind = kind_of(text)
    if kind == "other":
        return Result(path, kind, False, False, "", "", (), ())
    parses, cause, message = False, "", ""
    signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(limit)
    try:
        param = _read(path, kind)
        parses = True
        if kind == "solver":
            _schedule(param)
        else:
            _build(param, repository)
    except CaffeError as error:
        message = str(error)
        cause = _cause(message)
    except _TooLong:
        cause = message = f"takes more than {limit} s"
    except Exception as error:  # noqa: BLE001  (a crash is a finding, too)
        message = f"{type(error).__name__}: {error}"
        cause = f"crash: {type(error).__name__}"
    finally:
        signal.alarm(0)
    types, fields = _unknown(text, kind) if cause else ((), ())
    return Result(path, kind, parses, not cause, cause, message, types, fields)


def _read(path: str, kind: str) -> Any:
    from caffe_compat.log.write import NULL
    from caffe_compat.proto import text

    return text.read_net(path, NULL) if kind == "net" else text.read_solver(path, NULL)


def _schedule(param: Any) -> None:
    from caffe_compat.solver.schedule import Schedule

    schedule = Schedule(param)
    schedule.table(min(max(param.max_iter, 1), 1000))


def states(param: Any) -> list[tuple[int, tuple[str, ...]]]:
    """The phases that a net has: those with data, if rules say so; both, if some rule names one; else one.

    The last is training for a net with a loss and testing for others. With each phase the stages that its data
    need: none, if some of its data layers need none.
    """
    from caffe_compat.proto import TEST, TRAIN

    def named(layers: Iterable[Any]) -> dict[int, dict[tuple[str, ...], None]]:
        found: dict[int, dict[tuple[str, ...], None]] = {}
        for layer in layers:
            rules = [(rule, rule.phase) for rule in layer.include]
            rules += [(rule, 1 - rule.phase) for rule in layer.exclude]
            for rule, phase in rules:
                if rule.HasField("phase"):
                    found.setdefault(phase, {})[tuple(rule.stage)] = None
        return found

    if with_data := named(layer for layer in param.layer if not layer.bottom):
        return [
            (phase, stages)
            for phase in sorted(with_data)
            for stages in ([()] if () in with_data[phase] else with_data[phase])
        ]
    if named(param.layer):
        return [(TRAIN, ()), (TEST, ())]
    return [(TRAIN if any("Loss" in layer.type for layer in param.layer) else TEST, ())]


def _build(param: Any, repository: str) -> None:
    """Build the net in each of its phases. Raises CaffeError."""
    from caffe_compat.errors import DataError, LayerError
    from caffe_compat.inspect.outline import Outline

    wild_layers.provide(repository)
    for phase, stages in states(param):
        param.state.phase = phase
        param.state.stage[:] = stages
        inputs: dict[str, tuple[int, ...]] = {}
        while True:
            try:
                Outline(param, inputs=inputs)
                break
            except DataError as error:  # nothing says how large its pictures are
                match = re.search(r"give the shape: --input ([^=]+)=", str(error))
                if match is None or match[1] in inputs:
                    raise
                inputs[match[1]] = wild_data.input_shape(param, match[1])
            except LayerError as error:
                fitting = wild_data.fit(param, str(error), inputs)
                if fitting is None:
                    raise
                inputs.update(fitting)


def _unknown(text: str, kind: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All layer types (and modules of Python layers) and all fields in a file that nothing here knows."""
    from caffe_compat.errors import CaffeError
    from caffe_compat.layers.registry import registry
    from caffe_compat.log.write import NULL, Log
    from caffe_compat.proto import NetParameter, SolverParameter
    from caffe_compat.proto.text import parse
    from caffe_compat.proto.upgrade import upgrade_net

    warnings = io.StringIO()
    log = Log(warnings, progress=False)
    try:
        param: NetParameter | SolverParameter
        if kind == "net":
            param = parse(text, NetParameter, "", ignore_unknown=True, log=log)
            upgrade_net(param, "", NULL)
        else:
            param = parse(text, SolverParameter, "", ignore_unknown=True, log=log)
    except CaffeError:
        return (), ()
    types = {layer.type for layer in getattr(param, "layer", ())} - set(registry())
    types |= {
        f"Python: {layer.python_param.layer}"
        for layer in getattr(param, "layer", ())
        if layer.type == "Python"
    }
    found = re.findall(r"(\w+) has no field '(\w+)'", warnings.getvalue())
    return tuple(sorted(types)), tuple(sorted({f"{message}.{field}" for message, field in found}))


def _cause(message: str) -> str:
    """What a message says, without the names of this file's own."""
    for pattern, cause in (
        (r"unknown layer type '([^']*)'", "unknown layer type {}"),
        (r"(\w+) has no field '([^']*)'", "unknown field {}.{}"),
        (r"(\w+\.\w+) cannot be '?([^;']*)", "unknown value {}: {}"),
        (r"\): ([\w.:, ]+): a fork of Caffe's", "fork field {}"),
        (r": ([\w.:, ]+): a fork of Caffe's", "fork field {}"),
        (r"placeholder", "template"),
    ):
        if match := re.search(pattern, message):
            return cause.format(*match.groups())
    message = re.sub(r"^(.*?\.(prototxt|pt)[\d:]*|[^ ]*): ", "", message)
    message = re.sub(r"^layer '[^']*' \((\w+)\)", r"\1", message)
    message = re.sub(r"'[^']*'", "'...'", message)
    message = re.sub(r"\([\d, ]*\)|\d+", "N", message)
    return message.split(";")[0][:150]


def report(results: list[Result], folder: Path) -> str:
    """The tables."""
    repos = {Path(r.path).relative_to(folder).parts[0] for r in results if r.kind != "other"}
    nets = [r for r in results if r.kind == "net"]
    solvers = [r for r in results if r.kind == "solver"]
    lines = [
        f"{len(nets)} nets and {len(solvers)} solvers, all distinct, from {len(repos)} repositories.",
        "",
        "| what | files | share |",
        "|---|---|---|",
    ]
    both = [*nets, *solvers]
    for name, some, good in (
        ("files that parse", both, [r for r in both if r.parses]),
        ("nets that parse", nets, [r for r in nets if r.parses]),
        ("nets that build in every phase they define", nets, [r for r in nets if r.passes]),
        ("solvers that parse", solvers, [r for r in solvers if r.parses]),
        ("solvers that parse and give a schedule", solvers, [r for r in solvers if r.passes]),
    ):
        lines.append(f"| {name} | {len(good)} of {len(some)} | {len(good) / max(len(some), 1):.1%} |")
    for title, some in (("nets", nets), ("solvers", solvers)):
        causes = collections.Counter(r.cause for r in some if r.cause)
        lines += ["", f"| why {title} fail | files |", "|---|---|"]
        lines += [
            f"| {cause.replace('|', chr(92) + '|')} | {count} |" for cause, count in causes.most_common()
        ]
    return "\n".join(lines) + "\n"


def needed(results: list[Result], folder: Path) -> str:
    """Every unknown type and field of the collection, with how many files have it and one of them."""
    lines = []
    for title, field in (("layer types", "unknown_types"), ("fields", "unknown_fields")):
        files = collections.defaultdict(list)
        for result in results:
            for name in getattr(result, field):
                files[name].append(str(Path(result.path).relative_to(folder)))
        lines += ["", f"| unknown {title} | files | repositories | first |", "|---|---|---|---|"]
        for name, paths in sorted(files.items(), key=lambda item: -len(item[1])):
            repos = {path.split(os.sep)[0] for path in paths}
            lines.append(f"| {name} | {len(paths)} | {len(repos)} | {paths[0]} |")
    return "\n".join(lines) + "\n"


def _judge_all(folder: Path, jobs: int, limit: int) -> list[Result]:
    with multiprocessing.Pool(jobs, maxtasksperchild=200) as pool:
        paths = distinct_files(folder)
        work = [
            pool.apply_async(judge, (str(path), limit, path.relative_to(folder).parts[0])) for path in paths
        ]
        return [item.get() for item in work]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="one folder a repository")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)"
    )
    parser.add_argument("--limit", type=int, default=60, help="seconds a file may take (default: 60)")
    parser.add_argument("--details", type=Path, help="write a line a file here")
    parser.add_argument("--needed", type=Path, help="write what is unknown, by how many files have it, here")
    args = parser.parse_args()
    results = _judge_all(args.folder, args.jobs, args.limit)
    if args.details:
        with open(args.details, "w", encoding="utf-8", errors="surrogateescape") as file:
            for r in results:
                state = "passes" if r.passes else "parses" if r.parses else "fails"
                file.write(f"{r.kind}\t{state}\t{r.path}\t{r.message}\n")
    if args.needed:
        args.needed.write_text(needed(results, args.folder), encoding="utf-8")
    print(report(results, args.folder), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
