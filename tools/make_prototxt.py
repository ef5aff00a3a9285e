#!/usr/bin/env python3
"""Write the nets and solvers of prototxt/ from the compact descriptions in this file and in prototxt_nets.py.

    python tools/make_prototxt.py               # writes prototxt/*.prototxt
    python tools/make_prototxt.py --out DIR     # writes them elsewhere
    python tools/make_prototxt.py --check       # writes nothing; fails if a file is missing or out of date

NETS and SOLVERS at the end list every file. Layer and blob names are those of the files that the authors
of the super-convergence paper (Smith and Topin, arXiv:1708.07120) published, so trained weights interchange
with them. Needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # this file is a script; tools is not installed

from tools.prototxt_nets import bottleneck_resnet, cifar, densenet, lenet, resnet, wide_resnet
from tools.prototxt_text import Message, document

OUT = ROOT / "prototxt"
PAPER = "Smith and Topin, arXiv:1708.07120"

# -- nets -----------------------------------------------------------------------------------------


def other_depth(depth: int) -> tuple[str, Callable[[], Message]]:
    comment = f"ResNet-{depth} for CIFAR-10: the family of {PAPER}, table 2, at a depth between its figures'."
    return comment, lambda: resnet(depth)


SLOW = "It is resnet56.prototxt but for BatchNorm's moving_average_fraction, 0.999 for 0.95."
OWN = "BatchNorm uses the batch's own statistics in TEST too, as in the authors' file."

# file -> (the comment at its head, what makes it)
NETS: dict[str, tuple[str, Callable[[], Message]]] = {
    "resnet20": (f"ResNet-20 for CIFAR-10: figures 4b and 6b of {PAPER}.", lambda: resnet(20)),
    "resnet38": other_depth(38),
    "resnet56": (
        f"ResNet-56 for CIFAR-10, as the CLR runs of {PAPER}, had it: figures 1, 2b, 5, 8b, 9a, 10.",
        lambda: resnet(56),
    ),
    "resnet56_pc": (
        f"ResNet-56 for CIFAR-10, as the PC runs of {PAPER}, had it: figures 1a, 6a, 8a. {SLOW}",
        lambda: resnet(56, fraction=0.999),
    ),
    "resnet56_dropout": (
        f"ResNet-56 for CIFAR-10 with Dropout 0.2 after every Scale of a block: figure 9b of {PAPER}.",
        lambda: resnet(56, dropout=0.2),
    ),
    "resnet74": other_depth(74),
    "resnet92": other_depth(92),
    "resnet110": (
        f"ResNet-110 for CIFAR-10, batch 100: figures 4b and 6b of {PAPER}.",
        lambda: resnet(110, batch=100),
    ),
    "bottleneck_resnet56": (
        f"Pre-activation bottleneck ResNet-56 for CIFAR-10, batch 100: figure 11a of {PAPER}. {OWN}",
        lambda: bottleneck_resnet("Bottleneck-ResNet-56", batch=100, width=16),
    ),
    "resnext56": (
        f"ResNeXt-56 for CIFAR-10, 3x3 convolutions in 32 groups, batch 85: figure 11b of {PAPER}. {OWN}",
        lambda: bottleneck_resnet("ResNeXt-56", batch=85, width=32, group=32),
    ),
    "wide_resnet32_4": (
        "Wide ResNet for CIFAR-10 (Zagoruyko and Komodakis, arXiv:1605.07146), 5 blocks a stage, 4 times as wide.",
        lambda: wide_resnet(32, 4),
    ),
    "densenet40": (
        "DenseNet-40 for CIFAR-10 (Huang et al., arXiv:1608.06993), growth 12, no bottlenecks, no compression.",
        lambda: densenet(40, 12),
    ),
    "quickstart": (
        "The net of tools/quickstart.sh: resnet20.prototxt on the pictures of `caffe-compat data shapes`.",
        lambda: resnet(20, paths=cifar("data/shapes", prefix="")),
    ),
    "lenet": (
        "LeNet for MNIST, layers and names as in Caffe's example, on the LMDBs of `caffe-compat data mnist`.",
        lenet,
    ),
}

# -- solvers --------------------------------------------------------------------------------------


def solver(net: str, schedule: Message, snapshot: int, prefix: str) -> Message:
    """A solver with what all runs of the paper share: a test and a displayed line every 100 iterations."""
    return {
        "net": f"prototxt/{net}.prototxt",
        "test_iter": 200,
        "test_interval": 100,
        "display": 100,
        **schedule,
        "weight_decay": 1e-4,
        "snapshot": snapshot,
        "snapshot_prefix": prefix,
    }


def triangular(base_lr: float, max_lr: float, stepsize: int, max_iter: int) -> Message:
    rates = {"lr_policy": "triangular", "base_lr": base_lr, "max_lr": max_lr, "stepsize": stepsize}
    return {**rates, "max_iter": max_iter, "momentum": 0.9}


def multistep(base_lr: float, gamma: float, stepvalue: list[int], max_iter: int) -> Message:
    rates = {"lr_policy": "multistep", "base_lr": base_lr, "gamma": gamma, "stepvalue": stepvalue}
    return {**rates, "max_iter": max_iter, "momentum": 0.9}


def one_cycle(base_lr: float, max_lr: float, stepsize: int, max_iter: int) -> Message:
    rates = {"lr_policy": "1cycle", "base_lr": base_lr, "max_lr": max_lr, "stepsize": stepsize}
    return {**rates, "max_iter": max_iter, "momentum": 0.95, "cyclical_momentum": [0.85, stepsize]}


def inverse(base_lr: float, gamma: float, power: float, max_iter: int) -> Message:
    rates = {"lr_policy": "inv", "base_lr": base_lr, "gamma": gamma, "power": power}
    return {**rates, "max_iter": max_iter, "momentum": 0.9}


EIGHT = "The paper's run had 8 GPUs: --gpu 0,1,2,3,4,5,6,7 or, on one device, --replicas 8."

ONE_CYCLE = """1cycle policy of Smith, arXiv:1803.09820: the rate rises and falls once while momentum falls
and rises, then the rate stays at base_lr / 1000. cyclical_momentum is given twice: the least momentum, and
its step size. The values are this project's choice, not a published run's."""

# file -> (the comment at its head, the solver)
SOLVERS: dict[str, tuple[str, Message]] = {
    "clr_solver": (
        f"CLR: the learning rate rises from 0.1 to 3 and falls back, once; figure 1a of {PAPER}. {EIGHT}",
        solver("resnet56", triangular(0.1, 3, 5000, 10000), 1000, "data/cifar10/clr"),
    ),
    "pc_solver": (
        f"PC: a piecewise constant learning rate, 0.35 divided by 10 twice; figure 1a of {PAPER}. {EIGHT}",
        solver("resnet56_pc", multistep(0.35, 0.1, [50000, 70000], 80000), 5000, "data/cifar10/pc"),
    ),
    "lr_range_solver": (
        f"Learning-rate range test: 0 to 3 in 20,000 iterations; figure 2b of {PAPER}. {EIGHT}",
        solver("resnet56", triangular(0, 3, 20000, 20000), 5000, "data/cifar10/lr_range"),
    ),
    "one_cycle_solver": (
        ONE_CYCLE,
        solver("resnet56", one_cycle(0.1, 1, 4500, 10000), 1000, "data/cifar10/one_cycle"),
    ),
    "quickstart_solver": (
        "The run of tools/quickstart.sh: one short cycle of the learning rate, for one replica on a CPU.",
        solver("quickstart", triangular(0.1, 1, 150, 300), 100, "data/shapes/quickstart")
        | {"test_iter": 16, "test_interval": 50, "test_initialization": False, "display": 20},
    ),
    "lenet_solver": (
        "LeNet on MNIST with the settings of Caffe's own example.",
        solver("lenet", inverse(0.01, 0.0001, 0.75, 10000), 5000, "data/mnist/lenet")
        | {"test_iter": 100, "test_interval": 500, "weight_decay": 5e-4},
    ),
}

# -- the command ----------------------------------------------------------------------------------


def files() -> dict[str, str]:
    """Every file's name and content."""
    made = {name: document(comment, make()) for name, (comment, make) in NETS.items()}
    made.update((name, document(comment, message)) for name, (comment, message) in SOLVERS.items())
    return {f"{name}.prototxt": content for name, content in made.items()}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to (default: prototxt/)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    args = parser.parse_args(argv)
    paths = {args.out / name: content for name, content in files().items()}
    if args.check:
        stale = [path for path, content in paths.items() if not path.is_file() or path.read_text() != content]
        for path in stale:
            print(f"{path}: missing or out of date; run python tools/make_prototxt.py", file=sys.stderr)
        return int(bool(stale))
    args.out.mkdir(parents=True, exist_ok=True)
    for path, content in paths.items():
        path.write_text(content)
    print(f"wrote {len(paths)} files to {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
