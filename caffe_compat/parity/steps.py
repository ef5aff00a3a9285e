"""A bundle's solver run here: freely from the same start, and iteration by iteration from Caffe's own weights."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from caffe_compat.errors import CaffeError, DataError, some
from caffe_compat.layers.base import Context
from caffe_compat.layers.input import Input
from caffe_compat.net import weights
from caffe_compat.net.net import Net
from caffe_compat.parity import stand_in
from caffe_compat.parity.bundle import Bundle
from caffe_compat.parity.compare import Report, Row, compare, worst
from caffe_compat.parity.replay import (
    CANCELLED,
    TOLERANCE,
    add_net_rows,
    cancelled_biases,
    learned,
    refused,
)
from caffe_compat.proto import TRAINING_NETS, SolverParameter
from caffe_compat.solver.solver import Solver

STEP_TOLERANCE = 2e-3
LOSS, RATE, WEIGHTS, UPDATE, GRADIENT, SCORE = "loss", "rate", "weights", "update", "gradient", "test score"
_EPS = float(np.finfo(np.float32).eps)
_KINK_COSINE, _KINK_LENGTH = 0.999, 0.02  # of gradients that some kinks moved
_RATE_TOLERANCE = 1e-5  # a log prints six digits


@dataclass
class _Step:
    """What one iteration of ours gave; the arrays by `<layer>.<index>`."""

    lr: float
    loss: float
    gradients: dict[str, Tensor]
    before: dict[str, Tensor]
    after: dict[str, Tensor]


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
        self.tolerance, self.replicas = tolerance, replicas
        self.losses = self.arrays["loss"]
        self.keys = bundle.names("w")
        self.values = {key: self.arrays[f"w.{key}"] for key in self.keys}
        self.inputs = {name: self.arrays[f"in.{name}"] for name in bundle.names("in")}

    def run(self) -> None:
        solver = self._solver()
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
        strange = [key for key in self.keys if not self._fits(solver.net, key)]
        if strange:
            self.report.missing.append(f"parameters {some(strange)} do not fit; is it another net?")
            return
        self._freely(solver)
        self._from_theirs(self._solver())

    # -- running ------------------------------------------------------------------------------

    def _solver(self) -> Solver:
        """Our solver of the bundle, which makes no files, on the recorded batches where there are any."""
        param = SolverParameter()
        param.CopyFrom(self.bundle.solver)
        tests = any(self.bundle.names("test")) and not self.inputs
        cleared = ["snapshot", "display", "weights", "random_seed", *TRAINING_NETS]
        if tests and param.HasField("net"):
            cleared.remove("net")
        else:
            cleared += ["test_iter", "test_interval", "test_net", "test_net_param", "test_state"]
        for field in cleared:
            param.ClearField(field)
        param.snapshot_after_train = False
        if not param.HasField("net"):
            param.net_param.CopyFrom(self.bundle.net_param)
            param.net_param.state.Clear()
            if self.inputs:
                unknown = stand_in.replace(param.net_param, self._input_shapes, self.bundle.notes)
                self.report.missing += [f"iterations: layer '{name}': {why}" for name, why in unknown.items()]
        solver = Solver(param, root=self.bundle.root, replicas=self.replicas)
        start = self.bundle.weights
        if start:
            weights.copy_trained_layers_from(solver.net, start)
        if not self.inputs:
            for layer in solver.net.data_layers():
                layer.skip_batches(self.bundle.meta.get("batches_before", 0))
        return solver

    def _input_shapes(self, param: Any) -> list[tuple[int, ...]] | None:
        known = all(name in self.inputs for name in param.top)
        return [self.inputs[name].shape[1:] for name in param.top] if known else None

    def _step(self, solver: Solver, k: int) -> _Step:
        """Iteration k, the way Solver.step makes it."""
        net, forwards = solver.net, solver.param.iter_size
        before = self._blobs(net)
        net.clear_param_diffs()
        for number in range(forwards):
            self._serve(net, k * forwards + number)
            loss, _ = net.forward_backward()
        gradients = {}
        for key in self.keys:
            owner = _owner(net, key)
            gradients[key] = torch.zeros_like(owner) if owner.grad is None else owner.grad.detach().clone()
        position = solver.schedule.current_step
        lr = solver.schedule.at(solver.iter).lr
        solver.schedule.current_step = position  # looking must not move multistep on
        solver.apply_update()
        return _Step(lr, float(loss), gradients, before, self._blobs(net))

    def _serve(self, net: Net, number: int) -> None:
        """Put the recorded batch into the Input layers."""
        for layer in net.data_layers():
            if layer.type == "Input":
                cast(Input, layer).tops = [
                    torch.from_numpy(self.inputs[name][number]) for name in layer.param.top
                ]

    def _blobs(self, net: Net) -> dict[str, Tensor]:
        return {key: _blob(net, key).detach().clone() for key in self.keys}

    def _fits(self, net: Net, key: str) -> bool:
        blob = learned(net, key)
        return blob is not None and tuple(blob.shape) == self.values[key].shape[1:]

    # -- comparing ----------------------------------------------------------------------------

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
            step = self._step(solver, k)
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
        noise = {f"{solver.net.layer_names[i]}.{index}" for i, index in cancelled_biases(solver.net)}
        statistics = fixed_blobs(solver.net)
        steps: list[_Step] = []
        for k, loss in enumerate(self.losses):
            for key in self.keys:
                with torch.no_grad():
                    _blob(solver.net, key).copy_(torch.from_numpy(self.values[key][k]))
            step = self._step(solver, k)
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
        self.report.guilty += _Diagnosis(self, solver, steps, rows).findings()

    def _drifting(self, net: Net) -> dict[str, str]:
        """Blobs that rounding moves freely: biases that BatchNorm takes out, and the means it stores of them."""
        found: dict[str, str] = {}
        for i, index in cancelled_biases(net):
            found[f"{net.layer_names[i]}.{index}"] = CANCELLED
            for j, bottoms in enumerate(net.bottom_names):
                if net.layers[j].type == "BatchNorm" and j > i and bottoms[0] in net.top_names[i]:
                    why = "holds the mean of a bias that is rounding noise; its updates are compared instead"
                    found[f"{net.layer_names[j]}.0"] = why
        return {key: why for key, why in found.items() if key in self.values}

    def _row(
        self, what: str, name: str, k: int, ours: Any, theirs: Any, floor: float = 1e-3, noise: float = 0.0
    ) -> Row:
        row = self._named(what, name, note=f"iteration {k}")
        compare(row, ours, np.asarray(theirs), self.tolerance, floor, noise)
        if not row.agrees and self.report.kinks and what in (GRADIENT, UPDATE, WEIGHTS):
            _forgive_kinks(row, ours, theirs)
        return row

    def _named(self, what: str, name: str, **fields: Any) -> Row:
        layer, dot, index = name.rpartition(".")
        if not dot or name not in self.values:
            return Row("", "", what, name, **fields)
        return Row(layer, "", what, f"{layer}[{index}]", **fields)


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


class _Diagnosis:
    """Which part of the first departing iteration is to blame, from iterations that started at Caffe's weights."""

    def __init__(self, steps: _Steps, solver: Solver, made: list[_Step], rows: dict[str, list[Row]]):
        self.steps, self.solver, self.made, self.rows = steps, solver, made, rows

    def findings(self) -> list[str]:
        k, found = self._first(LOSS)
        if found:
            return [
                f"iteration {k}: the loss from Caffe's own weights departs, so the net's forward pass does"
            ]
        k, found = self._first("grad_of.")
        if found:
            names = ", ".join(found)
            return [
                f"iteration {k}: the gradient of {names} departs while the loss agrees, so the backward pass does"
            ]
        k, found = self._first("update.")
        if not found:
            return []
        statistics = fixed_blobs(self.solver.net)
        updates = [key for key in found if key not in statistics]
        lines = [
            f"iteration {k}: layer '{key.rpartition('.')[0]}' changed its own blob {key} in the forward pass otherwise"
            for key in found
            if key in statistics
        ]
        if updates:
            known = any(name.startswith("grad_of.") for name in self.rows)
            agrees = "loss and gradients agree" if known else "the loss agrees"
            lines.append(
                f"iteration {k}: the update of {', '.join(updates)} departs while {agrees}: "
                f"{self._terms(k, updates) or f'the update rule {self.solver.param.type} does'}"
            )
        return lines

    def _first(self, kind: str) -> tuple[int, list[str]]:
        """The first iteration in which rows of this kind depart, and whose they are."""
        bad = {name: rows for name, rows in self.rows.items() if name.startswith(kind)}
        for k in range(len(self.made)):
            names = [name.removeprefix(kind) for name, rows in bad.items() if not rows[k].agrees]
            if names or (kind in bad and not bad[kind][k].agrees):
                return k, names or [kind]
        return 0, []

    def _terms(self, k: int, keys: list[str]) -> str:
        """For SGD: which of rate, momentum and decay differs.

        Caffe's update is rate * gradient + momentum * (the update before) + rate * decay * weights, so its
        three factors, and ours, follow from least squares over the departing blobs' elements.
        """
        param = self.solver.param
        if param.type != "SGD" or param.clip_gradients >= 0 or param.regularization_type != "L2":
            return ""
        names = ["rate", "momentum", "weight decay"]
        columns: list[list[np.ndarray]] = [[], [], []]
        theirs, ours = [], []
        mults = {
            f"{self.solver.net.layer_names[b.layer]}.{b.index}": (b.lr_mult, b.decay_mult)
            for b in self.solver.net.learned
        }
        for key in keys:
            if key not in mults:
                return ""
            lr_mult, decay_mult = mults[key]
            values, step = self.steps.values[key], self.made[k]
            gradient = step.gradients[key].numpy().reshape(values.shape[1:]) / param.iter_size
            before = values[k - 1] - values[k] if k else np.zeros_like(values[0])
            for column, term in zip(
                columns, (lr_mult * gradient, before, lr_mult * decay_mult * values[k]), strict=True
            ):
                column.append(np.asarray(term, np.float64).ravel())
            theirs.append((values[k] - values[k + 1]).astype(np.float64).ravel())
            ours.append((step.before[key] - step.after[key]).double().numpy().ravel())
        matrix = np.stack([np.concatenate(column) for column in columns], 1)
        used = [j for j in range(3) if matrix[:, j].any()]
        matrix = matrix[:, used]
        fits = [np.linalg.lstsq(matrix, np.concatenate(side), rcond=None)[0] for side in (theirs, ours)]
        wanted = np.concatenate(theirs)
        rest = np.linalg.norm(matrix @ fits[0] - wanted)
        if rest > 1e-2 * np.linalg.norm(wanted):
            return "Caffe's is no sum of our gradient, the last update and the weights: gradient or clipping differ"
        differing = []
        for j, their, our in zip(used, *fits, strict=True):
            size = np.linalg.norm(matrix[:, used.index(j)]) * abs(their - our)
            if size > 0.1 * np.linalg.norm(matrix @ (fits[0] - fits[1])):
                differing.append(f"{names[j]} term (Caffe's factor {their:.4g}, ours {our:.4g})")
        return f"the {' and the '.join(differing)} differs" if differing else ""


def fixed_blobs(net: Net) -> set[str]:
    """`<layer>.<index>` of the blobs that have no gradient: statistics that the forward pass keeps."""
    return {f"{layer.name}.{index}" for layer in net.layers for index in layer.fixed_blobs}


def validate_data(bundle: Bundle, tolerance: float = 0.0) -> Report:
    """Compare the batches that data layers serve, which must be equal."""
    report = Report(bundle.path, "data", tolerance, notes=list(bundle.notes))
    net = Net(bundle.net_param, context=Context(root=bundle.root))
    served = {int(match[1]) for key in bundle.arrays if (match := re.match(r"batch(\d+)\.", key))}
    for batch in (f"batch{number}" for number in sorted(served)):
        for layer in net.data_layers():
            for name, top in zip(layer.param.top, layer.load(net.device), strict=True):
                if f"{batch}.{name}" not in bundle.arrays:
                    raise DataError(f"{bundle.path}: lacks {batch}.{name}; is it of another net?")
                row = Row(layer.name, layer.type, batch, name)
                report.rows.append(compare(row, top, bundle.arrays[f"{batch}.{name}"], tolerance))
    if bundle.arrays.cut:
        report.missing.append(f"{bundle.path} is cut short")
    report.guilty += [
        f"layer '{name}' ({kind}) serves other values"
        for name, kind in _unique((row.layer, row.type) for row in report.rows if not row.agrees)
    ]
    return report


def _unique(items: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
    return list(dict.fromkeys(items))


def _blob(net: Net, key: str) -> Tensor:
    blob = learned(net, key)
    assert blob is not None
    return blob


def _owner(net: Net, key: str) -> Tensor:
    name, _, index = key.rpartition(".")
    layer = net.layer(name)
    assert layer is not None
    return layer.owned_blobs()[int(index)]
