"""`caffe-compat extract-features`: what blobs of a net hold for its data, as databases."""

import argparse
import os

from caffe_compat.cli import common
from caffe_compat.errors import UsageError, some

HELP = "store a net's features (any blobs, for all its data) in an LMDB or LevelDB"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("weights", metavar="WEIGHTS", help="trained weights, a caffemodel")
    parser.add_argument(
        "model", metavar="NET", help="the net, a prototxt with a data layer for the TEST phase"
    )
    parser.add_argument("blobs", metavar="BLOB[,BLOB]", help="the blobs to store, such as fc7,prob")
    parser.add_argument("databases", metavar="DB[,DB]", help="the folders to make, one a blob")
    parser.add_argument("batches", type=int, metavar="BATCHES", help="how many batches to run")
    parser.add_argument("backend", choices=("lmdb", "leveldb"), help="what to write")
    parser.add_argument(
        "device", nargs="*", metavar="CPU|GPU [ID]", help="where to run, as for Caffe's tool (or --gpu)"
    )
    parser.add_argument("--force", action="store_true", help="replace what is there already")
    common.add_running(parser, phase=False)


def run(args: argparse.Namespace) -> int:
    """As Caffe's extract_features; items are numbered through, and data that end within a batch begin again."""
    blobs, databases = args.blobs.split(","), args.databases.split(",")
    if len(blobs) != len(databases):
        raise UsageError(f"{len(blobs)} blob(s) and {len(databases)} database(s); give one database a blob")
    if len(set(map(os.path.normpath, databases))) < len(databases):
        raise UsageError(f"'{args.databases}' names a database twice; give each blob its own")
    if args.batches < 1:
        raise UsageError(f"BATCHES is {args.batches} and must be 1 or more")
    args.gpu = args.gpu or _gpu(args.device)
    common.load_torch()
    from contextlib import ExitStack

    import torch

    from caffe_compat.cli.models import build_net
    from caffe_compat.data import leveldb, lmdb
    from caffe_compat.data.base import Writer
    from caffe_compat.data.records import serialize_features
    from caffe_compat.data.stage import stage
    from caffe_compat.errors import NetError, nearest
    from caffe_compat.log.commands import CommandLog
    from caffe_compat.log.write import WARNING
    from caffe_compat.net import weights
    from caffe_compat.proto import TEST

    log = CommandLog(level=WARNING)  # Caffe's tool shows errors alone, and tells its progress in such
    net = build_net(args, "extract_features", TEST, log)
    net.observed = True
    weights.copy_trained_layers_from(net, common.locate(args.root, args.weights))
    for blob in blobs:
        if blob not in net.blob_shapes:
            raise NetError(
                f"{args.model}: the net has no blob '{blob}'{nearest(blob, net.blob_shapes) or ';'} "
                f"its blobs: {some(net.blob_names, blob)}"
            )
        if len(net.blob_shapes[blob]) > 4:
            raise NetError(
                f"{args.model}: blob '{blob}' has {len(net.blob_shapes[blob])} axes {net.blob_shapes[blob]} and "
                "a Datum holds items of channels, height and width; Flatten or Reshape it first"
            )
    create: type[Writer] = lmdb.Writer if args.backend == "lmdb" else leveldb.Writer
    with ExitStack() as stack, torch.no_grad():
        writers: list[Writer] = []
        for path in databases:
            folder, name = os.path.split(os.path.normpath(path))
            temporary = stack.enter_context(stage(folder, [name], args.force))
            writers.append(create(os.path.join(temporary, name)))
            stack.enter_context(writers[-1])
        log.features_begin()
        for _ in range(args.batches):
            net.forward()
            for blob, writer in zip(blobs, writers, strict=True):
                for datum in serialize_features(net.layerwise.data(blob).cpu().numpy()):
                    writer.put(b"%010d" % writer.count, datum)
                    if writer.count % 1000 == 0:
                        log.features(writer.count, blob)
        for blob, writer in zip(blobs, writers, strict=True):
            log.features(writer.count, blob, done=True)
    log.features_end()
    return 0


def _gpu(words: list[str]) -> str:
    """`--gpu` of Caffe's last arguments: nothing or CPU, or GPU and an id."""
    if not words or words == ["CPU"]:
        return ""
    if words[0] != "GPU" or len(words) > 2:
        raise UsageError(f"'{' '.join(words)}' is not CPU, GPU or GPU and a device id")
    return words[1] if len(words) == 2 else "0"
