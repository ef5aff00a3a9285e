"""What a training run logs of its iterations, and when.

Losses stay on the device until a line that shows them is printed.

Caffe: src/caffe/solver.cpp (Step, UpdateSmoothedLoss), src/caffe/solvers/sgd_solver.cpp (ApplyUpdate, ClipGradients)
"""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor

from caffe_compat.log.write import Log
from caffe_compat.net.net import Net
from caffe_compat.proto import SolverParameter
from caffe_compat.solver.schedule import Rates, Schedule
from caffe_compat.solver.update import UpdateRule

_LOSS_FLOOR = 87.33654  # -log of the smallest float32: what SoftmaxWithLoss gives for scores that are NaN
_PENDING_LOSSES = 1000  # how many losses may wait on the device for the next displayed line


class SmoothedLoss:
    """The mean of the last `average_loss` losses, as UpdateSmoothedLoss folds them in one by one.

    Attributes:
        value: the mean, of the losses fetched so far.
        ring, first_iter: the losses that it is made of, and the iteration of the first one ever.
    """

    def __init__(self, average_loss: int, log: Log):
        self._count = average_loss
        self._log = log
        self.forget(0)

    def forget(self, iter: int) -> None:
        """Begin anew at this iteration."""
        self._pending: list[tuple[int, Tensor]] = []
        self.ring: list[float] = []
        self.first_iter = iter
        self._restored = False
        self._warned_diverged = False
        self.value = 0.0

    def begin(self, iter: int) -> None:
        """A call of Solver.step begins, which forgets what there was, unless it has just been restored."""
        if self._restored:
            self._restored = False
        else:
            self.forget(iter)

    def restore(self, ring: list[float], value: float, first_iter: int) -> None:
        """Go on from what another run's `ring`, `value` and `first_iter` were."""
        self.ring, self.value, self.first_iter = ring, value, first_iter
        self._restored = True

    def add(self, iter: int, loss: Tensor) -> None:
        """The loss of an iteration, which may wait on the device."""
        self._pending.append((iter, loss))
        if len(self._pending) >= _PENDING_LOSSES:
            self.fetch()

    def fetch(self) -> float:
        """Fold in the losses that wait on the device; returns `value`."""
        if not self._pending:
            return self.value
        values = torch.stack([loss.detach() for _, loss in self._pending]).tolist()
        for (iteration, _), loss in zip(self._pending, values, strict=True):
            if len(self.ring) < self._count:
                self.ring.append(loss)
                size = len(self.ring)
                self.value = (self.value * (size - 1) + loss) / size
            else:
                index = (iteration - self.first_iter) % self._count
                self.value += (loss - self.ring[index]) / self._count
                self.ring[index] = loss
            if not self._warned_diverged and (not math.isfinite(loss) or abs(loss - _LOSS_FLOOR) < 1e-3):
                self._warned_diverged = True
                self._log.warning(
                    f"Iteration {iteration}: the loss is {loss:.6g}, so the net has diverged. Training goes on, as in "
                    "Caffe; a lower base_lr or max_lr, or clip_gradients, usually helps."
                )
        self._pending.clear()
        return self.value


class Display:
    """The lines of a training run, every `display` iterations, and the progress bar below them."""

    def __init__(self, param: SolverParameter, net: Net, losses: SmoothedLoss, log: Log, is_root: bool):
        self._param = param
        self._net = net
        self._losses = losses
        self._log = log
        self._is_root = is_root
        self._shown = (0, time.perf_counter())  # the last iteration displayed, and since when time counts
        self._span = (0, param.max_iter)  # the iterations that the progress bar shows

    def due(self, iter: int) -> bool:
        """Whether this iteration is displayed."""
        return bool(self._param.display) and iter % self._param.display == 0

    def begin(self, iter: int, stop: int) -> None:
        """A call of Solver.step goes from `iter` to `stop`."""
        # As Caffe's, which scripts that step by ones see: iterations since the last line, time since this call.
        self._shown = (self._shown[0], time.perf_counter())
        self._span = iter, stop

    def resume(self, iter: int) -> None:
        """The run goes on at `iter`; nothing is displayed yet."""
        self._shown = (iter, time.perf_counter())

    def progress(self, iter: int, note: str = "") -> None:
        self._log.progress(iter, *self._span, note)

    def iteration(self, iter: int, outputs: dict[str, Tensor]) -> None:
        """The line of an iteration that is `due`, and its net's outputs."""
        self._net.verify()
        if not self._is_root:
            return
        loss = self._losses.fetch()
        since, began = self._shown
        now = time.perf_counter()
        self._log.iteration(iter, loss, iter - since, now - began, self._param.display)
        self._shown = (iter, now)
        self._log.train_outputs(
            (name, value.reshape(-1).tolist(), self._net.output_weights[name])
            for name, value in outputs.items()
        )

    def rates(self, iter: int, rates: Rates, schedule: Schedule) -> None:
        """The rates of an iteration that is `due`."""
        cycling = (rates.momentum, rates.weight_decay) if schedule.cycles_momentum else (None, None)
        self._log.learning_rate(iter, rates.lr, *cycling)

    def clipping(self, iter: int, rule: UpdateRule, device: torch.device) -> None:
        """Whether the last update clipped the gradients."""
        # Caffe prints every clipping; asking a GPU for the norm would make it wait, so there only when displayed.
        if rule.clip_norm is None or not (device.type == "cpu" or self.due(iter)):
            return
        norm, limit = rule.clip_norm.item(), self._param.clip_gradients
        if norm > limit:
            self._log.gradient_clipping(norm, limit, limit / norm)
