"""Curves out of a run's log: losses and accuracy against the iteration or the learning rate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caffe_compat.experiments.results import accuracy, loss
from caffe_compat.log.runs import RunLog


class Curve(NamedTuple):
    """Points in the order of the log; y is finite everywhere."""

    x: np.ndarray
    y: np.ndarray


def curve(run: RunLog, quantity: str, x: str = "iteration") -> Curve:
    """`quantity` (train loss, test loss, test accuracy) against `x` (iteration, learning rate).

    The rate of an iteration that displayed none is interpolated between those that did. Empty where the log has
    no such figures.
    """
    if quantity == "train loss":
        points = [(row.iteration, row.loss) for row in run.train]
    else:
        figure = accuracy if quantity == "test accuracy" else loss
        points = [(row.iteration, figure(run, row)) for row in run.test]
    known = np.array([(i, v) for i, v in points if v is not None and np.isfinite(v)], float).reshape(-1, 2)
    iterations, values = known[:, 0], known[:, 1]
    if x == "iteration":
        return Curve(iterations, values)
    rates = [(row.iteration, row.lr) for row in run.train if row.lr is not None]
    if not rates:
        return Curve(np.empty(0), np.empty(0))
    at, lr = np.array(rates, float).T
    return Curve(_interpolate(iterations, at, lr), values)


def _interpolate(x: np.ndarray, at: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Linear between the points, and on past the last one: a run's final test comes after its last displayed rate."""
    found = np.interp(x, at, values)
    if len(at) > 1:
        slope = (values[-1] - values[-2]) / (at[-1] - at[-2])
        found = np.where(x > at[-1], values[-1] + slope * (x - at[-1]), found)
    return found


def smooth(values: np.ndarray, share: float) -> np.ndarray:
    """The mean over a centred window of this share of the points; at the ends, of what is there of it.

    Few points want a wider window: it has 7 of them where there are 24 or more, and never less than 3.
    """
    half = max(1, min(3, len(values) // 8), round(len(values) * share / 2))
    total = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    first, stop = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    return (total[stop] - total[first]) / (stop - first)
