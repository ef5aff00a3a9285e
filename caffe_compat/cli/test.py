"""`caffe-compat test`: score a trained net on its test data."""

import argparse

from caffe_compat.cli import common
from caffe_compat.errors import DataError, UsageError

HELP = "score a model: the mean of every output over some batches"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_model_options(parser)
    common.add_weights(parser, required=True)
    parser.add_argument(
        "--iterations", type=int, default=50, metavar="N", help="batches to average (default: 50)"
    )


def run(args: argparse.Namespace) -> int:
    common.load_torch()
    import torch

    from caffe_compat.cli.models import build_net
    from caffe_compat.log.commands import CommandLog
    from caffe_compat.net import weights
    from caffe_compat.proto import TEST

    if args.iterations < 1:
        raise UsageError(f"--iterations {args.iterations} is below 1")
    log = CommandLog()
    net = build_net(args, "test", TEST, log)
    for name in args.weights.split(","):
        weights.copy_trained_layers_from(net, common.locate(args.root, name.strip()))
    log.test_iterations(args.iterations)

    loss = 0.0
    totals: dict[str, list[float]] = {}
    with torch.no_grad(), net.steady():
        for batch in range(args.iterations):
            batch_loss, outputs = net.forward()
            loss += batch_loss.item()
            for name, values in outputs.items():
                scores = values.reshape(-1).tolist()
                for score in scores:
                    log.batch(batch, name, score)
                total = totals.setdefault(name, [0.0] * len(scores))
                if len(total) != len(scores):
                    raise DataError(
                        f"output {name!r} has {len(scores)} values in batch {batch} and had {len(total)}, which have no "
                        'mean; DetectionEvaluate is summed up by train, with eval_type: "detection" in the solver'
                    )
                totals[name] = [a + b for a, b in zip(total, scores, strict=True)]
    net.verify()
    log.scores(
        loss / args.iterations,
        [
            (name, [v / args.iterations for v in values], net.output_weights[name])
            for name, values in totals.items()
        ],
    )
    return 0
