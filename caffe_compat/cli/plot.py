"""`caffe-compat plot`: curves or tables of training logs."""

import argparse
import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from caffe_compat.errors import CaffeError, UsageError

if TYPE_CHECKING:
    from caffe_compat.log.tables import Table

HELP = "plot accuracy, loss and learning rate of training logs, Caffe's or ours"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("logs", nargs="+", metavar="LOG", help="a training log; several are overlaid")
    parser.add_argument("--out", metavar="FILE", help="the picture to write: .png, .svg or .pdf")
    parser.add_argument(
        "--csv",
        action="store_true",
        help="print the tables of Caffe's parse_log.py, training first, then tests",
    )
    parser.add_argument(
        "--csv-dir",
        metavar="DIR",
        help="write these tables into DIR, as LOG.train and LOG.test like parse_log.py",
    )
    parser.add_argument("--labels", metavar="A,B", help="names of the runs, instead of their files' names")
    parser.add_argument("--title", default="", metavar="TEXT", help="a title above the plot")


def run(args: argparse.Namespace) -> int:
    from caffe_compat.log.read import read_runs
    from caffe_compat.log.tables import read_tables

    if not (args.out or args.csv or args.csv_dir):
        raise UsageError("say what to make of the logs: --out FILE.png, --csv or --csv-dir DIR")
    runs = [run for log in args.logs for run in read_runs(log)]
    labels = args.labels.split(",") if args.labels else None
    for log in args.logs if args.csv or args.csv_dir else ():
        tables = read_tables(log)
        if args.csv:
            _write_csv(sys.stdout, *tables["train"])
            print()
            _write_csv(sys.stdout, *tables["test"])
        if args.csv_dir:
            _write_files(tables, Path(log).name, args.csv_dir)
    if args.out:
        from caffe_compat.log.plot import plot_curves

        plot_curves(runs, args.out, labels, args.title)
        print(args.out, file=sys.stderr if args.csv else sys.stdout)
    return 0


def _write_files(tables: "dict[str, Table]", name: str, folder: str) -> None:
    for phase, table in tables.items():
        path = Path(folder, f"{name}.{phase}")
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="", encoding="utf-8") as file:
                _write_csv(file, *table)
        except OSError as error:
            raise CaffeError(f"{path}: cannot write the table: {error.strerror}") from None
        print(path, file=sys.stderr)


def _write_csv(file: TextIO, header: list[str], rows: list[list[float]]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
