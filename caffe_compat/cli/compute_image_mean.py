"""`caffe-compat compute-image-mean`: the mean picture of a database."""

import argparse

HELP = "compute the mean picture of an LMDB or LevelDB, for mean_file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--backend", choices=("lmdb", "leveldb"), default="lmdb", help="what INPUT_DB is (default: lmdb)"
    )
    parser.add_argument("input_db", metavar="INPUT_DB", help="the folder of the database")
    parser.add_argument("output_file", metavar="OUTPUT_FILE", nargs="?", help="the binaryproto to write")


def run(args: argparse.Namespace) -> int:
    from caffe_compat.data.base import open_source
    from caffe_compat.data.mean import channel_means, mean_image
    from caffe_compat.data.records import pictures
    from caffe_compat.log.write import cpp_float
    from caffe_compat.proto.binary import write_binaryproto

    source = open_source(args.backend.upper(), args.input_db)
    mean = mean_image(pictures(source))
    if args.output_file:
        write_binaryproto(args.output_file, mean[None])
        print(f"Write to {args.output_file}")
    print(f"Number of channels: {len(mean)}")
    for channel, value in enumerate(channel_means(mean)):
        print(f"mean_value channel [{channel}]: {cpp_float(value)}")
    return 0
