"""`caffe-compat convert-imageset`: pictures and labels into a database."""

import argparse
import os
import random
import sys
from collections.abc import Iterator

HELP = "put the pictures of a list into an LMDB or LevelDB"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gray", action=argparse.BooleanOptionalAction, default=False, help="read pictures as gray"
    )
    parser.add_argument(
        "--shuffle",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="put the pictures in random order",
    )
    parser.add_argument(
        "--backend", choices=("lmdb", "leveldb"), default="lmdb", help="what to write (default: lmdb)"
    )
    for side in ("width", "height"):
        parser.add_argument(
            f"--resize_{side}",
            type=int,
            default=0,
            metavar="N",
            help=f"{side} to resize to; both sides are needed",
        )
    parser.add_argument(
        "--check_size",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="fail if pictures differ in how many values they have",
    )
    parser.add_argument(
        "--encoded",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="store PNG, JPEG ... instead of pixels; a file that needs no change is stored as it is",
    )
    parser.add_argument(
        "--encode_type", default="", metavar="TYPE", help="png, jpg ... (default: as each file's name)"
    )
    parser.add_argument("--force", action="store_true", help="replace what is there already")
    parser.add_argument("rootfolder", metavar="ROOTFOLDER/", help="goes before every path of the list")
    parser.add_argument("listfile", metavar="LISTFILE", help="one `path label` a line")
    parser.add_argument("db_name", metavar="DB_NAME", help="the folder to make")


def run(args: argparse.Namespace) -> int:
    from caffe_compat.data import leveldb, lmdb
    from caffe_compat.data.convert import Options, records
    from caffe_compat.data.image_list import read_list, why_no_picture
    from caffe_compat.data.stage import stage
    from caffe_compat.errors import DataError

    lines = read_list(args.listfile)
    if args.shuffle:
        random.shuffle(lines)
    print(f"A total of {len(lines)} images.")
    options = Options(
        args.gray,
        max(0, args.resize_height),
        max(0, args.resize_width),
        args.check_size,
        args.encoded,
        args.encode_type,
    )
    skipped: list[str] = []

    def skip(path: str) -> None:
        skipped.append(path)
        print(f"skipped: cannot open or decode {path}", file=sys.stderr)

    def told(made: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        for count, record in enumerate(made, 1):
            yield record
            if count % 1000 == 0:
                print(f"Processed {count} files.")

    folder, name = os.path.split(os.path.normpath(args.db_name))
    write = lmdb.write if args.backend == "lmdb" else leveldb.write
    with stage(folder, [name], args.force) as temporary:
        count = write(os.path.join(temporary, name), told(records(args.rootfolder, lines, options, skip)))
        if count == 0:
            raise DataError(
                f"none of the {len(lines)} pictures of '{args.listfile}' could be read, the first is '{skipped[0]}'"
                f"{why_no_picture(skipped[0].removeprefix(args.rootfolder))}; check ROOTFOLDER, which goes before every path and usually ends with /"
            )
    if count % 1000:
        print(f"Processed {count} files.")
    if skipped:
        print(
            f"{len(skipped)} of {len(lines)} files were skipped, the first is {skipped[0]}", file=sys.stderr
        )
    return 0
