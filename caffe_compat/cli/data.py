"""`caffe-compat data`: make a data set to train on."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from caffe_compat.errors import UsageError

if TYPE_CHECKING:
    from caffe_compat.data.stage import Chunk

HELP = "make a data set: CIFAR-10, CIFAR-100 or MNIST as Caffe's converters do, or drawn shapes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    sets = parser.add_subparsers(dest="set", required=True, metavar="SET")
    for name, title in (("cifar10", "CIFAR-10"), ("cifar100", "CIFAR-100")):
        text = f"{title}: download it or convert a copy, into {name}_train_lmdb, {name}_test_lmdb, mean.binaryproto"
        one = sets.add_parser(name, help=text, description=text)
        one.add_argument(
            "--from",
            dest="source",
            metavar="FILE_OR_DIR",
            help="a copy to convert, binary or python version, as archive or folder (without it: download)",
        )
        _add_subset(one)
        _add_output(one)
    text = "MNIST: download it or convert a copy, into mnist_train_lmdb, mnist_test_lmdb, mean.binaryproto"
    one = sets.add_parser("mnist", help=text, description=text)
    one.add_argument(
        "--from", dest="source", metavar="DIR", help="a folder with the four files (without it: download)"
    )
    _add_subset(one)
    _add_output(one)
    text = "drawings of ten shapes, 3 x 32 x 32: train_lmdb, test_lmdb, mean.binaryproto; needs no network"
    one = sets.add_parser("shapes", help=text, description=text)
    one.add_argument(
        "--train", type=int, default=20000, metavar="N", help="training pictures (default: 20000)"
    )
    one.add_argument("--test", type=int, default=2000, metavar="N", help="test pictures (default: 2000)")
    one.add_argument(
        "--seed", type=int, default=0, metavar="S", help="another seed, other pictures (default: 0)"
    )
    _add_output(one)


def _add_subset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--subset", type=int, metavar="N", help="keep only the first N training pictures")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="replace what is there already")
    parser.add_argument("out", metavar="OUT", help="folder to make the databases in")


def run(args: argparse.Namespace) -> int:
    return _shapes(args) if args.set == "shapes" else _published(args)


def _published(args: argparse.Namespace) -> int:
    """CIFAR-10, CIFAR-100 or MNIST."""
    from caffe_compat.data.stage import require_room, write_set

    names = [f"{args.set}_train_lmdb", f"{args.set}_test_lmdb", "mean.binaryproto"]
    if args.subset is not None and args.subset < 1:
        raise UsageError(f"--subset {args.subset} is below 1")
    require_room(args.out, names, args.force)
    train, test = (_load_mnist if args.set == "mnist" else _load_cifar)(args)
    pictures, labels = train
    if args.subset and args.subset > len(labels):
        raise UsageError(f"--subset {args.subset} is more than the {len(labels)} training pictures there are")
    train = pictures[: args.subset], labels[: args.subset]
    write_set(args.out, names, [train], [test], args.force)
    _report(args.out, names, len(train[0]), len(test[0]))
    solver = "lenet_solver" if args.set == "mnist" else "clr_solver"
    _tell_next(
        args.out, [(f"data/{args.set}", f"prototxt/{solver}.prototxt"), (f"examples/{args.set}", "SOLVER")]
    )
    return 0


def _load_cifar(args: argparse.Namespace) -> tuple[Chunk, Chunk]:
    from caffe_compat.data.cifar import KINDS, load

    kind = KINDS[args.set]
    return load(kind, args.source or _fetch(kind.url, args.out, kind.md5))


def _load_mnist(args: argparse.Namespace) -> tuple[Chunk, Chunk]:
    from caffe_compat.data.mnist import FILES, URL, load

    if not args.source:
        for name, md5 in FILES.items():
            _fetch(f"{URL}{name}.gz", args.out, md5)
    return load(args.source or args.out)


def _fetch(url: str, folder: str, md5: str) -> str:
    """The path of the file of this URL and MD5 in the folder, downloaded if it is not there."""
    from caffe_compat.data.download import checksum, download

    path = os.path.join(folder, url.rpartition("/")[2])
    if not os.path.exists(path) or checksum(path) != md5:
        print(f"downloading {url}")
        download(url, path, md5)
    return path


def _shapes(args: argparse.Namespace) -> int:
    from caffe_compat.data.shapes import generate
    from caffe_compat.data.stage import write_set

    for option, value, least in (("train", args.train, 1), ("test", args.test, 1), ("seed", args.seed, 0)):
        if value < least:
            raise UsageError(f"--{option} {value} is below {least}")
    # Two streams: the test pictures stay the same however many are drawn for training.
    train, test = generate(args.train, 2 * args.seed), generate(args.test, 2 * args.seed + 1)
    names = ["train_lmdb", "test_lmdb", "mean.binaryproto"]
    write_set(args.out, names, train, test, args.force)
    _report(args.out, names, args.train, args.test)
    _tell_next(args.out, [("data/shapes", "prototxt/quickstart_solver.prototxt")])
    return 0


def _report(out: str, names: list[str], train: int, test: int) -> None:
    for name, what in zip(
        names, (f"{train} records", f"{test} records", "mean of the training pictures"), strict=True
    ):
        print(f"{os.path.join(out, name)}: {what}")


def _tell_next(out: str, places: list[tuple[str, str]]) -> None:
    """Print the command to train with: (where nets expect the files, a solver that reads them from there)."""
    path = os.path.abspath(out)
    for place, solver in places:
        if path.endswith(f"{os.sep}{os.path.normpath(place)}"):
            root = path[: -len(place) - 1]
            where = "" if root == os.getcwd() else f" --root {root}"
            print(f"next: caffe-compat train --solver {solver}{where}")
            return
    place, solver = places[0]
    print(
        f"next: the net of {solver} reads {place}/...; make its `source` and `mean_file` name the files above, "
        f"then: caffe-compat train --solver {solver}"
    )
