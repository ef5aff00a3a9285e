"""Read a learning-rate range test: which largest rate it suggests, and whether super-convergence looks possible.

The test of Smith, arXiv:1506.01186: the rate grows from 0 (or from a small one, exponentially) while the
net trains and is tested. `stable` is the last rate up to which the smoothed test accuracy stays near its
peak and the net is alive: it scores better than a constant guess would. Super-convergence shows as a plateau of high accuracy that is several times as wide as the rate it
begins at; its regularisation shows where the training loss rises and the test loss falls along it
(arXiv:1708.07120, figure 4a).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.experiments import chance
from caffe_compat.experiments.curves import Curve, curve, smooth
from caffe_compat.experiments.results import LOST, accuracy_name
from caffe_compat.log.runs import RunLog

NEAR = 0.9  # of the peak: still on the plateau
WIDE = 5.0  # a plateau so many times as wide as its first rate
WINDOW = 0.1  # of the points, to smooth over
BEYOND = 10.0  # a rate of divergence below so many times the plateau's first rate bounds it
_GOOD = 0.6  # an accuracy that needs no other proof that the net has learnt
_LEARNT = 0.95  # of the loss of a constant guess: a net below it has learnt something
_FEW, _LEAST_POINTS = 3, 8  # below these, a curve suggests nothing, and no super-convergence
_MOST = 0.8  # of the points of a plateau are near its best
_GROWN = 4.0  # times the first loss
_TRAINED = 10.0  # the same of a net that was trained before, whose loss before that nobody knows
SCORES = ("test accuracy", "test loss", "train loss")  # the first that there is judges


@dataclass
class Suggestion:
    """What a range test says. Rates are those of the solver; losses and accuracies are smoothed.

    score         what it is judged by: test accuracy, test loss or train loss; "" where the log shows none
    points        how many scores there are, up to a divergence
    chance        the score of a net that has learnt nothing; None where the log does not tell
    loss_level    the median of the losses (training, test), and `loss_chance` those of such a net
    dead_at       the first rate from which on the net is dead, to the end
    learnt        whether any rate did better than such a net
    peak, stable  the rates of the best score, and the last one near it
    start         the first rate near it
    max_lr        what to use; None where the net hardly learnt
    verdict       "likely", "possible" or "not seen"; why in `reasons`
    """

    score: str = ""
    points: int = 0
    chance: float | None = None
    worst: float | None = None
    best: float | None = None
    learnt: bool = False
    peak: float | None = None
    start: float | None = None
    stable: float | None = None
    last: float | None = None
    diverged_at: float | None = None
    dead_at: float | None = None
    wobble: float | None = None
    loss_level: tuple[float | None, float | None] = (None, None)
    loss_chance: tuple[float | None, float | None] = (None, None)
    train_loss: tuple[float, float] | None = None
    test_loss: tuple[float, float] | None = None
    max_lr: float | None = None
    verdict: str = ""
    reasons: tuple[str, ...] = ()

    @property
    def width(self) -> float:
        """The plateau's last rate over its first."""
        assert self.start is not None and self.stable is not None
        return self.stable / self.start if self.start > 0 else np.inf


def divergence(first: float, loss: float, chance: float | None = None) -> bool:
    """Whether a training loss says that the net has diverged.

    first, chance   the loss at the beginning, and that of a net that has learnt nothing: a trained net starts below
    """
    scale = max(abs(first), abs(chance or 0.0))
    return not np.isfinite(loss) or abs(loss - LOST) < 0.01 or (scale > 0 and loss > _GROWN * scale)


def analyse(run: RunLog) -> Suggestion:
    """Read the log of a range test. Raises DataError for a log whose rate does not grow."""
    rates = [row.lr for row in run.train if row.lr is not None]
    if (
        not rates
        or (len(rates) > 1 and rates[-1] <= rates[0])
        or any(b < a for a, b in itertools.pairwise(rates))
    ):
        raise DataError(
            f"{run.source}: the learning rate does not grow all along, so it is no range test; make one with "
            "caffe-compat lr-range --solver ..."
        )
    known = chance.of(run, next((name for row in run.test if (name := accuracy_name(row))), ""))
    diverged_at = _diverged_at(run, known.train)
    curves = {name: _until(curve(run, name, "learning rate"), diverged_at) for name in SCORES}
    score = next((name for name in SCORES if len(curves[name].x) >= _LEAST_POINTS), "")
    score = score or max(SCORES, key=lambda name: len(curves[name].x))
    found = Suggestion(diverged_at=diverged_at, last=rates[-1])
    if len(curves[score].x):
        found = _plateau(run, score, curves, known)
        found.diverged_at = diverged_at
        for name in ("train loss", "test loss"):
            ends = _ends(curve(run, name, "learning rate"), found.start or 0.0, found.stable or 0.0)
            setattr(found, name.replace(" ", "_"), ends)
        found.loss_chance = known.train, known.test
    both = (curves["train loss"].y, curves["test loss"].y)
    found.loss_level = tuple(float(np.median(y)) if len(y) else None for y in both)  # type: ignore[assignment]
    _judge(found)
    return found


def loss_before(run: RunLog, known: float | None, first: float) -> float | None:
    """The training loss of the net before any training, if the log tells it; a trained net begins far below it."""
    return _TRAINED * first if known is None and run.weights else known


def _until(points: Curve, rate: float | None) -> Curve:
    """The points below a rate."""
    kept = points.x < (np.inf if rate is None else rate)
    return Curve(points.x[kept], points.y[kept])


def _diverged_at(run: RunLog, known: float | None) -> float | None:
    """The rate from which on the displayed losses say so; a loss that comes back was a spike.

    The first loss of all may be far off and is not asked, unless it is no number.
    """
    seen = [(row.lr, row.loss) for row in run.train if row.loss is not None and row.lr is not None]
    if not seen:
        return None
    first = next((loss for _, loss in seen if np.isfinite(loss)), np.nan)
    known = loss_before(run, known, first)
    at = None
    for i, (lr, loss) in enumerate(seen):
        lost = divergence(first, loss, known) if i or not np.isfinite(loss) else False
        at = (lr if at is None else at) if lost else None
    return at


def _plateau(run: RunLog, score: str, curves: dict[str, Curve], known: chance.Chance) -> Suggestion:
    higher = score == "test accuracy"
    points = curves[score]
    smoothed = smooth(points.y, WINDOW)
    alive, guess = _alive(run, score, curves, known)
    candidates = np.where(alive, smoothed, -np.inf if higher else np.inf) if alive.any() else smoothed
    at = int(candidates.argmax() if higher else candidates.argmin())
    best = float(smoothed[at])
    # What is won is counted from before the best, or from a constant guess: after it a loss may have grown without bound.
    worst = float(points.y.min() if higher else smoothed[: at + 1].max())
    base = worst if guess is None or higher else min(worst, guess)
    if higher:
        base = guess if guess is not None and guess < best else 0.0
    bound = base + NEAR * (best - base)
    near = (smoothed >= bound if higher else smoothed <= bound) & (alive | ~alive.any())
    near[at] = True
    last = at + _reach(near[at:])
    first = at - _reach(near[at::-1])
    inside = slice(first, last + 1)
    dead = len(alive) - int(np.argmax(alive[::-1])) if alive.any() else 0
    return Suggestion(
        score=score,
        points=len(points.x),
        chance=guess,
        worst=worst,
        best=best,
        learnt=bool(alive.any()),
        peak=float(points.x[at]),
        start=float(points.x[first]),
        stable=float(points.x[last]),
        last=float(points.x[-1]),
        dead_at=float(points.x[dead]) if dead < len(alive) else None,
        wobble=float(np.std(points.y[inside] - smoothed[inside])),
    )


def _alive(
    run: RunLog, score: str, curves: dict[str, Curve], known: chance.Chance
) -> tuple[np.ndarray, float | None]:
    """Where the net does better than a constant guess, at the points of the score; and that guess's score."""
    x, y = curves[score]
    losses = {name: _at(curves[name], x) for name in ("train loss", "test loss")}
    trains = _at(Curve(curves["train loss"].x, smooth(curves["train loss"].y, WINDOW)), x)
    guess = {"train loss": known.train, "test loss": known.test}
    alive = np.zeros(len(x), bool)
    by_accuracy = None
    if score == "test accuracy":
        share = chance.guess_share(y, losses["test loss"], trains, known.classes)
        if share:
            at = np.abs(y - share) <= 0.02
            for name, values in (("train loss", trains), ("test loss", losses["test loss"])):
                if np.isfinite(values[at]).any():
                    guess[name] = min(guess[name] or np.inf, float(np.nanmedian(values[at])))
        unknown = (
            0.0 if run.weights else float(y.min())
        )  # a net that was trained before may never have been worse
        by_accuracy = max(share, unknown if known.accuracy is None else known.accuracy)
        margin = max(
            2 * _noise(y), min(0.5 * by_accuracy, 0.05), 0.2 * (float(smooth(y, WINDOW).max()) - by_accuracy)
        )
        above = by_accuracy + margin
        alive |= (smooth(y, WINDOW) > above) & (y > above)
        if not share and known.accuracy is None:
            alive |= y >= _GOOD
    for name, values in losses.items():
        level = guess[name]
        if level is None and score == name:
            level = guess[name] = _before(run, curves[name])
        if level is None or not np.isfinite(values).any():
            continue
        below = _LEARNT * level if level > 0 else level
        smoothed = trains if name == "train loss" else smooth(values, WINDOW)
        alive |= (values < below) & (smoothed < min(below, level - 1.5 * _noise(curves[name].y)))
    if score != "test accuracy":
        return alive, guess[score]
    return alive, by_accuracy if share or known.accuracy is not None else None


def _noise(values: np.ndarray) -> float:
    """How far single values scatter around their curve; jumps of a few of them do not count."""
    return float(np.median(np.abs(np.diff(values)))) * 1.05 if len(values) > 2 else 0.0


def _before(run: RunLog, points: Curve) -> float:
    """The loss of the net as it was before: of one that is to learn, what it has to get below."""
    first = float(points.y[0])
    return first + abs(first) if run.weights else first


def _at(points: Curve, x: np.ndarray) -> np.ndarray:
    """A curve's values at other rates; NaN where there is none."""
    return np.interp(x, points.x, points.y) if len(points.x) else np.full(len(x), np.nan)


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
    """The verdict, what to use, and the reasons."""
    s.verdict = "not seen"
    if s.points < _FEW or s.start is None or s.stable is None or s.last is None:
        again = "make a longer one, with more tests"
        if s.diverged_at:
            again = f"again with --max-lr {s.diverged_at:.3g} at most"
        s.reasons = (
            *_of_divergence(s),
            f"{s.points} points of {s.score or 'any score'} are too few to judge: {again}",
        )
        return
    form = ".1%" if s.score == "test accuracy" else ".3g"
    guess = "" if s.chance is None else f"; a net that has learnt nothing has {s.chance:{form}}"
    reasons = []
    if s.learnt:
        wide = f"{s.width:.1f} times as wide as where it begins ({WIDE:g} or more is wide)"
        reasons = [
            f"{s.score} {s.best:{form}} at its best, near rate {s.peak:.3g}; {s.worst:{form}} at its worst{guess}",
            f"within {1 - NEAR:.0%} of that from rate {s.start:.3g} to {s.stable:.3g}: {wide}",
            f"single tests scatter by {s.wobble:{form}} around that",
        ]
    reasons += _of_divergence(s)
    if s.dead_at is not None and s.learnt:
        reasons.append(f"from rate {s.dead_at:.3g} on the net is dead: it scores what a constant guess would")
    if s.diverged_at is None and s.dead_at is None and s.learnt and s.stable >= s.last * 0.97:
        reasons.append(f"it holds to the end of the test, {s.last:.3g}: larger rates may work too")
    for name, ends in (("training", s.train_loss), ("test", s.test_loss)):
        if ends and s.learnt:
            way = "rises" if ends[1] > ends[0] else "falls"
            reasons.append(f"the {name} loss {way} along it, from {ends[0]:.3g} to {ends[1]:.3g}")
    if not s.learnt:
        reasons.append("the net hardly learnt at any of these rates: try smaller ones, or more iterations")
        reasons.append(f"its {s.score} is {s.best:{form}} at its best{guess}")
        for name, level, known in zip(("training", "test"), s.loss_level, s.loss_chance, strict=True):
            if level is not None and known is not None:
                reasons.append(
                    f"its {name} loss stands at {level:.3g}, where a net that has learnt nothing has {known:.3g}"
                )
    elif s.points < _LEAST_POINTS:
        s.max_lr = s.peak
        again = f"--max-lr {s.diverged_at:.3g}" if s.diverged_at else "more iterations"
        reasons.append(
            f"{s.points} points are few, and a range test needs {_LEAST_POINTS}: repeat it with {again}"
        )
    elif s.width < WIDE or (s.diverged_at is not None and s.diverged_at < BEYOND * s.start):
        s.max_lr = s.peak
    else:
        regular = (
            s.train_loss
            and s.test_loss
            and s.train_loss[1] > s.train_loss[0]
            and s.test_loss[1] <= s.test_loss[0]
        )
        s.verdict, s.max_lr = "likely" if regular else "possible", s.stable
    if not s.max_lr:  # the peak of a linear ramp may be at rate 0
        s.max_lr = None
    s.reasons = tuple(reasons)


def _of_divergence(s: Suggestion) -> list[str]:
    if s.diverged_at is None:
        return []
    times = f", {s.diverged_at / s.start:.1f} times where the plateau begins" if s.start and s.learnt else ""
    return [f"the training loss diverged at rate {s.diverged_at:.3g}{times}"]


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
    policy: dict[str, str | int]
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
