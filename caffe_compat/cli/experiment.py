"""`caffe-compat experiment`: the paper's runs, what came of them, and its figures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from caffe_compat.cli import common
from caffe_compat.errors import CaffeError, UsageError

if TYPE_CHECKING:
    from caffe_compat.experiments.prepare import Changes
    from caffe_compat.experiments.runner import Job, Outcome

HELP = "run the super-convergence paper's experiments, resumably, and report and draw the results"

OUT = "experiments"
_AXES = ("base_lr", "max_lr", "weight_decay", "momentum", "batch_size", "dropout")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    one = _action(actions, "list", "the experiments: id, net, data, schedule, published accuracy")
    _add_names(one, "*")

    one = _action(actions, "show", "one experiment: its settings, its solver and the commands that run it")
    one.add_argument("id", metavar="ID")
    _add_changes(one)

    one = _action(
        actions, "run", "run experiments, figures or tables; finished ones are skipped, killed ones go on"
    )
    _add_names(one, "+")
    _add_changes(one)
    _add_running(one)
    _add_note(one)

    one = _action(actions, "report", "a table of the results beside the published figures")
    _add_names(one, "*")
    _add_out(one)
    one.add_argument("--markdown", action="store_true", help="print a markdown table")
    one.add_argument(
        "--plot", metavar="FILE", help="also draw measured against published, to .png, .svg or .pdf"
    )

    one = _action(actions, "figure", "draw a figure of the paper from logs: ours, the authors', or both")
    one.add_argument("figure", metavar="FIGURE", help="fig1a, fig2b ...")
    one.add_argument("--out", required=True, metavar="FILE", help="the picture: .png, .svg or .pdf")
    one.add_argument("--runs", default=OUT, metavar="DIR", help=f"folder of our results (default: {OUT})")
    one.add_argument(
        "--published", metavar="DIR", help="folder of the logs that the paper's authors published"
    )
    one.add_argument(
        "--logs",
        action="append",
        default=[],
        metavar="ID=FILE",
        help="a log to draw for a row; may be repeated",
    )

    one = _action(actions, "adopt", "keep the log of a run made by hand as the result of an experiment")
    one.add_argument("id", metavar="ID")
    one.add_argument(
        "log", nargs="+", metavar="LOG", help="a finished log; several of one id have different seeds"
    )
    _add_changes(one)
    _add_out(one)
    _add_note(one)
    one.add_argument(
        "--seed", type=int, default=0, metavar="N", help="its seed (default: the log's random_seed)"
    )
    one.add_argument(
        "--machine", default="", metavar="TEXT", help="where it ran (default: the log's GPU, or here)"
    )

    one = _action(actions, "grid", "short runs over every combination of some settings, ranked")
    one.add_argument("--solver", required=True, metavar="FILE", help="the solver to vary, a prototxt")
    one.add_argument("--name", metavar="NAME", help="of the folder of its runs (default: grid-SOLVER)")
    one.add_argument("--iterations", type=int, metavar="N", help="shorten the whole schedule to N iterations")
    for axis in _AXES:
        one.add_argument(f"--{axis}", metavar="A,B,..", help="values to try")
    one.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="FIELD=A,B,..",
        help="values of another field of the solver",
    )
    one.add_argument("--replicas", type=int, default=1, metavar="N", help="replicas of each run (default: 1)")
    one.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="runs of each combination (default: 1)"
    )
    common.add_net(one)
    common.add_root(one)
    _add_running(one)


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    return actions.add_parser(name, help=text, description=text)


def _add_names(parser: argparse.ArgumentParser, count: str) -> None:
    parser.add_argument(
        "names", nargs=count, metavar="NAME", help="ids, figures (fig1a), tables (tab1), 'tab1-*-clr', all"
    )


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", default=OUT, metavar="DIR", help=f"folder of the results (default: {OUT})")


def _add_note(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-note",
        default="",
        metavar="TEXT",
        help="what the report should say of the data, such as 'JPEG copy'",
    )


def _add_running(parser: argparse.ArgumentParser) -> None:
    _add_out(parser)
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="how many runs share the CPU, or each GPU (default: 1; on a GPU that is idle at times one more by and by)",
    )
    parser.add_argument(
        "--gpu",
        default="",
        metavar="IDS",
        help="device ids such as 0 or 0,1, or 'all': one run on each at a time",
    )
    common.add_execution(parser)


def _add_changes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        default="data",
        metavar="DIR",
        help="folder with cifar10, cifar100, mnist ... (default: data)",
    )
    parser.add_argument(
        "--scale",
        type=float,
        default=1,
        metavar="S",
        help="shorten the whole schedule to this share of its iterations; the result is marked",
    )
    parser.add_argument(
        "--replicas", type=int, default=0, metavar="N", help="instead of the paper's 8; the result is marked"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="another value of a solver field, batch_size, dropout or moving_average_fraction; the result is marked",
    )
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="runs of each, with seeds 1 to N (default: 1)"
    )


def run(args: argparse.Namespace) -> int:
    for name in ("jobs", "seeds"):
        if (given := getattr(args, name, None)) is not None and given < 1:
            raise UsageError(f"--{name} {given} is below 1")
    if getattr(args, "replicas", 0) < 0:
        raise UsageError(f"--replicas {args.replicas} is below 1")
    action = {
        "list": _list, "show": _show, "run": _run, "report": _report, "figure": _figure, "adopt": _adopt, "grid": _grid,
    }[args.action]  # fmt: skip
    return action(args)


def _list(args: argparse.Namespace) -> int:
    from caffe_compat.experiments import catalogue
    from caffe_compat.experiments.tables import table

    rows = []
    for row in catalogue.select(args.names or ["all"]):
        data = f"{row.data}:{row.train}" if row.train else row.data
        published = ["" if value is None else f"{value:.2f}" for value in (row.paper, row.log)]
        about = f"the run of {row.like}" if row.like else row.about
        rows.append(
            [row.id, row.net, data, f"{row.solver['max_iter']:,}", str(row.replicas), *published, about]
        )
    print(table(["id", "net", "data", "iterations", "replicas", "paper %", "log %", "what"], rows))
    if not args.names:
        print(f"figures: {', '.join(catalogue.FIGURES)}\ntables: {', '.join(catalogue.TABLES)}")
    return 0


def _pairs(words: Sequence[str], option: str, form: str, example: str) -> Iterator[tuple[str, str]]:
    """The two sides of each NAME=VALUE; UsageError for what is none."""
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"{option} '{word}' is not {form}; write, say, {example}")
        yield name, value


def _changes(args: argparse.Namespace) -> Changes:
    from caffe_compat.experiments.prepare import Changes

    given = _pairs(args.set, "--set", "FIELD=VALUE", "test_iter=80")
    setting = {name.strip(): value.strip() for name, value in given}
    return Changes(args.scale, args.replicas, setting, getattr(args, "precision", "fp32"))


def _show(args: argparse.Namespace) -> int:
    from caffe_compat.experiments import catalogue
    from caffe_compat.experiments.prepare import batch_size, prepare
    from caffe_compat.proto.text import to_text

    row = catalogue.select([args.id])[0]
    of = catalogue.run_of(row)
    changes = _changes(args)
    solver, net = prepare(of, changes, 1, args.data)
    dataset = catalogue.DATASETS[of.data]
    folder = str(Path(args.data, dataset.folder(of.train)))
    replicas = changes.replicas or of.replicas
    print(f"{row.id}: {row.about}" if row.about else row.id)
    if row.like:
        print(f"the run of {row.like}, under another name")
    what = f"prototxt/{of.net}.prototxt, batch {batch_size(net)} on each of {replicas} replica{'s' * (replicas > 1)}"
    if any(layer.type == "BatchNorm" for layer in net.layer):
        what += f", moving_average_fraction {of.fraction:g}"
    print(f"net: {what}")
    print(f"data: {folder}   ({dataset.command(folder, of.train)})")
    for name, value in (("paper", row.paper), ("published log", row.log), ("best in that log", row.best)):
        if value is not None:
            print(f"{name}: {value:.2f} %")
    if row.published:
        print(f"the authors' log: {row.published}")
    print(f"run: caffe-compat experiment run {row.id}\n\nsolver:\n{to_text(solver)}", end="")
    return 0


def _slots(args: argparse.Namespace) -> list[str]:
    """The GPU id of each run that may go on at a time; '' for the CPU."""

    def count() -> int:
        import torch

        return torch.cuda.device_count()

    ids = common.gpu_ids(args.gpu, count)
    if args.gpu and not ids:
        raise UsageError("--gpu all: there is no CUDA device here; leave --gpu out to use the CPU")
    return ([str(id) for id in ids] if ids else [""]) * (args.jobs or 1)


def _room(args: argparse.Namespace) -> Callable[[Sequence[str]], str | None]:
    """What finds room for one more run on a GPU, unless --jobs says how many there are."""
    from caffe_compat.experiments.sharing import Sharing

    if not args.gpu or args.jobs is not None:
        return lambda running: None
    if not find_spec("pynvml"):
        _say(
            "a GPU takes one run at a time: to see whether it has room for more needs the package nvidia-ml-py; "
            "install it with: pip install nvidia-ml-py"
        )
    return Sharing().room


def _run(args: argparse.Namespace) -> int:
    from caffe_compat.experiments import catalogue

    rows = {row.id: row for row in map(catalogue.run_of, catalogue.select(args.names))}
    from caffe_compat.experiments import runner  # once the names are known to be good: it takes a while
    from caffe_compat.experiments.prepare import prepare, require_data
    from caffe_compat.experiments.results import data_text

    changes, slots, options = _changes(args), _slots(args), common.execution_words(args)
    jobs: list[Job] = []
    for row in rows.values():
        replicas = changes.replicas or row.replicas
        label = changes.label(row.replicas)
        for seed in range(1, args.seeds + 1):
            solver, net = prepare(row, changes, seed, args.data)
            folder = Path(args.out, row.id, label, f"seed-{seed}")
            if not (folder / "result.json").exists():
                require_data(row, net, args.data)
            known = {
                "id": row.id, "label": label, "seed": seed, "net": row.net, "replicas": replicas,
                "data": data_text(row, args.data_note),
            }  # fmt: skip
            jobs.append(runner.Job(folder, solver, net, known, replicas, row.estimate, options=options))
    outcomes = runner.run_jobs(jobs, slots, _say, _room(args))
    return _conclude(outcomes, f"caffe-compat experiment report --out {args.out}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _conclude(outcomes: Sequence[Outcome], next_step: str) -> int:
    failed = [outcome for outcome in outcomes if outcome.result is None]
    skipped = sum(outcome.skipped for outcome in outcomes)
    _say(f"{len(outcomes) - len(failed)} of {len(outcomes)} finished ({skipped} before); next: {next_step}")
    if failed:
        many = f"{len(failed)} of {len(outcomes)} runs are not finished, the first: "
        raise CaffeError(f"{many if len(failed) > 1 else ''}{failed[0].job.name}: {failed[0].problem}")
    return 0


def _report(args: argparse.Namespace) -> int:
    from caffe_compat.experiments import catalogue, results
    from caffe_compat.experiments.tables import table

    found = [result for _, result in results.read_all(Path(args.out))]
    ids = [row.id for row in catalogue.select(args.names)] if args.names else []
    lines = results.lines(found, ids)
    if not lines:
        raise CaffeError(
            f"{args.out} holds no result{' of these' * bool(found)}; make one with caffe-compat experiment run ID"
        )
    print(table(results.COLUMNS, [results.cells(line) for line in lines], args.markdown))
    missing = [id for id in ids if id not in {line.id for line in lines}]
    if missing:
        print(f"not run: {', '.join(missing)}", file=sys.stderr)
    if args.plot:
        from caffe_compat.log.plot import plot_points

        shown = [line for line in lines if line.final is not None]
        names = [line.id if line.label == "full" else f"{line.id} ({line.label})" for line in shown]
        measured = [(line.final or 0.0, line.deviation or 0.0) for line in shown]
        published = [None if line.published is None else (line.published, 0.0) for line in shown]
        plot_points(args.plot, names, {"measured": measured, "published": published}, "test accuracy, %")
        print(args.plot, file=sys.stderr)
    return 0


def _figure(args: argparse.Namespace) -> int:
    from caffe_compat.experiments import figures

    logs = {id: Path(path) for id, path in _pairs(args.logs, "--logs", "ID=FILE", "fig1a-clr=train.log")}
    published = Path(args.published) if args.published else None
    for line in figures.draw(args.figure, args.out, Path(args.runs), published, logs):
        print(line, file=sys.stderr)
    print(args.out)
    return 0


def _adopt(args: argparse.Namespace) -> int:
    from caffe_compat.experiments import catalogue, results

    row = catalogue.select([args.id])[0]
    for log in args.log:
        folder = results.adopt(
            row, Path(log), Path(args.out), _changes(args), args.data_note, args.seed, args.machine
        )
        print(folder)
    return 0


def _grid(args: argparse.Namespace) -> int:
    from caffe_compat.experiments import grid, runner
    from caffe_compat.proto import TRAINING_NETS, text

    given = {axis: getattr(args, axis).split(",") for axis in _AXES if getattr(args, axis)}
    for one in args.vary:
        name, equals, values = one.partition("=")
        if not equals:
            raise UsageError(f"--vary '{one}' is not FIELD=A,B; write, say, stepsize=100,200")
        given[name] = values.split(",")
    axes = {name: list(dict.fromkeys(values)) for name, values in given.items()}
    solver_file = common.locate(args.root, args.solver)
    solver = text.read_solver(solver_file)
    net_file = args.net or solver.net or solver.train_net
    if not net_file:
        raise UsageError(f"{solver_file} names no net in its field `net`; give one with --net")
    for field in TRAINING_NETS:  # the runs' own files take their place
        solver.ClearField(field)
    net = text.read_net(common.resolve(args.root, net_file))
    if args.iterations is not None and not 0 < args.iterations <= solver.max_iter:
        raise UsageError(
            f"--iterations {args.iterations} must be from 1 to the solver's max_iter, {solver.max_iter}"
        )
    scale = args.iterations / solver.max_iter if args.iterations else 1
    name = args.name or f"grid-{Path(args.solver).stem}"
    jobs = grid.jobs(
        solver, net, axes, Path(args.out), name, scale, args.replicas, args.seeds, args.root, args.precision,
        common.execution_words(args),
    )  # fmt: skip
    outcomes = runner.run_jobs(jobs, _slots(args), _say, _room(args))
    print(grid.ranked(outcomes, axes))
    return _conclude(outcomes, "train the best in full")
