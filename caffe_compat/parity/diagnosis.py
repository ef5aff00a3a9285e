"""Which part of an iteration went another way than Caffe's: forward, backward, or a term of the update."""

from __future__ import annotations

import numpy as np

from caffe_compat.parity.compare import Row
from caffe_compat.parity.iterations import Step
from caffe_compat.parity.learned import fixed_blobs
from caffe_compat.solver.solver import Solver


class Diagnosis:
    """Which part of the first departing iteration is to blame, from iterations that started at Caffe's weights."""

    def __init__(
        self, values: dict[str, np.ndarray], solver: Solver, made: list[Step], rows: dict[str, list[Row]]
    ):
        self.values, self.solver, self.made, self.rows = values, solver, made, rows

    def findings(self) -> list[str]:
        k, found = self._first("loss")
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
        """For a sum of the gradient and the last update: which of rate, momentum and decay differs.

        Caffe's update is rate * gradient + momentum * (the update before) + rate * decay * weights, so its
        three factors, and ours, follow from least squares over the departing blobs' elements.
        """
        param = self.solver.param
        if (
            not self.solver.rule.history_is_update
            or param.clip_gradients >= 0
            or param.regularization_type != "L2"
        ):
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
            values, step = self.values[key], self.made[k]
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
