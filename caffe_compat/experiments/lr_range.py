"""Read a learning-rate range test: which largest rate it suggests, and whether super-convergence looks possible.

The test of Smith, arXiv:1506.01186: the rate grows from 0 (or from a small one, exponentially) while the
net trains and is tested. `stable` is the last rate up to which the smoothed test accuracy stays near its
peak. Super-convergence shows as a plateau of high accuracy that is several times as wide as the rate it
begins at; its regularisation shows where the training loss rises and the test loss falls along it
(arXiv:1708.07120, figure 4a).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.experiments.curves import Curve, curve, smooth
from caffe_compat.experiments.results import NAN_LOSS
from caffe_compat.log.read import RunLog

NEAR = 0.9  # of the peak: still on the plateau
WIDE = 5.0  # a plateau so many times as wide as its first rate
WINDOW = 0.1  # of the points, to smooth over
BEYOND = 10.0  # a rate of divergence below so many times the plateau's first rate bounds it
_LEARNT, _GOOD = (
    1.5,
    0.6,
)  # times the worst accuracy, and an accuracy that needs no such proof: less is no training
_LEAST_POINTS = 8
_MOST = 0.8  # of the points of a plateau are near its best
_GROWN = 4.0  # times the first loss


@dataclass
class Suggestion:
    """What a range test says. Rates are those of the solver; losses and accuracies are smoothed.

    score         what it is judged by: test accuracy, test loss or train loss
    peak, stable  the rates of the best score, and the last one near it
    start         the first rate near it
    max_lr        what to use; None where the net hardly learnt
    verdict       "likely", "possible" or "not seen"; why in `reasons`
    """

    score: str
    worst: float
    best: float
    peak: float
    start: float
    stable: float
    last: float
    diverged_at: float | None
    wobble: float
    train_loss: tuple[float, float] | None
    test_loss: tuple[float, float] | None
    max_lr: float | None = None
    verdict: str = ""
    reasons: tuple[str, ...] = ()

    @property
    def width(self) -> float:
        """The plateau's last rate over its first."""
        return self.stable / self.start if self.start > 0 else np.inf


def divergence(first: float, loss: float) -> bool:
    """Whether a training loss says that the net has diverged; `first` is the loss at the beginning."""
    return not np.isfinite(loss) or loss >= NAN_LOSS or loss > _GROWN * max(first, 1e-6)


def analyse(run: RunLog) -> Suggestion:
    """Read the log of a range test. Raises DataError for a log whose rate does not grow, or of too few points."""
    rates = [row.lr for row in run.train if row.lr is not None]
    if len(rates) < 2 or rates[-1] <= rates[0] or any(b < a for a, b in itertools.pairwise(rates)):
        raise DataError(
            f"{run.source}: the learning rate does not grow all along, so it is no range test; make one with "
            "caffe-compat lr-range --solver ..."
        )
    score = next(
        (s for s in ("test accuracy", "test loss", "train loss") if len(curve(run, s, "learning rate").x)), ""
    )
    losses = curve(run, "train loss", "learning rate")
    points = curve(run, score, "learning rate") if score else losses
    if len(points.x) < _LEAST_POINTS:
        raise DataError(
            f"{run.source}: {len(points.x)} points of {score or 'loss'}, and a range test needs {_LEAST_POINTS}; lower "
            "test_interval or raise --iterations"
        )
    diverged_at = _diverged_at(run)
    if diverged_at is not None:
        kept = points.x < diverged_at
        if kept.sum() >= 3:
            points = Curve(points.x[kept], points.y[kept])
    found = _plateau(score, points, diverged_at)
    for name in ("train loss", "test loss"):
        ends = _ends(curve(run, name, "learning rate"), found.start, found.stable)
        setattr(found, name.replace(" ", "_"), ends)
    _judge(found)
    return found


def _diverged_at(run: RunLog) -> float | None:
    """The rate at the first displayed loss that says so; the first loss of all may be far off and is not asked."""
    seen = [(row.lr, row.loss) for row in run.train if row.loss is not None and row.lr is not None]
    return next((lr for lr, loss in seen[1:] if divergence(seen[0][1], loss)), None)


def _plateau(score: str, points: Curve, diverged_at: float | None) -> Suggestion:
    higher = score == "test accuracy"
    smoothed = smooth(points.y, WINDOW)
    at = int(smoothed.argmax() if higher else smoothed.argmin())
    best = float(smoothed[at])
    # What is won is counted from before the best: after it a loss may have grown without bound.
    worst = float(points.y.min() if higher else smoothed[: at + 1].max())
    # An accuracy must stay above a share of its peak, a loss must keep that share of what was won.
    bound = NEAR * best if higher else best + (1 - NEAR) * (worst - best)
    near = smoothed >= bound if higher else smoothed <= bound
    last = at + _reach(near[at:])
    first = at - _reach(near[at::-1])
    inside = slice(first, last + 1)
    return Suggestion(
        score=score,
        worst=worst,
        best=best,
        peak=float(points.x[at]),
        start=float(points.x[first]),
        stable=float(points.x[last]),
        last=float(points.x[-1]),
        diverged_at=diverged_at,
        wobble=float(np.std(points.y[inside] - smoothed[inside])),
        train_loss=None,
        test_loss=None,
    )


def _reach(near: np.ndarray) -> int:
    """How many points on, from the first, most are near: a dip that the curve comes back from ends nothing."""
    share = np.cumsum(near) / np.arange(1, len(near) + 1)
    return int(np.flatnonzero(near & (share >= _MOST))[-1])


def _ends(points: Curve, start: float, stop: float) -> tuple[float, float] | None:
    """The mean in the first and the last third of a range of rates."""
    third = (stop - start) / 3
    first = points.y[(points.x >= start) & (points.x <= start + third)]
    last = points.y[(points.x >= stop - third) & (points.x <= stop)]
    return (float(first.mean()), float(last.mean())) if first.size and last.size else None


def _judge(s: Suggestion) -> None:
    form = ".1%" if s.score == "test accuracy" else ".3g"
    wide = f"{s.width:.1f} times as wide as where it begins ({WIDE:g} or more is wide)"
    reasons = [
        f"{s.score} {s.best:{form}} at its best, near rate {s.peak:.3g}; {s.worst:{form}} at its worst",
        f"within {1 - NEAR:.0%} of that from rate {s.start:.3g} to {s.stable:.3g}: {wide}",
        f"single tests scatter by {s.wobble:{form}} around that",
    ]
    if s.diverged_at is not None:
        times = f", {s.diverged_at / s.start:.1f} times where the plateau begins" if s.start > 0 else ""
        reasons.append(f"the training loss diverged at rate {s.diverged_at:.3g}{times}")
    elif s.stable >= s.last * 0.97:
        reasons.append(f"it holds to the end of the test, {s.last:.3g}: larger rates may work too")
    for name, ends in (("training", s.train_loss), ("test", s.test_loss)):
        if ends:
            way = "rises" if ends[1] > ends[0] else "falls"
            reasons.append(f"the {name} loss {way} along it, from {ends[0]:.3g} to {ends[1]:.3g}")
    if s.score == "test accuracy":
        learnt = s.best >= min(_GOOD, _LEARNT * s.worst)
    else:
        learnt = s.best < 0.9 * s.worst
    if not learnt:
        s.verdict = "not seen"
        reasons.append("the net hardly learnt at any of these rates: try smaller ones, or more iterations")
    elif s.width < WIDE or (s.diverged_at is not None and s.diverged_at < BEYOND * s.start):
        s.verdict, s.max_lr = "not seen", s.peak
    else:
        regular = (
            s.train_loss
            and s.test_loss
            and s.train_loss[1] > s.train_loss[0]
            and s.test_loss[1] <= s.test_loss[0]
        )
        s.verdict, s.max_lr = "likely" if regular else "possible", s.stable
    s.reasons = tuple(reasons)


def report(s: Suggestion) -> str:
    """The suggestion as lines of text, with solver fields to copy."""
    lines = [f"super-convergence: {s.verdict}", *(f"  - {reason}" for reason in s.reasons)]
    if s.max_lr is None:
        return "\n".join(lines)
    which = "the last stable rate" if s.max_lr == s.stable else "the rate of the peak"
    top = s.max_lr
    lines += [
        f"max_lr: {top:.3g}   ({which}; peak {s.peak:.3g}, last stable {s.stable:.3g})",
        f"base_lr: {top / 4:.3g} to {top / 3:.3g} for cycles, {top / 10:.3g} for one cycle",
        "one cycle, with N iterations in all:",
        f'  lr_policy: "1cycle" base_lr: {top / 10:.3g} max_lr: {top:.3g} stepsize: 0.45 N max_iter: N',
        "  momentum: 0.95 cyclical_momentum: 0.85 cyclical_momentum: 0.45 N",
        "  large rates regularise: compare weight decays with caffe-compat experiment grid --weight_decay 1e-3,1e-4,1e-5",
    ]
    return "\n".join(lines)


def ramp_settings(low: float, high: float, iterations: int, tests: int, exponential: bool) -> list[str]:
    """The `--set` values that turn any solver into a range test, linear or exponential.

    low, high   the first and the last rate; `low` must be above 0 for an exponential one
    tests       how often to test on the way
    """
    interval = max(1, iterations // tests)
    policy: dict[str, Any]
    if exponential:
        policy = {"lr_policy": "exp", "gamma": repr((high / low) ** (1 / iterations))}
    else:
        policy = {
            "lr_policy": "triangular",
            "max_lr": repr(high),
            "stepsize": iterations,
            "start_lr_policy": 0,
        }
    fields = {
        **policy,
        "base_lr": repr(low),
        "max_iter": iterations,
        "test_interval": interval,
        "display": max(1, interval // 2),
        "cyclical_momentum": "",
        "snapshot": 0,
        "snapshot_after_train": "false",
    }
    return [f"{name}={value}" for name, value in fields.items()]
