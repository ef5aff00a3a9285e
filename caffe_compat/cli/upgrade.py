"""`caffe-compat upgrade`: old net, solver and caffemodel files written anew in today's form."""

import argparse

from caffe_compat.cli import common

HELP = "rewrite an old net, solver or caffemodel in today's form"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "kind", choices=("net", "solver", "binary"), help="a prototxt, or a binary caffemodel"
    )
    parser.add_argument("input", metavar="IN", help="the file to read")
    parser.add_argument("output", metavar="OUT", help="the file to write; may be IN itself")
    parser.add_argument(
        "--half",
        action="store_true",
        help="store the weights of a caffemodel as float16 (raw_data), as NVIDIA's Caffe and OpenCV read them",
    )
    common.add_ignore_unknown(parser)


def run(args: argparse.Namespace) -> int:
    """As Caffe's three upgrade tools: the file is written in any case, and 1 says that something was dropped."""
    from caffe_compat.errors import ParseError, UsageError
    from caffe_compat.log.write import Log
    from caffe_compat.proto import NetParameter, SolverParameter, binary, text, upgrade

    if args.half and args.kind != "binary":
        raise UsageError(
            f"--half is for the weights of a caffemodel; leave it out, or give binary, not {args.kind}"
        )
    log = Log()
    dropped: list[str] = []
    message: NetParameter | SolverParameter
    if args.kind == "solver":
        message = solver = text.parse_file(args.input, SolverParameter, args.ignore_unknown, log)
        done = upgrade.upgrade_solver(solver, args.input, log)
    else:
        if args.kind == "binary":
            message = net = binary.read(args.input, NetParameter)
        else:
            message = net = text.parse_file(args.input, NetParameter, args.ignore_unknown, log)
        done = upgrade.upgrade_net(net, args.input, log, dropped=dropped)
    if not done:
        log.error(f"File already in latest proto format: {args.input}")
    if args.half:
        for layer in net.layer:
            try:
                too_large = binary.halve(layer)
            except ParseError as error:
                raise ParseError(f"{args.input}: {error}") from error
            for name in too_large:
                log.warning(f"{args.input}: {name} has values beyond float16's 65504; it stays as it is")
    if args.kind == "binary":
        binary.write_message(args.output, message)
    else:
        binary.write_atomic(args.output, text.to_text(message).encode())
    form = "binary" if args.kind == "binary" else "text"
    log.info(f"Wrote upgraded {message.DESCRIPTOR.name} {form} proto to {args.output}")
    return 1 if dropped else 0
