"""The nets of commands that do not train: of `--model`, and of NET for those that only look."""

import argparse

from caffe_compat.cli import common
from caffe_compat.cli.devices import choose_device
from caffe_compat.cli.overrides import apply_overrides
from caffe_compat.errors import SolverError
from caffe_compat.inspect.outline import Outline, copy_of, sources, state_of
from caffe_compat.layers.base import Context
from caffe_compat.log.commands import CommandLog
from caffe_compat.log.write import Log
from caffe_compat.net.memory import keep_freed_memory
from caffe_compat.net.net import Net
from caffe_compat.proto import TRAIN, NetParameter, Phase, SolverParameter, text
from caffe_compat.proto.text import Reader


def build_net(args: argparse.Namespace, command: str, phase: int, log: CommandLog) -> Net:
    """The net that `common.add_model_options` describe, in `--phase` or else `phase`, on the device they choose."""
    common.allow_code(args)
    keep_freed_memory()
    device = choose_device(args.gpu, None, log, command)
    param = Reader(args.root, args.ignore_unknown, log).net(common.locate(args.root, args.model))
    apply_overrides(None, param, args.set, log)
    param.state.phase = Phase.Value(args.phase) if args.phase else phase
    param.state.level = args.level
    param.state.stage.extend(common.stages(args.stage))
    context = Context(root=args.root, ignore_unknown=args.ignore_unknown)
    net = Net(param, context=context, log=log, device=device)
    net.execution = common.execution(args)
    return net


def outline_net(args: argparse.Namespace, log: Log) -> Outline:
    """The shapes of the net that `common.add_look_options` describe, in `--phase` or else TRAIN."""
    common.allow_code(args)
    param = find_net(args, log)
    return Outline(
        param, inputs=common.shapes(args.input), reader=Reader(args.root, args.ignore_unknown, log)
    )


def find_net(args: argparse.Namespace, log: Log) -> NetParameter:
    """The NetParameter of NET, or of the solver that NET is, with its state."""
    phase = Phase.Value(args.phase) if args.phase else TRAIN
    reader, path = Reader(args.root, args.ignore_unknown, log), common.locate(args.root, args.net)
    param = reader.read(path)
    if isinstance(param, SolverParameter):
        solver = param
        found = sources(solver, phase)
        if not found:
            raise SolverError(
                f"{path}: the solver names no net for the phase {Phase.Name(phase)}; give a net"
            )
        net = found[0]
        if isinstance(net, str):
            path = common.resolve(args.root, net)
            net = text.named_by(solver, net, path, reader.net)
        param = copy_of(net, state_of(solver, net, phase))
    apply_overrides(None, param, args.set, log)
    param.state.phase = phase
    param.state.level = args.level or param.state.level
    if args.stage:
        param.state.stage.extend(common.stages(args.stage))
    return param
