"""`caffe-compat time`: how long each layer of a net takes, forward and backward."""

import argparse

from caffe_compat.cli import common
from caffe_compat.errors import UsageError

HELP = "time a model layer by layer"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_model_options(parser)
    parser.add_argument(
        "--iterations", type=int, default=50, metavar="N", help="passes to average (default: 50)"
    )


def run(args: argparse.Namespace) -> int:
    import time

    common.load_torch()
    import torch

    from caffe_compat.cli.models import build_net
    from caffe_compat.log.commands import CommandLog
    from caffe_compat.proto import TRAIN

    if args.iterations < 1:
        raise UsageError(f"--iterations {args.iterations} is below 1")
    log = CommandLog()
    net = build_net(args, "time", TRAIN, log)
    device = net.device
    runner = net.layerwise

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() * 1000

    log.timing_forward()
    log.timing_backward(runner.forward().item())
    runner.backward()
    log.timing_begins(args.iterations)
    count = len(net.layers)
    spent = {"forward": [0.0] * count, "backward": [0.0] * count}
    began = [0.0]

    def start(_: int) -> None:
        began[0] = now()

    runner.before_forward.append(start)
    runner.before_backward.append(start)
    for way, hooks in (("forward", runner.after_forward), ("backward", runner.after_backward)):
        hooks.append(lambda i, way=way: spent[way].__setitem__(i, spent[way][i] + now() - began[0]))

    total_began, forward, backward = now(), 0.0, 0.0
    for iteration in range(args.iterations):
        a = now()
        runner.forward()
        b = now()
        runner.backward()
        c = now()
        forward, backward = forward + b - a, backward + c - b
        log.timing_iteration(iteration, c - a)
    total, n = now() - total_began, args.iterations
    log.timing_ends(
        [
            (name, f / n, b / n)
            for name, f, b in zip(net.layer_names, spent["forward"], spent["backward"], strict=True)
        ],
        forward / n,
        backward / n,
        total / n,
        total,
    )
    return 0
