"""Every run of the super-convergence paper (Smith and Topin, arXiv:1708.07120), as data, and some beside them.

A row is a net of prototxt/, solver fields, a data set and the number of replicas. `paper` is the test
accuracy in % that the paper's text or table gives, `log` the last one that the authors' published log
prints, `best` the highest in that log. Rows without any are this project's comparisons. A row that
the paper shows again under another name says so in `like` and is run once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import chain
from typing import Any

from caffe_compat.errors import UsageError, nearest, some
from caffe_compat.experiments.schedules import COMMON, Fields, Value, clr, one_cycle, pc, ramp


@dataclass(frozen=True)
class Row:
    """One run.

    solver     fields of the solver; a list for a repeated one
    fraction   BatchNorm's moving_average_fraction
    data       a key of DATASETS
    train      use the first so many training records; 0 means all
    batch      records of a batch of each replica; 0 means what the net file says
    estimate   estimate the learning rate from weights so many iterations apart (0: plain training)
    published  the name of the log that the authors published
    """

    id: str
    net: str
    solver: Fields
    fraction: float = 0.95
    data: str = "cifar10"
    train: int = 0
    batch: int = 0
    replicas: int = 8
    estimate: int = 0
    paper: float | None = None
    log: float | None = None
    best: float | None = None
    published: str = ""
    like: str = ""
    about: str = ""

    @property
    def target(self) -> float | None:
        """The published accuracy to compare with: the log's, which has more digits, else the paper's."""
        return self.paper if self.log is None else self.log


@dataclass(frozen=True)
class DataSet:
    """Where a data set lies below `--data`, and how its LMDBs are named; `test` is its test records."""

    name: str
    classes: int
    prefix: str
    test: int = 10000

    def folder(self, train: int) -> str:
        return f"{self.name}_{train}" if train else self.name

    def command(self, folder: str, train: int) -> str:
        """The command line that makes it in `folder`."""
        subset = f"--subset {train} " if train else ""
        return f"caffe-compat data {self.name} {subset}{folder}"


DATASETS = {
    name: DataSet(name, classes, f"{name}_")
    for name, classes in (("cifar10", 10), ("cifar100", 100), ("mnist", 10))
}

# -- rows -----------------------------------------------------------------------------------------

_PC = Row("", "resnet56", pc(), fraction=0.999, about="piecewise constant")
_CLR = Row("", "resnet56", clr(), about="CLR 0.1-3")
_RANGE = Row("", "resnet56", ramp(3, 20000))
_OURS = "The settings are this project's choice, not a published run's."


def _row(id: str, base: Row, solver: Fields | None = None, **changes: Any) -> Row:
    """`base` with some solver fields and settings changed."""
    return replace(base, id=id, solver={**base.solver, **(solver or {})}, **changes)


def _again(id: str, of: Row, **changes: Any) -> Row:
    """The run of another row under this id."""
    return replace(of, id=id, like=of.like or of.id, **changes)


_FIG1A = _row(
    "fig1a-clr", _CLR, paper=92.4, log=92.44, published="clr3SS5kFig1a", about="CLR 0.1-3, stepsize 5,000"
)


def _cycles() -> Iterable[Row]:
    """Figure 1 and the upper parts of table 1: how high and how long the cycle is."""
    yield _row("fig1a-pc", _PC, paper=91.2, log=90.32, published="lr35Fig1a")
    yield _FIG1A
    steps: dict[int, Row] = {}
    lengths: Sequence[tuple[int, float, float | None]] = (
        (20000, 0.97, 92.7), (15000, 0.96, None), (8000, 0.93, 91.7), (6000, 0.90, 92.1), (4000, 0.85, 91.1),
        (2000, 0.80, 89.7),
    )  # fmt: skip
    for iterations, fraction, paper in lengths:
        about = f"CLR 0.1-3 in {iterations:,} iterations"
        id = f"tab1-steps-{iterations // 1000}k"
        solver = clr(3, iterations // 2)
        steps[iterations] = _row(id, _CLR, solver, fraction=fraction, paper=paper, about=about)
    yield from steps.values()
    yield _again("tab1-steps-10k", _FIG1A)
    for name, of in (("10k", steps[20000]), ("5k", _FIG1A), ("3k", steps[6000]), ("1k", steps[2000])):
        yield _again(f"fig1b-{name}", of, about=f"CLR 0.1-3, stepsize {name.replace('k', ',000')}")
    for top, accuracy in ((3.5, 92.1), (2.5, 92.3), (2, 91.7), (1.5, 90.9), (1, 91.3)):
        yield _row(f"tab1-max-{top:g}", _CLR, {"max_lr": top}, paper=accuracy, about=f"CLR 0.1-{top:g}")
    yield _again("tab1-max-3", _FIG1A)


def _ranges() -> Iterable[Row]:
    """Figures 2b, 4, 7a and 11: range tests."""
    for name, iterations, log, best in (
        ("5k", 5000, 78.44, 81.56), ("20k", 20000, 78.55, 83.13), ("100k", 100000, 72.25, 86.49),
    ):  # fmt: skip
        about, published = f"range test 0-3 over {iterations:,} iterations", f"range3Iter{name}Fig2b"
        solver = ramp(3, iterations)
        yield _row(f"fig2b-{name}", _RANGE, solver, log=log, best=best, published=published, about=about)
    for id, net, batch, best, published in (
        ("fig4a", "resnet56", 0, 89.52, "range2SS80kRes56LR"),
        ("fig4b-20", "resnet20", 0, 84.63, "range2Res20Fig4b"),
        ("fig4b-110", "resnet110", 100, 87.31, "range2Res110Fig4b"),
    ):
        about = f"ResNet-{net[6:]}, range test 0-2 over 80,000 iterations"
        solver = ramp(2, 80000)
        yield _row(id, _RANGE, solver, net=net, batch=batch, best=best, published=published, about=about)
    about, published = "range test 0-3 over 20,000 iterations", "range3Cifar100kFig8"
    yield _row("fig7a", _RANGE, data="cifar100", best=51.78, published=published, about=about)
    for id, net, batch, top in (
        ("fig11a", "bottleneck_resnet56", 100, 0.61), ("fig11b", "resnext56", 85, 0.7),
    ):  # fmt: skip
        about = f"range test 0-{top} over 50,000 iterations; oscillates above 0.1"
        yield _row(id, _RANGE, ramp(top, 50000), net=net, batch=batch, about=about)


def _estimates() -> Iterable[Row]:
    """Figure 5."""
    for part, every, last in (("a", 1, 300), ("b", 10, 10000)):
        about = f"rate estimated from weights {every} iteration{'s' * (every > 1)} apart"
        constant = {**COMMON, "lr_policy": "fixed", "base_lr": 0.1, "max_iter": last}
        about_constant = f"constant rate 0.1: {about}"
        yield Row(f"fig5{part}-constant", "resnet56", constant, estimate=every, about=about_constant)
        yield _row(f"fig5{part}-clr", _CLR, {"max_iter": last}, estimate=every, about=f"CLR 0.1-3: {about}")


def _pairs() -> Iterable[Row]:
    """Figures 6 and 7b and the lower part of table 1: piecewise constant beside CLR."""
    for depth, batch, of_pc, of_clr in (
        (20, 0, (88.6, 88.64), (90.4, 90.42)),
        (110, 100, (91.0, 91.21), (92.1, 92.37)),
    ):
        net: dict[str, Any] = {"net": f"resnet{depth}", "batch": batch}
        paper, log = of_pc
        about, published = f"ResNet-{depth}, piecewise constant", f"lr35Res{depth}Fig6b"
        yield _row(f"fig6b-{depth}-pc", _PC, **net, paper=paper, log=log, published=published, about=about)
        paper, log = of_clr
        about = f"ResNet-{depth}, CLR 0.1-3. Stepsize 5,000 as in the published log (the paper says 10,000)"
        published = f"clr3SS5kRes{depth}Tab1"
        yield _row(f"fig6b-{depth}-clr", _CLR, **net, paper=paper, log=log, published=published, about=about)
    few: Sequence[tuple[int, tuple[float, float], float | None, tuple[float, float]]] = (
        (40, (89.1, 90.43), None, (91.1, 91.10)),
        (30, (85.7, 86.36), None, (89.6, 89.64)),
        (20, (82.7, 62.33), 76.40, (87.9, 87.92)),
        (10, (71.4, 71.20), None, (80.6, 80.59)),
    )
    for size, of_pc, best, of_clr in few:
        part: dict[str, Any] = {"train": size * 1000, "about": f"the first {size},000 training pictures"}
        paper, log = of_pc
        published = f"lr35Tr{size}kTab1"
        yield _row(f"tab1-{size}k-pc", _PC, **part, paper=paper, log=log, best=best, published=published)
        paper, log = of_clr
        yield _row(
            f"tab1-{size}k-clr", _CLR, **part, paper=paper, log=log, published=f"clr3SS5kTr{size}kTab1"
        )
    yield _row("fig7b-pc", _PC, data="cifar100", paper=59.8, log=59.27, published="lr35Cifar100Fig8")
    yield _row("fig7b-clr", _CLR, data="cifar100", paper=68.6, log=68.20, published="clr3SS5kCifar100Fig8")


def _methods() -> Iterable[Row]:
    """Figures 8, 9 and 10: solver types, batch, Dropout, momentum, weight decay."""
    nesterov = _row(
        "fig8a-nesterov", _PC, {"type": "Nesterov"}, log=90.33, published="lr35NestFig9", about="Nesterov"
    )
    yield nesterov
    types: Sequence[tuple[str, Fields, float, float | None]] = (
        ("AdaDelta", {"momentum": 0}, 70.97, None),  # as its published log has it
        ("AdaGrad", {"momentum": 0}, 83.74, None),
        ("Adam", {"base_lr": 0.0035}, 87.15, 90.72),
    )
    for name, fields, log, best in types:
        solver, published = {"type": name, **fields}, f"lr35{name}Fig9"
        yield _row(f"fig8a-{name.lower()}", _PC, solver, log=log, best=best, published=published, about=name)
    yield _again("fig8b-nesterov-pc", nesterov)
    about, published = "Nesterov, CLR 0.1-3", "clr3SS5kNestFig9"
    solver = {"type": "Nesterov"}
    yield _row("fig8b-nesterov-clr", _CLR, solver, paper=92.1, log=92.47, published=published, about=about)

    for batch, paper in ((192, 92.1), (64, 91.7), (32, 89.5)):
        yield _row(f"fig9a-{batch}", _CLR, batch=batch, paper=paper, about=f"batch {batch} on each replica")
    yield _again("fig9a-125", _FIG1A, about="batch 125 on each replica")
    yield _row("fig9b", _CLR, net="resnet56_dropout", about="Dropout 0.2 after every Scale of a block")

    for name, paper, log in (("0.80", 92.1, 91.86), ("0.85", 91.9, 92.29), ("0.95", 90.7, 90.74)):
        about, published = f"momentum {name}", f"clr3SS5kMom{name[2:].rstrip('0')}Fig11"
        solver = {"momentum": float(name)}
        yield _row(f"fig10a-{name}", _CLR, solver, paper=paper, log=log, published=published, about=about)
    yield _again("fig10a-0.90", _FIG1A, about="momentum 0.90")
    for name, log in (("1e-3", 9.95), ("1e-5", 88.28), ("1e-6", 87.25)):
        about, published = f"weight decay {name}", f"clr3SS5kWD{name[2:]}Fig11"
        solver = {"weight_decay": float(name)}
        yield _row(f"fig10b-{name}", _CLR, solver, log=log, published=published, about=about)
    yield _again("fig10b-1e-4", _FIG1A, about="weight decay 1e-4")


def _ours() -> Iterable[Row]:
    """Beside the paper's: one-cycle, other nets, and a comparison that a CPU can run."""
    about = f"1cycle, cyclical momentum. {_OURS}"
    yield Row("onecycle-56", "resnet56", one_cycle(1, 4500, 10000), about=about)
    for name, net, top in (("wrn32", "wide_resnet32_4", 2), ("densenet40", "densenet40", 1)):
        yield _row(f"{name}-pc", _PC, net=net, about=f"piecewise constant. {_OURS}")
        yield _row(f"{name}-clr", _CLR, {"max_lr": top}, net=net, about=f"CLR 0.1-{top}. {_OURS}")
    mnist: dict[str, Any] = {"data": "mnist", "replicas": 1}
    cadence: dict[str, Any] = {"test_iter": [100], "test_interval": 500, "weight_decay": 5e-4}
    steps: dict[str, Value] = {"base_lr": 0.01, "stepvalue": [6250, 8750], "max_iter": 10000}
    yield Row("lenet-pc", "lenet", pc(**steps, **cadence), **mnist, about=f"piecewise constant. {_OURS}")
    about = f"CLR 0.01-0.1. {_OURS}"
    yield Row("lenet-clr", "lenet", clr(0.1, 5000, base=0.01, **cadence), **mnist, about=about)
    cadence = {"test_iter": [80], "test_interval": 200, "display": 50, "snapshot": 200}
    for name, solver, about in (
        ("clr", clr(1, 500, **cadence), "CLR 0.1-1"),
        ("onecycle", one_cycle(1, 450, 1000, **cadence), "1cycle 0.1-1, momentum 0.95-0.85"),
        ("pc", pc(stepvalue=[625, 875], max_iter=1000, **cadence), "piecewise constant"),
    ):
        yield Row(f"cpu20-{name}", "resnet20", solver, replicas=1, about=f"{about}. {_OURS}")


_PARTS = (_cycles, _ranges, _estimates, _pairs, _methods, _ours)
ROWS: dict[str, Row] = {row.id: row for part in _PARTS for row in part()}

# -- figures and tables ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """What a figure of the paper shows: `panels` of these rows against `x`.

    panels   of "test accuracy", "test loss", "train loss", "estimated learning rate"
    labels   of the rows, by id, where the id itself would not say enough
    """

    title: str
    ids: Sequence[str]
    x: str = "iteration"
    panels: Sequence[str] = ("test accuracy",)
    labels: Mapping[str, str] = field(default_factory=dict)


RATE = "learning rate"
_FEW = [f"tab1-{size}k-{kind}" for size in (40, 30, 20, 10) for kind in ("pc", "clr")]
_SIZES = {name: f"{name[5:8]} pictures, {name[9:].upper()}" for name in _FEW}

FIGURES: dict[str, Figure] = {
    "fig1a": Figure("CLR against piecewise constant, ResNet-56", ["fig1a-pc", "fig1a-clr"]),
    "fig1b": Figure("Stepsizes of the cycle, ResNet-56", ["fig1b-10k", "fig1b-5k", "fig1b-3k", "fig1b-1k"]),
    "fig2b": Figure("Range tests 0-3, ResNet-56", ["fig2b-5k", "fig2b-20k", "fig2b-100k"], RATE),
    "fig4a": Figure("Range test 0-2, ResNet-56", ["fig4a"], RATE, ("train loss", "test loss", "test accuracy")),
    "fig4b": Figure(
        "Range tests 0-2, ResNet-20 and ResNet-110", ["fig4b-20", "fig4b-110"], RATE,
        ("train loss", "test loss", "test accuracy"),
    ),
    "fig5a": Figure(
        "Estimated learning rate, first 300 iterations", ["fig5a-constant", "fig5a-clr"],
        panels=("estimated learning rate",),
    ),
    "fig5b": Figure(
        "Estimated learning rate", ["fig5b-constant", "fig5b-clr"], panels=("estimated learning rate",)
    ),
    "fig6a": Figure("Fewer training pictures, ResNet-56", _FEW, labels=_SIZES),
    "fig6b": Figure(
        "ResNet-20 and ResNet-110", ["fig6b-20-pc", "fig6b-20-clr", "fig6b-110-pc", "fig6b-110-clr"]
    ),
    "fig7a": Figure("Range test 0-3 on CIFAR-100, ResNet-56", ["fig7a"], RATE, ("test accuracy", "test loss")),
    "fig7b": Figure("CIFAR-100, ResNet-56", ["fig7b-pc", "fig7b-clr"]),
    "fig8a": Figure(
        "Adaptive methods at a piecewise constant rate",
        ["fig8a-nesterov", "fig8a-adadelta", "fig8a-adagrad", "fig8a-adam"],
    ),
    "fig8b": Figure("Nesterov", ["fig8b-nesterov-pc", "fig8b-nesterov-clr"]),
    "fig9a": Figure("Batch on each replica", ["fig9a-192", "fig9a-125", "fig9a-64", "fig9a-32"]),
    "fig9b": Figure("Dropout", ["fig1a-clr", "fig9b"], labels={"fig1a-clr": "none", "fig9b": "Dropout 0.2"}),
    "fig10a": Figure("Momentum", ["fig10a-0.80", "fig10a-0.85", "fig10a-0.90", "fig10a-0.95"]),
    "fig10b": Figure("Weight decay", ["fig10b-1e-3", "fig10b-1e-4", "fig10b-1e-5", "fig10b-1e-6"]),
    "fig11a": Figure("Range test, bottleneck ResNet-56", ["fig11a"], RATE, ("test accuracy", "test loss")),
    "fig11b": Figure("Range test, ResNeXt-56", ["fig11b"], RATE, ("test accuracy", "test loss")),
    "cpu20": Figure(
        "ResNet-20, 1,000 iterations of 125 pictures", ["cpu20-clr", "cpu20-onecycle", "cpu20-pc"],
        panels=("test accuracy", "train loss"),
    ),
}  # fmt: skip

TABLES: dict[str, Sequence[str]] = {
    "tab1": ["fig1a-pc", *(name for name in ROWS if name.startswith("tab1-"))],
    "tab5": ["fig9a-192", "fig9a-125", "fig9a-64", "fig9a-32"],
    "tab6": ["fig10a-0.80", "fig10a-0.85", "fig10a-0.90", "fig10a-0.95"],
    "lenet": ["lenet-pc", "lenet-clr"],
    "wrn32": ["wrn32-pc", "wrn32-clr"],
    "densenet40": ["densenet40-pc", "densenet40-clr"],
}


def groups() -> dict[str, Sequence[str]]:
    """The ids of every figure, table and comparison, by its name."""
    return {**{name: figure.ids for name, figure in FIGURES.items()}, **TABLES, "all": list(ROWS)}


def select(names: Iterable[str]) -> list[Row]:
    """The rows of ids, figures, tables, `all`, patterns such as `tab1-*-clr`, or what these begin with (`fig5` for
    fig5a and fig5b, `tab1-steps`), each once, in order.

    Raises UsageError, with the nearest names, for a name that is none of them.
    """
    chosen: dict[str, Row] = {}
    known = groups()
    for name in names:
        parts = [known[f"{name}{part}"] for part in "ab" if f"{name}{part}" in known]
        matching = [id for id in ROWS if fnmatchcase(id, name) or id.startswith(f"{name}-")]
        ids = [name] if name in ROWS else known.get(name) or list(chain(*parts)) or matching
        if not ids:
            hint = nearest(name, [*ROWS, *known]) or ";"
            raise UsageError(f"no experiment is called '{name}'{hint} see caffe-compat experiment list")
        chosen.update((id, ROWS[id]) for id in ids)
    return list(chosen.values())


def figure(name: str) -> Figure:
    """Raises UsageError, with the nearest names, for an unknown one."""
    if name not in FIGURES:
        known = some(FIGURES, name)
        raise UsageError(
            f"no figure is called '{name}'{nearest(name, FIGURES) or ';'} the figures are {known}"
        )
    return FIGURES[name]


def run_of(row: Row) -> Row:
    """The row whose run this one shows: itself, unless it is another's under a second name."""
    return ROWS[row.like] if row.like else row
