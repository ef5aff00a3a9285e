"""A bundle's solver run here: freely from the same start, and iteration by iteration from Caffe's own weights."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from caffe_compat.errors import CaffeError, some
from caffe_compat.net.net import Net
from caffe_compat.parity.bundle import Bundle
from caffe_compat.parity.compare import Report, Row, compare, worst
from caffe_compat.parity.diagnosis import Diagnosis
from caffe_compat.parity.iterations import Iterations, Step
from caffe_compat.parity.learned import CANCELLED, blob, cancelled_biases, fixed_blobs
from caffe_compat.parity.nets import TOLERANCE, add_net_rows, refused
from caffe_compat.solver.solver import Solver

STEP_TOLERANCE = 2e-3
LOSS, RATE, WEIGHTS, UPDATE, GRADIENT, SCORE = "loss", "rate", "weights", "update", "gradient", "test score"
_EPS = float(np.finfo(np.float32).eps)
_KINK_COSINE, _KINK_LENGTH = 0.999, 0.02  # of gradients that some kinks moved
_RATE_TOLERANCE = 1e-5  # a log prints six digits


def validate_solver(bundle: Bundle, tolerance: float | None = None, replicas: int = 1) -> Report:
    """Compare losses, rates, updates and weights of a solver's iterations; name what departs first, and where.

    `tolerance` is that of values; losses, updates and weights may differ by ten times as much. `replicas` is for
    a bundle of a data-parallel run.
    """
    tolerance = tolerance or TOLERANCE
    report = Report(bundle.path, "solver", tolerance, notes=list(bundle.notes))
    if "loss" not in bundle.arrays:
        report.missing.append(f"{bundle.path}: no losses of iterations")
    if bundle.names("blob"):
        add_net_rows(bundle, report)
    if "loss" in bundle.arrays:
        try:
            _Steps(bundle, report, tolerance * STEP_TOLERANCE / TOLERANCE, replicas).run()
        except CaffeError as error:
            if report.first is None:
                refused(bundle, report, error)
            else:
                report.notes.append(f"no iterations were made, since the net does not fit: {error}")
    if bundle.arrays.cut and not report.missing:
        report.missing.append(f"{bundle.path} is cut short")
    return report


class _Steps:
    def __init__(self, bundle: Bundle, report: Report, tolerance: float, replicas: int):
        self.bundle, self.arrays, self.report = bundle, bundle.arrays, report
        self.tolerance = tolerance
        self.losses = self.arrays["loss"]
        self.ours = Iterations(bundle, replicas, report.missing)
        self.keys, self.values = self.ours.keys, self.ours.values

    def run(self) -> None:
        solver = self.ours.solver()
        random = [
            f"layer '{layer.name}' ({layer.type}) {why}"
            for layer in solver.net.layers
            if not layer.is_data and (why := layer.random_reason())
        ]
        if random:
            self.report.missing.append(
                f"iterations: {'; '.join(random)}, so other numbers come out in every run"
            )
            return
        strange = [key for key in self.keys if not self.ours.fits(solver.net, key)]
        if strange:
            self.report.missing.append(f"parameters {some(strange)} do not fit; is it another net?")
            return
        self._freely(solver)
        self._from_theirs(self.ours.solver())

    def _freely(self, solver: Solver) -> None:
        """From the first weights on, nothing but our own numbers: losses, rates, scores and weights."""
        rows: dict[str, list[Row]] = {}
        drifting = self._drifting(solver.net)
        scores: list[dict[str, list[float]]] = []
        ours, due = [], solver.param.test_interval
        for k, loss in enumerate(self.losses):
            if due and k % due == 0 and (k or solver.param.test_initialization):
                solver.test(0)
                scores.append(dict(solver.test_scores))
            step = self.ours.step(solver, k)
            ours.append(step.loss)
            rows.setdefault(LOSS, []).append(self._row(LOSS, "loss", k, step.loss, loss))
            if "lr" in self.arrays:
                row = Row("", "", RATE, "learning rate", note=f"iteration {k}")
                rows.setdefault(RATE, []).append(
                    compare(row, np.float64(step.lr), np.float64(self.arrays["lr"][k]), _RATE_TOLERANCE, 0)
                )
            for key in self.keys:
                if key in drifting:
                    continue
                row = self._row(WEIGHTS, key, k, step.after[key], self.values[key][k + 1])
                rows.setdefault(key, []).append(row)
        for name in self.bundle.names("test") if due else ():
            for k, value in enumerate(self.arrays[f"test.{name}"][: len(scores)]):
                row = self._row(SCORE, name, k * due, scores[k][name][0], value)
                rows.setdefault(f"test.{name}", []).append(row)
        self.report.rows += [worst(some) for some in rows.values()]
        for key, why in drifting.items():
            self.report.rows.append(self._named(WEIGHTS, key, compared=False, note=why))
        x = [float(k) for k in range(len(ours))]
        self.report.curves["loss"] = [("Caffe", x, [float(v) for v in self.losses]), ("ours", x, ours)]

    def _from_theirs(self, solver: Solver) -> None:
        """Each iteration from Caffe's weights: what is wrong then was done wrong in that iteration."""
        rows: dict[str, list[Row]] = {}
        noise = cancelled_biases(solver.net)
        statistics = fixed_blobs(solver.net)
        steps: list[Step] = []
        for k, loss in enumerate(self.losses):
            for key in self.keys:
                with torch.no_grad():
                    blob(solver.net, key).copy_(torch.from_numpy(self.values[key][k]))
            step = self.ours.step(solver, k)
            steps.append(step)
            rows.setdefault(LOSS, []).append(
                self._row(LOSS, "loss, from Caffe's weights", k, step.loss, loss)
            )
            for key in self.keys:
                if key in noise:
                    continue
                if f"grad_of.{key}" in self.arrays and key not in statistics:
                    theirs = self.arrays[f"grad_of.{key}"][k]
                    row = self._row(
                        GRADIENT, key, k, step.gradients[key].reshape(theirs.shape), theirs, floor=1e-5
                    )
                    rows.setdefault(f"grad_of.{key}", []).append(row)
                before, after = self.values[key][k], self.values[key][k + 1]
                rounding = 4 * _EPS * float(np.abs(before).max(initial=0))
                row = self._row(
                    UPDATE,
                    key,
                    k,
                    step.before[key] - step.after[key],
                    before - after,
                    floor=0,
                    noise=rounding,
                )
                rows.setdefault(f"update.{key}", []).append(row)
        self.report.rows += [worst(some) for some in rows.values()]
        self.report.rows += [self._named(UPDATE, key, compared=False, note=CANCELLED) for key in noise]
        self.report.guilty += Diagnosis(self.values, solver, steps, rows).findings()

    def _drifting(self, net: Net) -> dict[str, str]:
        """Blobs that rounding moves freely: biases that BatchNorm takes out, and the means it stores of them."""
        found: dict[str, str] = {}
        for bias, mean in cancelled_biases(net).items():
            found[bias] = CANCELLED
            found[mean] = "holds the mean of a bias that is rounding noise; its updates are compared instead"
        return {key: why for key, why in found.items() if key in self.values}

    def _row(
        self,
        what: str,
        name: str,
        k: int,
        ours: Tensor | float,
        theirs: np.ndarray,
        floor: float = 1e-3,
        noise: float = 0.0,
    ) -> Row:
        row = self._named(what, name, note=f"iteration {k}")
        compare(row, ours, np.asarray(theirs), self.tolerance, floor, noise)
        moved = self.report.kinks and what in (GRADIENT, UPDATE, WEIGHTS)
        if not row.agrees and moved and isinstance(ours, Tensor):
            _forgive_kinks(row, ours, theirs)
        return row

    def _named(self, what: str, name: str, note: str, compared: bool = True) -> Row:
        layer, dot, index = name.rpartition(".")
        if not dot or name not in self.values:
            return Row("", "", what, name, note=note, compared=compared)
        return Row(layer, "", what, f"{layer}[{index}]", note=note, compared=compared)


def _forgive_kinks(row: Row, ours: Tensor, theirs: np.ndarray) -> None:
    """Let `row` agree if what differs is spread like the few gradients that pass a kink here and not in Caffe.

    Of those the whole array keeps direction and length; a wrong rate, momentum or decay changes one of them.
    """
    a, b = ours.double().numpy().ravel(), np.asarray(theirs, np.float64).ravel()
    length = float(np.dot(b, b))
    factor = float(np.dot(a, b)) / length if length else math.nan
    if row.cosine >= _KINK_COSINE and abs(factor - 1) <= _KINK_LENGTH:
        row.agrees = True
        row.note += "; within what kinks do"
