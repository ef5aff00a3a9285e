"""The paper's schedules, as fields of a solver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Value: TypeAlias = str | float | Sequence[float]
Fields = Mapping[str, Value]

COMMON: Fields = {
    "test_iter": [200], "test_interval": 100, "display": 100, "momentum": 0.9, "weight_decay": 1e-4,
    "snapshot": 1000,
}  # fmt: skip


def clr(top: float = 3, stepsize: int = 5000, base: float = 0.1, **other: Value) -> Fields:
    """One triangle from `base` to `top` and back."""
    rates: dict[str, Value] = {
        "lr_policy": "triangular",
        "base_lr": base,
        "max_lr": top,
        "stepsize": stepsize,
    }
    return {**COMMON, **rates, "max_iter": 2 * stepsize, **other}


def ramp(top: float, iterations: int) -> Fields:
    """A learning-rate range test from 0."""
    return clr(top, iterations, base=0, max_iter=iterations)


def pc(**other: Value) -> Fields:
    """Piecewise constant: 0.35, divided by 10 twice."""
    rates: dict[str, Value] = {
        "lr_policy": "multistep",
        "base_lr": 0.35,
        "gamma": 0.1,
        "stepvalue": [50000, 70000],
    }
    return {**COMMON, **rates, "max_iter": 80000, **other}


def one_cycle(top: float, stepsize: int, iterations: int, **other: Value) -> Fields:
    """Up and down once while momentum goes down and up, then a tail at base_lr / 1000."""
    rates: dict[str, Value] = {
        "lr_policy": "1cycle",
        "base_lr": 0.1,
        "max_lr": top,
        "stepsize": stepsize,
        "max_iter": iterations,
    }
    return {**COMMON, **rates, "momentum": 0.95, "cyclical_momentum": [0.85, stepsize], **other}
