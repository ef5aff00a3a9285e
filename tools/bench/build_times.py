"""Rows of the benchmark about what happens around training: building, starting, snapshots and reading weights."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tools.bench.run import OURS, Row, Setup, in_turns, row, seconds
from tools.bench.training import our_solver

WEIGHTS = 60_000_000  # as many floats as AlexNet has: a file of 240 MB


@row
def build(setup: Setup) -> Row:
    net = replace(setup, net=f"resnet{setup.build_depth}")
    return Row(
        "build",
        f"solver with training and test net of ResNet-{setup.build_depth}",
        "s",
        in_turns(
            setup.repeat,
            {OURS: lambda: seconds(lambda: our_solver(net, test=True))},
            warm_up=False,
        ),
        limit=2,
        notes=["the first sample includes the imports"],
    )


@row
def help(setup: Setup) -> Row:
    def python(*words: str) -> Callable[[], float]:
        return lambda: seconds(
            lambda: subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
        )

    return Row(
        "help",
        "caffe-compat --help in a new process",
        "s",
        in_turns(
            setup.repeat,
            {OURS: python("-m", "caffe_compat", "--help"), "python -c pass": python("-c", "pass")},
        ),
        limit=0.5,
    )


def start(code: str) -> Callable[[], float]:
    """Seconds that a new Python takes for this."""
    command = [sys.executable, "-c", code]
    return lambda: seconds(lambda: subprocess.run(command, check=True))


@row
def imports(setup: Setup) -> Row:
    return Row(
        "imports",
        "a new Python that imports caffe_compat and takes its Net",
        "s",
        in_turns(
            setup.repeat,
            {
                OURS: start("import caffe_compat; caffe_compat.Net"),
                "import caffe_compat": start("import caffe_compat"),
                "import torch": start("import torch"),
            },
        ),
        base="import torch",
        limit=1.5,
    )


def solver_that_saves(setup: Setup) -> Any:
    solver = our_solver(replace(setup, net=f"resnet{setup.build_depth}"))
    solver.param.snapshot_prefix = f"{setup.folder}/saved"
    return solver


def state_of(solver: Any) -> dict[str, Any]:
    """What a hand-written loop would save of the same training."""
    return {"weights": solver.net.params, "history": solver.rule.history, "iter": solver.iter}


@row
def snapshot(setup: Setup) -> Row:
    solver, file = solver_that_saves(setup), f"{setup.folder}/saved.pt"
    return Row(
        "snapshot",
        f"caffemodel and solverstate of ResNet-{setup.build_depth} written, against torch.save",
        "s",
        in_turns(
            setup.repeat,
            {
                OURS: lambda: seconds(solver.snapshot),
                "torch.save": lambda: seconds(lambda: torch.save(state_of(solver), file)),
            },
        ),
    )


@row
def restore(setup: Setup) -> Row:
    solver, file = solver_that_saves(setup), f"{setup.folder}/saved.pt"
    _, state = solver.snapshot()
    torch.save(state_of(solver), file)
    return Row(
        "restore",
        f"the same of ResNet-{setup.build_depth} read, against torch.load",
        "s",
        in_turns(
            setup.repeat,
            {
                OURS: lambda: seconds(lambda: solver.restore(state)),
                "torch.load": lambda: seconds(lambda: torch.load(file, weights_only=False)),
            },
        ),
    )


@row
def caffemodel(setup: Setup) -> Row:
    from caffe_compat.proto import LayerParameter, NetParameter, binary

    weights = np.random.default_rng(0).standard_normal((WEIGHTS // 10_000, 10_000), np.float32)
    net = NetParameter(layer=[LayerParameter(name="fc", type="InnerProduct")])
    path, plain = Path(setup.folder, "large.caffemodel"), Path(setup.folder, "large.npy")
    binary.write_caffemodel(path, net, [[weights]])
    np.save(plain, weights)
    samples = in_turns(
        setup.repeat,
        {
            OURS: lambda: seconds(lambda: binary.read_caffemodel(path)),
            "numpy.load": lambda: seconds(lambda: np.load(plain)),
        },
    )
    path.unlink()
    plain.unlink()
    return Row(
        "caffemodel", f"a caffemodel of {WEIGHTS * 4 // 10**6} MB read, against numpy.load", "s", samples
    )
