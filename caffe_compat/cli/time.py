"""`caffe-compat time`: how long each layer of a net takes, forward and backward."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from caffe_compat.cli import common
from caffe_compat.errors import UsageError

if TYPE_CHECKING:
    import torch

    from caffe_compat.log.commands import CommandLog
    from caffe_compat.net.net import Net

HELP = "time a model layer by layer"

_BEFORE = 5  # passes of the whole net until it is compiled and recorded


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_model_options(parser)
    parser.add_argument(
        "--iterations", type=int, default=50, metavar="N", help="passes to average (default: 50)"
    )


def run(args: argparse.Namespace) -> int:
    """Caffe's `caffe time`; with a --compile other than auto also what the net takes as a whole, run so."""
    common.load_torch()
    from caffe_compat.cli.models import build_net
    from caffe_compat.log.commands import CommandLog
    from caffe_compat.proto import TRAIN

    if args.iterations < 1:
        raise UsageError(f"--iterations {args.iterations} is below 1")
    log = CommandLog()
    net = build_net(args, "time", TRAIN, log)
    _layers(net, args.iterations, log)
    if args.compile != "auto":
        _whole(net, args.iterations, log)
    return 0


def _layers(net: Net, iterations: int, log: CommandLog) -> None:
    runner, watch = net.layerwise, _Watch(net.device)
    log.timing_forward()
    log.timing_backward(runner.forward().item())
    runner.backward()
    log.timing_begins(iterations)
    marks: dict[str, list[Any]] = {"forward": [], "backward": []}
    for way, before, after in (
        ("forward", runner.before_forward, runner.after_forward),
        ("backward", runner.before_backward, runner.after_backward),
    ):
        before.append(lambda i, way=way: marks[way].append((i, watch.now())))
        after.append(lambda i, way=way: marks[way].append((i, watch.now())))
    count = len(net.layers)
    spent = {"forward": [0.0] * count, "backward": [0.0] * count}
    total_began, forward, backward = time.perf_counter(), 0.0, 0.0
    for iteration in range(iterations):
        a = watch.now()
        runner.forward()
        b = watch.now()
        runner.backward()
        c = watch.now()
        forward, backward = forward + watch.between(a, b), backward + watch.between(b, c)
        for way, told in marks.items():
            for (i, began), (_, ended) in zip(told[::2], told[1::2], strict=True):
                spent[way][i] += watch.between(began, ended)
            told.clear()
        log.timing_iteration(iteration, watch.between(a, c))
    total, n = 1000 * (time.perf_counter() - total_began), iterations
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


def _whole(net: Net, iterations: int, log: CommandLog) -> None:
    """How long the pass of a training step takes, which does not stop at each layer."""
    if not net.compilable:
        log.info("this net runs layer by layer in training, too")
        return
    watch = _Watch(net.device)
    for _ in range(_BEFORE):
        net.clear_param_diffs()
        net.forward_backward()
    began = watch.now()
    for _ in range(iterations):
        net.clear_param_diffs()
        net.forward_backward()
    ended = watch.now()
    milliseconds = watch.between(began, ended) / iterations
    log.info(f"Average Forward-Backward as a whole ({net.describe_execution()}): {milliseconds:.6g} ms.")


class _Watch:
    """Tells the milliseconds between two places of a program; on a GPU it times the GPU, which works on meanwhile."""

    def __init__(self, device: torch.device):
        self._device = device

    def now(self) -> Any:
        if self._device.type != "cuda":
            return time.perf_counter()
        import torch

        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        return event

    def between(self, began: Any, ended: Any) -> float:
        """Waits for the GPU to come to `ended`."""
        if self._device.type != "cuda":
            return float(1000 * (ended - began))
        ended.synchronize()
        return float(began.elapsed_time(ended))
