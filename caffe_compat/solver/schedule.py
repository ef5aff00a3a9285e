"""Learning rate, momentum and weight decay, iteration by iteration.

Caffe: src/caffe/solvers/sgd_solver.cpp. cyclical_momentum is that of the forks behind arXiv 1803.09820; warmup_iter is
Intel's; rampup_*, min_lr, and momentum and weight decay by policies are NVIDIA's. This module does not import torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from google.protobuf.message import Message

from caffe_compat.errors import SolverError, some
from caffe_compat.proto import SolverParameter, is_repeated
from caffe_compat.solver import lr_policy
from caffe_compat.solver.lr_policy import POLICIES, Policy, State, f32, f64, policy_of, triangle

FORK_FIELDS = (  # of SolverParameter, that are acted on here
    "max_lr", "start_lr_policy", "cyclical_momentum", "stagelr", "stageiter", "plateau_winsize", "stepearly", "warmup_iter",
    "warmup_start_lr", "rampup_interval", "rampup_lr", "min_lr", "momentum_policy", "max_momentum", "momentum_power",
    "weight_decay_policy", "weight_decay_power", "max_weight_decay", "dst_lr", "dst_iter", "monitor_test",
    "monitor_test_id", "max_steps_without_improvement", "max_periods_without_improvement", "min_iters_per_period",
)  # fmt: skip


class Rates(NamedTuple):
    """What one update multiplies with, before each blob's lr_mult and decay_mult."""

    lr: float
    momentum: float
    weight_decay: float


class Table(NamedTuple):
    """The rates of iterations 0 to n - 1: arrays of n values, `iteration` int64 and the others float32."""

    iteration: np.ndarray
    lr: np.ndarray
    momentum: np.ndarray
    weight_decay: np.ndarray


class Schedule:
    """The rates of a solver, iteration by iteration.

    `cycles_momentum` is True where cyclical_momentum is set: the forks then log momentum and weight decay
    beside the rate. Raises SolverError, naming the solver file, for a policy nobody registered and for fields
    that the policy needs; Caffe finds both only at the first update.
    """

    def __init__(self, param: SolverParameter):
        self.param = param
        self.policy = policy_of(param)
        self.cycles_momentum = len(param.cyclical_momentum) > 0
        self._state = State()
        self._floor = param.HasField("min_lr")
        for _, what in faults(param):
            raise SolverError(f"{param.origin or 'solver'}: {what}")
        self._facts: Policy = POLICIES[self.policy]

    @property
    def watches(self) -> str:
        """What of the training the rates depend on: "loss", for `at`; "accuracy" or "test loss", for `tested`; or ""."""
        return self._facts.watches

    @property
    def tells_steps(self) -> bool:
        return self._facts.tells_steps

    def check_processes(self, count: int) -> None:
        """Raise SolverError if the rates depend on what no single one of so many processes sees."""
        if self.watches and count > 1:
            where = f"{self.param.origin}: " if self.param.origin else ""
            raise SolverError(
                f"{where}lr_policy '{self.policy}' watches the {self.watches}, of which each of the {count} "
                "processes has its own part or none; run one process, with as many replicas"
            )

    def at(self, iter: int, loss: float | None = None) -> Rates:
        """The rates of the update that follows `iter` updates; `loss` is the smoothed one.

        Call it once an iteration, in rising order: `multistep` moves on by at most one step a call, and what
        `watches` the loss moves on only by calls with a loss.
        """
        iters = np.array([iter])
        self._state.loss = loss
        lr, decay = self._lr(iters, self._state), self._weight_decay(iters)
        return Rates(float(lr[0]), float(self._all_momentum(iters, lr)[0]), float(decay[0]))

    @property
    def ended(self) -> bool:
        """Whether the training is to end here, because it no longer gets better."""
        return self._facts.ends(self.param, self._state)

    def tested(self, found: float) -> None:
        """Tell a policy that `watches` the accuracy or the test loss what a test found."""
        state = self._state
        if self.watches == "accuracy":
            better = found > state.best_accuracy
            state.best_accuracy = found if better else state.best_accuracy
        else:
            better = found < min(state.least_loss, 100_000)
            state.least_loss = found if better else state.least_loss
        state.tests = 0 if better else state.tests + 1

    def table(self, n: int) -> Table:
        """The rates of iterations 0 to n - 1 (n at least 1) of a fresh run, whatever this one has done.

        Those of a policy that watches the loss or the accuracy are for one that gets better all the time.
        """
        iters = np.arange(n)
        lr = self._lr(iters, State())
        return Table(iters, lr, self._all_momentum(iters, lr), self._weight_decay(iters))

    @property
    def current_step(self) -> int:
        """How many steps `step` and `multistep` have made; set it when a run is resumed."""
        return self._state.current_step

    @current_step.setter
    def current_step(self, value: int) -> None:
        self._state.current_step = value

    @property
    def watched(self) -> dict[str, float]:
        """What a policy that `watches` has seen; set it when a run is resumed."""
        return {name: getattr(self._state, name) for name in self._facts.remembers}

    @watched.setter
    def watched(self, value: dict[str, float]) -> None:
        for name in self.watched:
            setattr(self._state, name, type(getattr(self._state, name))(value[name]))

    def _lr(self, iters: np.ndarray, state: State) -> np.ndarray:
        # As in Caffe, poly is NaN after max_iter if its power is fractional, and a rate may overflow.
        with np.errstate(all="ignore"):
            start = _warm_up(self.param, iters)
            rest = iters[len(start) :]
            if rest.size:  # the policy and its steps wait until the rate is warm
                lr = self._facts.function(self.param, rest, state).astype(f32, copy=False)
                start = np.concatenate([start, np.maximum(lr, f32(self.param.min_lr)) if self._floor else lr])
            return start

    def _momentum(self, iters: np.ndarray) -> np.ndarray:
        param = self.param
        most = f32(param.momentum)
        if param.momentum_policy == "poly":
            return most + (f32(param.max_momentum) - most) * _share(param, iters, param.momentum_power)
        if not self.cycles_momentum:
            return np.full(iters.shape, most)
        least, stepsize = self.param.cyclical_momentum
        cycle, height = triangle(iters, stepsize)
        return (most + (f64(f32(least)) - most) * height / 2.0**cycle).astype(f32)

    def _all_momentum(self, iters: np.ndarray, lr: np.ndarray) -> np.ndarray:
        if self.param.momentum_policy != "opt":
            return self._momentum(iters)
        best = f32((1 - 0.5 * np.sqrt(lr, dtype=f64)) ** 2)
        return np.asarray(
            np.minimum(best, f32(self.param.max_momentum)) if self.param.HasField("max_momentum") else best
        )

    def _weight_decay(self, iters: np.ndarray) -> np.ndarray:
        param = self.param
        least = f32(param.weight_decay)
        if param.weight_decay_policy != "poly":
            return np.full(iters.shape, least)
        return least + (f32(param.max_weight_decay) - least) * _share(param, iters, param.weight_decay_power)


def faults(param: SolverParameter) -> Iterator[tuple[str, str]]:
    """What is wrong with the rates of a SolverParameter: the field, and the text of the error."""
    yield from lr_policy.faults(param)
    for field, known in (
        ("momentum_policy", ("fixed", "poly", "opt")),
        ("weight_decay_policy", ("fixed", "poly")),
    ):
        if getattr(param, field) not in known:
            yield field, f"unknown {field} '{getattr(param, field)}'; known policies: {', '.join(known)}"
        if getattr(param, field) == "poly" and param.max_iter <= 0:
            yield field, f"{field} 'poly' needs max_iter above 0, it is {param.max_iter}; set it"
    if param.warmup_iter > 0 and param.rampup_interval > 0:
        yield (
            "warmup_iter",
            (
                f"warmup_iter {param.warmup_iter} and rampup_interval {param.rampup_interval} are the start of two "
                "forks; keep one of them"
            ),
        )
    if param.min_lr < 0:
        yield "min_lr", f"min_lr is {param.min_lr:g}; set it to 0 or above"
    momentum = param.cyclical_momentum
    if momentum and (len(momentum) != 2 or not momentum[1] > 0):
        values = ", ".join(f"{value:g}" for value in momentum)
        yield (
            "cyclical_momentum",
            (
                f"cyclical_momentum needs two values, the smallest momentum and a stepsize above 0, it has "
                f"{len(momentum)} ({values}); write it twice, e.g. 'cyclical_momentum: 0.85 "
                f"cyclical_momentum: 5000'"
            ),
        )


def unused(param: SolverParameter) -> Iterator[tuple[str, str]]:
    """The fields of the rates that a SolverParameter sets and nothing looks at: the field, and why."""
    name = policy_of(param)
    if name not in POLICIES:
        return
    for field in sorted({field for policy in POLICIES.values() for field in policy.looks_at}):
        if is_set(param, field) and field not in POLICIES[name].looks_at:
            takers = [other for other, policy in POLICIES.items() if field in policy.looks_at]
            yield (
                field,
                f"{field} does nothing with lr_policy '{name}'; remove it, or use one of {some(takers)}",
            )
    for field, needs, holds in (
        ("warmup_start_lr", "warmup_iter", param.warmup_iter > 0),
        ("rampup_lr", "rampup_interval", param.rampup_interval > 0),
        ("momentum_power", "momentum_policy 'poly'", param.momentum_policy == "poly"),
        ("max_momentum", "momentum_policy 'poly' or 'opt'", param.momentum_policy in ("poly", "opt")),
        ("cyclical_momentum", "momentum_policy 'fixed'", param.momentum_policy == "fixed"),
        ("weight_decay_power", "weight_decay_policy 'poly'", param.weight_decay_policy == "poly"),
        ("max_weight_decay", "weight_decay_policy 'poly'", param.weight_decay_policy == "poly"),
    ):
        if is_set(param, field) and not holds:
            yield field, f"{field} does nothing without {needs}; remove it, or set that"


def is_set(message: Message, field: str) -> bool:
    """Whether a field is given; a repeated one that has a value."""
    value = getattr(message, field)
    return (
        len(value) > 0
        if is_repeated(message.DESCRIPTOR.fields_by_name[field])
        else bool(message.HasField(field))
    )


def _warm_up(param: SolverParameter, iters: np.ndarray) -> np.ndarray:
    """The rates of the iterations, first ones of `iters`, in which a fork's rate rises to base_lr.

    Intel's warmup_iter: in a line from warmup_start_lr. NVIDIA's rampup_interval: in a parabola from rampup_lr.
    """
    base = f32(param.base_lr)
    iter = iters[iters < max(param.warmup_iter, param.rampup_interval)]
    if param.warmup_iter > 0:
        left = param.warmup_iter - iter
        return np.asarray(
            (f32(iter) * base + f32(left) * f32(param.warmup_start_lr)) / f32(param.warmup_iter)
        )
    low, share = f32(param.rampup_lr), f32(iter) / f32(param.rampup_interval)
    return np.asarray(low + (base - low) * share * share)


def _share(param: SolverParameter, iters: np.ndarray, power: float) -> np.ndarray:
    return np.asarray((f32(iters) / f32(param.max_iter)) ** f32(power))
