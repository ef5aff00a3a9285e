"""`caffe-compat test`: score a trained net on its test data."""

import argparse

from caffe_compat.cli import common
from caffe_compat.errors import UsageError

HELP = "score a model: the mean of every output over some batches"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_model(parser)
    common.add_weights(parser, required=True)
    parser.add_argument(
        "--iterations", type=int, default=50, metavar="N", help="batches to average (default: 50)"
    )
    common.add_gpu(parser)
    common.add_state(parser)
    common.add_root(parser)
    common.add_python_layers(parser)
    common.add_set(parser)


def run(args: argparse.Namespace) -> int:
    import torch

    from caffe_compat.cli.devices import choose_device
    from caffe_compat.cli.overrides import apply_overrides
    from caffe_compat.layers.base import Context
    from caffe_compat.log.write import Log
    from caffe_compat.net import weights
    from caffe_compat.net.net import Net
    from caffe_compat.proto import TEST, TRAIN, text

    if args.iterations < 1:
        raise UsageError(f"--iterations {args.iterations} is below 1")
    common.set_python_layers(args.allow_python_layers)
    common.keep_freed_memory()
    log = Log()
    device = choose_device(args.gpu, None, log, "test")
    param = text.read_net(common.locate(args.root, args.model), log)
    apply_overrides(None, param, args.set, log)
    param.state.phase = TRAIN if args.phase == "TRAIN" else TEST
    param.state.level = args.level
    param.state.stage.extend(common.stages(args.stage))
    net = Net(param, context=Context(root=args.root), log=log, device=device)
    for name in args.weights.split(","):
        weights.copy_trained_layers_from(net, common.locate(args.root, name.strip()))
    log.test_iterations(args.iterations)

    loss = 0.0
    totals: dict[str, list[float]] = {}
    with torch.no_grad():
        for batch in range(args.iterations):
            batch_loss, outputs = net.forward()
            loss += batch_loss.item()
            for name, values in outputs.items():
                scores = values.reshape(-1).tolist()
                for score in scores:
                    log.batch(batch, name, score)
                totals[name] = [
                    a + b for a, b in zip(totals.get(name, [0.0] * len(scores)), scores, strict=True)
                ]
    log.scores(
        loss / args.iterations,
        [
            (name, [v / args.iterations for v in values], net.output_weights[name])
            for name, values in totals.items()
        ],
    )
    return 0
