"""`caffe-compat train`: train a net as its solver prototxt says."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from caffe_compat.cli import common
from caffe_compat.errors import CaffeError, ParseError, UsageError, from_where

if TYPE_CHECKING:
    from caffe_compat.log.write import Log
    from caffe_compat.net.execution import Execution
    from caffe_compat.net.net import Net
    from caffe_compat.proto import NetParameter, SolverParameter
    from caffe_compat.proto.text import Reader
    from caffe_compat.solver import parallel
    from caffe_compat.solver.solver import Solver

HELP = "train or finetune a model from a solver prototxt"

_EFFECTS = ("stop", "snapshot", "none")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--solver", required=True, metavar="FILE", help="the solver, a prototxt")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--snapshot", metavar="FILE", help="a solverstate to resume from")
    start.add_argument("--weights", metavar="FILES", help="caffemodels to finetune from, separated by commas")
    parser.add_argument(
        "--iterations",
        type=int,
        metavar="N",
        help="stop after N iterations of this run, on the solver's own schedule",
    )
    parser.add_argument(
        "--sigint_effect",
        choices=_EFFECTS,
        default="stop",
        help="what Ctrl-C does (default: stop, with a snapshot)",
    )
    parser.add_argument(
        "--sighup_effect",
        choices=_EFFECTS,
        default="snapshot",
        help="what a hang-up does (default: snapshot)",
    )
    parser.add_argument(
        "--resume-data",
        choices=("continue", "restart"),
        default="continue",
        help="with --snapshot: go on at the record where the run stood (default), or at record 0 as Caffe does",
    )
    common.add_gpu(parser)
    common.add_execution(parser)
    parser.add_argument(
        "--replicas",
        type=int,
        metavar="N",
        help="train as N GPUs would, on as many devices as there are: batch_size is each replica's (default: one a "
        "device)",
    )
    common.add_state(parser)
    common.add_net(parser)
    common.add_building(parser)
    common.add_set(parser)


def run(args: argparse.Namespace, prepare: Callable[[Solver], None] = lambda solver: None) -> int:
    """Train. In a single process, `prepare` gets the Solver, restored if a snapshot is given, before it starts."""
    if args.phase == "TEST":
        raise UsageError(
            "train runs the TRAIN phase; to score a net use: caffe-compat test --model NET --weights FILE"
        )
    if args.iterations is not None and args.iterations < 0:
        raise UsageError(f"--iterations {args.iterations} is below 0")
    if args.replicas is not None and args.replicas < 1:
        raise UsageError(f"--replicas {args.replicas} is below 1")
    common.load_torch()
    from caffe_compat.cli.devices import processes_to_start
    from caffe_compat.solver import launch, parallel

    count = processes_to_start(args.gpu)
    if count:
        return launch.launch(functools.partial(_run_rank, args), count)
    if parallel.world_size() == 1:
        return _train(args, None, prepare)
    with parallel.join() as group:
        return _train(args, group, prepare)


def _run_rank(args: argparse.Namespace) -> int:
    """What each of several processes that this command starts runs."""
    from caffe_compat.cli import guarded

    return guarded(lambda: run(args))


def _train(args: argparse.Namespace, group: parallel.Group | None, prepare: Callable[[Solver], None]) -> int:
    from caffe_compat.cli.devices import choose_device
    from caffe_compat.cli.overrides import apply_overrides
    from caffe_compat.log.commands import CommandLog
    from caffe_compat.log.write import INFO, OFF
    from caffe_compat.net.memory import keep_freed_memory
    from caffe_compat.proto import TRAINING_NETS
    from caffe_compat.proto.text import Reader
    from caffe_compat.proto.upgrade import fill_snapshot_prefix
    from caffe_compat.solver.solver import Solver

    common.allow_code(args)
    keep_freed_memory()
    log = CommandLog(outlive_reader=True, level=INFO if group is None or group.rank == 0 else OFF)
    reader, solver_file = Reader(args.root, args.ignore_unknown, log), common.locate(args.root, args.solver)
    param = reader.solver(solver_file)
    if args.net:
        path = common.resolve(args.root, args.net)
        if not os.path.exists(path):
            raise ParseError(f"--net {path} cannot be read: no such file{from_where(path)}; check the path")
        for field in TRAINING_NETS:
            param.ClearField(field)
        param.net = args.net
    nets = _Nets(param, reader)
    prefix = param.snapshot_prefix
    apply_overrides(param, nets.all() if args.set else [], args.set, log)
    if param.snapshot_prefix != prefix:
        fill_snapshot_prefix(param, solver_file, log, args.root)
    param.train_state.level = args.level
    param.train_state.stage.extend(common.stages(args.stage))
    if args.snapshot:
        param.ClearField("weights")
    elif args.weights:
        param.ClearField("weights")
        param.weights.append(args.weights)

    device = choose_device(args.gpu, param, log)
    if group:
        group.connect(device)
    signals = _Signals({signal.SIGINT: args.sigint_effect, signal.SIGHUP: args.sighup_effect}, log)
    with signals:
        solver = Solver(
            param,
            root=args.root,
            device=device,
            log=log,
            read_net=nets.read,
            replicas=args.replicas or 0,
            group=group,
            resume_data=args.resume_data,
            ignore_unknown=args.ignore_unknown,
            execution=functools.partial(_execution, args, param),
            action=signals.take,
        )
        if args.snapshot:
            log.resuming(args.snapshot)
            solver.restore(args.snapshot)
        prepare(solver)
        log.starting()
        with _naming_what_to_lower(solver):
            solver.solve(iterations=args.iterations)
    log.command_done()
    return 141 if log.reader_gone else 0  # as of any command


@contextlib.contextmanager
def _naming_what_to_lower(solver: Solver) -> Iterator[None]:
    """Within it an error for lack of memory names batch_size and replicas, and what of the run is kept."""
    from caffe_compat.cli import lacks_memory

    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        net, what = solver.net, str(error).partition("\n")[0] or "there is no more"
        batch = max(
            (shape[0] for layer in net.data_layers() for shape in layer.reshape()[:1] if shape), default=0
        )
        replicas = len(net.context.held)
        lower = f"batch_size {batch}" + (f" and {replicas} replicas in this process" if replicas > 1 else "")
        kept = (
            f"go on with --snapshot {solver.snapshots.last}"
            if solver.snapshots.last
            else "no snapshot was made yet"
        )
        raise CaffeError(
            f"out of memory in iteration {solver.iter}: {what}; lower {lower}, which iter_size makes up for; {kept}"
        ) from error


def _execution(args: argparse.Namespace, param: SolverParameter, net: Net) -> Execution:
    """What the options say, and what `--compile auto` comes to for this training net."""
    from caffe_compat.inspect import costs

    chosen = common.execution(args)
    iterations = min(param.max_iter, args.iterations or param.max_iter) * param.iter_size
    work = costs.of_net(net) * len(net.context.held) * iterations
    return chosen.for_training(work, net.device) if net.compilable else chosen


class _Nets:
    """The net files of a solver, each read once, so that --set can change them before they are used."""

    def __init__(self, param: SolverParameter, reader: Reader):
        self._param = param
        self._reader = reader
        self._files: dict[str, NetParameter] = {}

    def all(self) -> list[NetParameter]:
        """Every net the solver names, parsed; nets inside the solver are themselves."""
        param = self._param
        names = [getattr(param, field) for field in ("net", "train_net") if param.HasField(field)]
        inside = [
            getattr(param, field) for field in ("net_param", "train_net_param") if param.HasField(field)
        ]
        return [self._file(name) for name in [*names, *param.test_net]] + inside + list(param.test_net_param)

    def _file(self, name: str) -> NetParameter:
        from caffe_compat.log.write import NULL
        from caffe_compat.proto import text

        path = common.resolve(self._reader.root, name)
        if path not in self._files:
            # `read` logs what reading it upgrades, in its turn
            self._files[path] = text.named_by(self._param, name, path, self._reader._replace(log=NULL).net)
        return self._files[path]

    def read(self, path: str, log: Log) -> NetParameter:
        """What Solver calls: the net of `path` as --set left it; logs what reading it upgraded."""
        net = self._reader._replace(log=log).net(path)
        return self._files.get(path, net)


class _Signals:
    """Turns signals into the actions a Solver asks for.

    A log that nobody reads any more stops the run, with a snapshot. Ctrl-C ends a `| tee` too, and before us.
    """

    def __init__(self, effects: dict[int, str], log: Log):
        self._effects = effects
        self._log = log
        self._asked: list[str] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number, effect in self._effects.items():
            self._before[number] = signal.signal(
                number, lambda _n, _f, effect=effect: self._asked.append(effect)
            )

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def take(self) -> str:
        """The next action asked for since the last call, or "none". Asking twice counts once, as in Caffe."""
        if not self._asked:
            return "stop" if self._log.reader_gone else "none"
        action = self._asked[0]
        self._asked = [other for other in self._asked if other != action]
        return action
