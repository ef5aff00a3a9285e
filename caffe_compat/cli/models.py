"""The net of `--model`, for commands without a solver."""

import argparse
from typing import Any

from caffe_compat.cli import common
from caffe_compat.cli.devices import choose_device
from caffe_compat.cli.overrides import apply_overrides
from caffe_compat.layers.base import Context
from caffe_compat.net.net import Net
from caffe_compat.proto import Phase, text


def build_net(args: argparse.Namespace, command: str, phase: int, log: Any) -> Net:
    """The net that `common.add_model_options` describe, in `--phase` or else `phase`, on the device they choose."""
    common.set_python_layers(args.allow_python_layers)
    common.import_modules(args.imports)
    common.keep_freed_memory()
    device = choose_device(args.gpu, None, log, command)
    param = text.read_net(common.locate(args.root, args.model), log, args.ignore_unknown)
    apply_overrides(None, param, args.set, log)
    param.state.phase = Phase.Value(args.phase) if args.phase else phase
    param.state.level = args.level
    param.state.stage.extend(common.stages(args.stage))
    context = Context(root=args.root, ignore_unknown=args.ignore_unknown)
    return Net(param, context=context, log=log, device=device)
