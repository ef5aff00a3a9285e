"""Two training logs side by side: final and best scores, and the area between the curves."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.log.runs import RunLog
from caffe_compat.parity.compare import AGREES, DIFFERS, PARTLY, Check, Curves

# Of an accuracy, absolute: two runs of one Caffe with different seeds differ by about half.
SCORE_TOLERANCE = 0.02
LOSS_TOLERANCE = 0.25  # of the area between loss curves, relative to Caffe's mean loss

Curve = tuple[list[float], list[float]]


def curve_checks(caffe: RunLog, ours: RunLog) -> list[Check]:
    """Whether our run went as Caffe's: the same rates, and scores and losses within what chance allows."""
    checks = [_rates(caffe, ours)]
    for name, net in _test_outputs(caffe):
        label = f"test {name}" + (f" (#{net})" if net else "")
        checks.append(_scores(label, _test(caffe, name, net), _test(ours, name, net), name in caffe.losses))
    loss = _loss(caffe)
    if loss[0]:
        checks.append(_scores("training loss", loss, _loss(ours), True))
    return checks


def curves_of(caffe: RunLog, ours: RunLog) -> Curves:
    """What a report draws: name -> (label, iterations, values) of both."""
    curves = {}
    for name, net in _test_outputs(caffe):
        label = f"test {name}" + (f" (#{net})" if net else "")
        curves[label] = [("Caffe", *_test(caffe, name, net)), ("ours", *_test(ours, name, net))]
    curves["training loss"] = [("Caffe", *_loss(caffe)), ("ours", *_loss(ours))]
    curves["learning rate"] = [(label, *_rate(run)) for label, run in (("Caffe", caffe), ("ours", ours))]
    return curves


def _rates(caffe: RunLog, ours: RunLog) -> Check:
    name = "our run: rates"
    theirs, mine = dict(zip(*_rate(caffe), strict=True)), dict(zip(*_rate(ours), strict=True))
    common = sorted(theirs.keys() & mine.keys())
    if not common:
        return Check(
            name, PARTLY, "the two logs show no rate of a common iteration; are they of the same solver?"
        )
    wrong = [i for i in common if not math.isclose(theirs[i], mine[i], rel_tol=1e-5)]
    details = (
        [f"iteration {wrong[0]:g}: {theirs[wrong[0]]:g} in Caffe's, {mine[wrong[0]]:g} in ours"]
        if wrong
        else []
    )
    return Check(name, DIFFERS if wrong else AGREES, f"{len(common)} common iterations", details)


def _scores(name: str, theirs: Curve, mine: Curve, is_loss: bool) -> Check:
    """Final and best value, and the mean distance of the two curves over the iterations both cover."""
    if not theirs[0] or not mine[0]:
        return Check(f"our run: {name}", PARTLY, "only one of the two logs has it")
    best = min if is_loss else max
    end = min(theirs[0][-1], mine[0][-1])
    (x, a), (u, b) = (_until(curve, end) for curve in (theirs, mine))
    grid = np.unique(np.concatenate([x, u]))
    grid = grid[grid >= max(x[0], u[0])]
    area = float(np.mean(np.abs(np.interp(grid, x, a) - np.interp(grid, u, b)))) if len(grid) else math.nan
    text = (
        f"to iteration {end:g}: final {a[-1]:.4g} and {b[-1]:.4g}, best {best(a):.4g} and {best(b):.4g} (Caffe's and "
        f"ours), mean distance {area:.3g}"
    )
    details = []
    if is_loss:
        mean = float(np.mean(np.abs(a)))
        if not area <= LOSS_TOLERANCE * mean:
            details.append(
                f"the mean distance is {area:.3g}, above {LOSS_TOLERANCE:g} of Caffe's mean {mean:.3g}"
            )
    else:
        pairs = {"final": (a[-1], b[-1]), "best": (best(a), best(b))}
        details += [
            f"the {what} values differ by {abs(p - q):.3g}, more than {SCORE_TOLERANCE:g}"
            for what, (p, q) in pairs.items()
            if not abs(p - q) <= SCORE_TOLERANCE
        ]
    check = Check(f"our run: {name}", DIFFERS if details else AGREES, text, details)
    if not details and mine[0][-1] < theirs[0][-1]:
        check.status = PARTLY
        check.details.append(f"our log ends at iteration {mine[0][-1]:g}, Caffe's at {theirs[0][-1]:g}")
    return check


def _until(curve: Curve, end: float) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.array(curve[0]), np.array(curve[1])
    return x[x <= end], y[x <= end]


def _test_outputs(run: RunLog) -> list[tuple[str, int]]:
    return list(dict.fromkeys((name, row.net) for row in run.test for name in row.outputs))


def _test(run: RunLog, name: str, net: int) -> Curve:
    points = [(r.iteration, r.outputs[name]) for r in run.test if r.net == net and name in r.outputs]
    return _curve(points)


def _loss(run: RunLog) -> Curve:
    return _curve([(row.iteration, row.loss) for row in run.train if row.loss is not None])


def _rate(run: RunLog) -> Curve:
    return _curve([(row.iteration, row.lr) for row in run.train if row.lr is not None])


def _curve(points: list[tuple[int, float]]) -> Curve:
    known = [(float(x), y) for x, y in points if not math.isnan(y)]
    return [x for x, _ in known], [y for _, y in known]
