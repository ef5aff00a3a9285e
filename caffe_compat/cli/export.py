"""`caffe-compat export`: a trained net as an ONNX file."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from caffe_compat.cli import common
from caffe_compat.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from caffe_compat.export.plan import Plan
    from caffe_compat.layers.base import Context, Layer, Shape
    from caffe_compat.log.write import Log
    from caffe_compat.net.net import Net
    from caffe_compat.proto import LayerParameter, NetParameter

HELP = "write a trained net as an ONNX file, checked against this package's own numbers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_model(parser, required=False)
    parser.add_argument("--solver", metavar="FILE", help="instead of --model: the TEST net of this solver")
    common.add_weights(parser, required=True)
    parser.add_argument("--onnx", required=True, metavar="FILE", help="the file to write")
    parser.add_argument(
        "--outputs",
        metavar="A,B",
        help="blobs to be the outputs; default: those nobody reads, losses left out. Nothing that they do not need is built",
    )
    parser.add_argument(
        "--inputs",
        action="append",
        default=[],
        metavar="A[=SHAPE],B",
        help="blobs to be the inputs, which may lie in the middle of the net, such as pool1 or pool1=1,8,7,7; the layers "
        "before them are not built",
    )
    parser.add_argument(
        "--opset",
        type=int,
        metavar="N",
        help="version of ONNX's operators, 13 to the newest that ONNX Runtime takes (default: 18)",
    )
    batch = parser.add_mutually_exclusive_group()
    batch.add_argument(
        "--dynamic-batch",
        action="store_true",
        default=None,
        help="fail if a layer fixes the batch size; the default leaves it open where it can be",
    )
    batch.add_argument(
        "--static-batch", dest="dynamic_batch", action="store_false", help="fix the batch size to the net's"
    )
    parser.add_argument(
        "--dynamic-size",
        action="store_true",
        help="leave the height and width of pictures open, and fail if a layer fixes them",
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="BLOB=SHAPE",
        help="the shape of an input, such as data=1,3,224,224, to do without the data; other inputs keep theirs; may be "
        "repeated",
    )
    parser.add_argument(
        "--constant",
        action="append",
        default=[],
        metavar="BLOB=X,Y",
        help="an input that is none in the file, and its numbers along the first axis, of which the last goes on to the end, "
        "such as cont=0,1 for the LSTM of one sequence; may be repeated",
    )
    parser.add_argument(
        "--preprocess",
        action="store_true",
        help="take uint8 pictures, with the mean and scale of the net's transform_param or of the options below inside",
    )
    parser.add_argument("--mean-file", default="", metavar="FILE", help="the mean picture, a binaryproto")
    parser.add_argument(
        "--mean-value", default="", metavar="B,G,R", help="the mean of each channel, or one for all"
    )
    parser.add_argument(
        "--scale", type=float, metavar="X", help="what pictures less the mean are multiplied by"
    )
    parser.add_argument(
        "--external-data",
        action="store_true",
        default=None,
        help="put the weights into FILE.data; done anyway if they are above 2 GB",
    )
    parser.add_argument("--no-check", action="store_true", help="do not run the file with ONNX Runtime")
    parser.add_argument(
        "--check-data",
        metavar="DB",
        help="also count on how many pictures of a database the top class agrees",
    )
    parser.add_argument("-n", type=int, default=1000, metavar="N", help="how many of these (default: 1000)")
    common.add_state(parser)
    common.add_building(parser)
    common.add_set(parser)


def run(args: argparse.Namespace) -> int:
    common.load_torch()
    from caffe_compat.cli.models import find_net
    from caffe_compat.export.check import agreement
    from caffe_compat.export.onnx import USUAL_OPSET, export_onnx
    from caffe_compat.export.preprocess import preprocess_of
    from caffe_compat.export.select import make_plan
    from caffe_compat.log.write import WARNING, Log
    from caffe_compat.net import weights

    if bool(args.model) == bool(args.solver):
        raise UsageError("give --model or --solver, one of them")
    if args.n < 1:
        raise UsageError(f"-n {args.n} is below 1")
    if args.mean_file and args.mean_value:
        raise UsageError("--mean-file and --mean-value are both given; keep one")
    common.allow_code(args)
    log = Log(progress=False, level=WARNING)
    args.net = args.model or args.solver
    args.phase = args.phase or "TEST"
    outputs = [name.strip() for name in args.outputs.split(",")] if args.outputs else None
    net, inputs = _build(find_net(args, log), args, outputs, log)
    constants = _constants(args.constant)
    plan = make_plan(net, outputs, inputs, constants)
    given = {**common.shapes(args.input), **common.starts(args.inputs)}
    held = [name for name in plan.inputs.values() if name not in given] if args.input else []
    files = [common.locate(args.root, name.strip()) for name in args.weights.split(",")]
    for file in files if any(len(layer.blobs) for layer in net.layers) else ():
        weights.copy_trained_layers_from(net, file)
    _check_complete(plan, files)
    scaling = preprocess_of(net, _located(args, args.mean_file), _numbers(args.mean_value), args.scale)
    report = export_onnx(
        net,
        args.onnx,
        outputs=outputs,
        inputs=inputs,
        constants=constants,
        opset=USUAL_OPSET if args.opset is None else args.opset,
        dynamic_batch=args.dynamic_batch,
        dynamic_size=args.dynamic_size,
        held=held,
        preprocess=scaling if args.preprocess else None,
        external_data=args.external_data,
        check=not args.no_check,
        sources=[common.locate(args.root, args.net), *files],
    )
    print(report)
    if args.check_data:
        database = common.locate(args.root, args.check_data)
        same, count = agreement(plan, args.onnx, database, args.n, scaling, args.preprocess)
        print(f"top-1 agreement on {database}: {same} of {count}")
    return 0


def _build(
    param: NetParameter, args: argparse.Namespace, outputs: list[str] | None, log: Log
) -> tuple[Net, list[str] | None]:
    """What is needed of the net, and the names of its inputs if they were chosen.

    Data layers whose shapes are given do not look at their data.
    """
    from caffe_compat.errors import NetError, nearest
    from caffe_compat.export.prune import prune
    from caffe_compat.inspect.outline import stand_in
    from caffe_compat.layers.base import Context
    from caffe_compat.layers.registry import create_layer
    from caffe_compat.net.net import Net

    given = common.shapes(args.input)
    named = common.starts(args.inputs)
    given.update({name: shape for name, shape in named.items() if shape is not None})
    given.update(_unknown_shapes(param, args, named, given, log))
    tops = [top for layer in param.layer for top in layer.top]
    for name in given:
        if name not in tops:
            raise NetError(f"--input {name}: the net has no such blob{nearest(name, tops)}")
    part = prune(param, outputs, given, args.ignore_unknown)
    read = {name for layer in part.layer for name in layer.bottom} | {*(outputs or ()), *named}

    def create(layer: LayerParameter, phase: int, context: Context, log: Log) -> Layer:
        found = None if layer.bottom else stand_in(layer, phase, context, given, [], log, read)
        return create_layer(layer, phase, context, log) if found is None else found

    context = Context(root=args.root, ignore_unknown=args.ignore_unknown)
    net = Net(part, context=context, log=log, create=create)
    return net, list(named) or None


def _unknown_shapes(
    param: NetParameter,
    args: argparse.Namespace,
    named: dict[str, Shape | None],
    given: dict[str, Shape],
    log: Log,
) -> dict[str, Shape]:
    """The shapes of inputs that --inputs only names, as the layers before them give them."""
    from caffe_compat.errors import CaffeError, NetError
    from caffe_compat.export.prune import prune
    from caffe_compat.inspect.outline import Outline
    from caffe_compat.proto.text import Reader

    unknown = [name for name, shape in named.items() if shape is None]
    if not unknown:
        return {}
    part = prune(param, unknown, {name: shape for name, shape in given.items() if name not in unknown})
    try:
        outline = Outline(part, inputs=_of(part, given), reader=Reader(args.root, args.ignore_unknown, log))
    except CaffeError as error:
        raise NetError(f"{error}; or give the shape: --inputs {unknown[0]}=N,C,H,W") from error
    return {name: shape for name, shape in outline.net.blob_shapes.items() if name in unknown}


def _of(param: NetParameter, given: dict[str, Shape]) -> dict[str, Shape]:
    """Those of the shapes that are of a net's blobs made by layers without bottoms."""
    tops = {top for layer in param.layer if not layer.bottom for top in layer.top}
    return {name: shape for name, shape in given.items() if name in tops}


def _check_complete(plan: Plan, files: list[str]) -> None:
    """Raise WeightsError if layers that go into the file have got no values."""
    from caffe_compat.net.weights import shapes_in

    layers = [plan.net.layers[i] for i in plan.layers if len(plan.net.layers[i].blobs)]
    found = {name for file in files for name in shapes_in(file)} if layers else set()
    missing = [layer for layer in layers if layer.name not in found]
    if missing:
        words = [
            f"'{layer.name}' {', '.join(str(tuple(blob.shape)) for blob in layer.blobs)}" for layer in missing
        ]
        more = f" and {len(words) - 5} more" if len(words) > 5 else ""
        raise WeightsError(
            f"{','.join(files)}: no values for {len(missing)} of the layers to export: {'; '.join(words[:5])}{more}; "
            "give the file that has them, too (--weights a,b), or outputs that do without them"
        )


def _constants(words: list[str]) -> dict[str, tuple[float, ...]]:
    found = {}
    for word in words:
        blob, _, numbers = word.rpartition("=")
        try:
            found[blob] = tuple(float(number) for number in numbers.split(","))
        except ValueError:
            found[""] = ()
        if "" in found:
            raise UsageError(f"--constant '{word}' is not BLOB=NUMBERS; write, say, cont=0,1")
    return found


def _located(args: argparse.Namespace, path: str) -> str:
    return common.locate(args.root, path) if path else ""


def _numbers(words: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in words.split(",")) if words else ()
    except ValueError as error:
        raise UsageError(f"--mean-value '{words}' is not numbers such as 104,117,123") from error
