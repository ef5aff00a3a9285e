"""Learning rate, momentum and weight decay by iteration: the policies of Caffe and its cyclical-rate forks.

A policy is one function of numpy arrays, so the rate of an iteration and the table of a whole run are the
same code. Rates are computed in float32 where Caffe's C++ does, and in double where C++ promotes (an integer
exponent): the sixth digit of a logged rate depends on it.

Caffe: src/caffe/solvers/sgd_solver.cpp (GetLearningRate). The cyclical policies and cyclical_momentum are
those of the forks behind arXiv 1708.07120 and 1803.09820. Intel's fork: multifixed, warmup_iter, and SSD's plateau;
NVIDIA's: rampup_*, min_lr, and momentum and weight decay by policies. This module does not import torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from caffe_compat.errors import SolverError, nearest, some
from caffe_compat.proto import is_repeated

f32, f64 = np.float32, np.float64

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


@dataclass
class State:
    """What a policy remembers between iterations; saved in the solverstate, as Caffe does."""

    current_step: int = 0
    least_loss: float = math.inf
    last_event: int = 0  # the iteration of the last least loss, or step
    loss: float | None = None  # the smoothed loss, for a policy that watches it
    best_accuracy: float = -math.inf  # of the tests so far
    tests: int = 0  # since the best one, or since the last step


# The policies that look at how the training goes: what they watch, and the parts of the state that remember it.
_WATCHED = {
    "plateau": ("loss", "least_loss", "last_event"),
    "stepearly": ("accuracy", "best_accuracy", "tests"),
    "monitor_test": ("test loss", "least_loss", "tests", "last_event"),
}

Function = Callable[[Any, np.ndarray, State], np.ndarray]


@dataclass(frozen=True)
class Policy:
    """A policy's function and the solver fields it needs: given at all, above 0, at least 0; `looks_at` is all it reads."""

    function: Function
    given: Sequence[str]
    above_0: Sequence[str]
    at_least_0: Sequence[str]
    looks_at: frozenset[str]


_REGISTRY: dict[str, Policy] = {}


def lr_policy(
    name: str,
    given: Sequence[str] = (),
    above_0: Sequence[str] = (),
    at_least_0: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> Callable[[Function], Function]:
    """Register the decorated function as the lr_policy `name`.

    It gets the SolverParameter, an array of consecutive iterations and the State, and returns their rates. `optional`
    are the fields that it reads without needing them; every policy may read base_lr and max_iter.
    """

    def register(function: Function) -> Function:
        if name in _REGISTRY:
            raise ValueError(
                f"lr_policy {name!r} is registered by both {_REGISTRY[name].function.__module__} "
                f"and {function.__module__}"
            )
        looks_at = frozenset([*given, *above_0, *at_least_0, *optional]) - {"max_iter"}
        _REGISTRY[name] = Policy(function, given, above_0, at_least_0, looks_at)
        return function

    return register


class Schedule:
    """The rates of a solver, iteration by iteration.

    `cycles_momentum` is True where cyclical_momentum is set: the forks then log momentum and weight decay
    beside the rate. Raises SolverError, naming the solver file, for a policy nobody registered and for fields
    that the policy needs; Caffe finds both only at the first update.
    """

    def __init__(self, param: Any):
        self.param = param
        self.policy = policy_of(param)
        self.cycles_momentum = len(param.cyclical_momentum) > 0
        self._state = State()
        self._floor = param.HasField("min_lr")
        for _, what in faults(param):
            raise SolverError(f"{param.origin or 'solver'}: {what}")

    @property
    def watches(self) -> str:
        """What of the training the rates depend on: "loss", for `at`; "accuracy" or "test loss", for `tested`; or ""."""
        return _WATCHED.get(self.policy, ("",))[0]

    @property
    def tells_steps(self) -> bool:
        return self.policy == "multistep"

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
        return (
            self.policy == "monitor_test" and self.current_step >= self.param.max_periods_without_improvement
        )

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
        return {name: getattr(self._state, name) for name in _WATCHED.get(self.policy, ())[1:]}

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
                lr = _REGISTRY[self.policy].function(self.param, rest, state).astype(f32, copy=False)
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
        cycle, height = _triangle(iters, stepsize)
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


def policy_of(param: Any) -> str:
    """The name of the policy that a SolverParameter follows, or ""."""
    return param.lr_policy or ("monitor_test" if param.monitor_test else "")


def faults(param: Any) -> Iterator[tuple[str, str]]:
    """What is wrong with the rates of a SolverParameter: the field, and the text of the error."""
    name = policy_of(param)
    if not name:
        yield "lr_policy", f"lr_policy is not set; set it to one of {some(sorted(_REGISTRY))}"
    elif name not in _REGISTRY:
        yield (
            "lr_policy",
            f"unknown lr_policy '{name}'{nearest(name, _REGISTRY)}; known policies: {some(_REGISTRY, name)}",
        )
    else:
        yield from _faults_of_policy(param, name)
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


def _faults_of_policy(param: Any, name: str) -> Iterator[tuple[str, str]]:
    policy = _REGISTRY[name]
    for field in policy.given:
        if not param.HasField(field):
            yield field, f"lr_policy '{name}' needs {field}, which is not set; add '{field}: ...'"
    for field in policy.above_0:
        if not getattr(param, field) > 0:
            yield (
                field,
                (
                    f"lr_policy '{name}' needs {field} above 0, it is {getattr(param, field)}; "
                    f"set it to a number of {'tests' if field == 'stepearly' else 'iterations'}"
                ),
            )
    for field in policy.at_least_0:
        if not getattr(param, field) >= 0:
            yield field, f"lr_policy '{name}' needs {field} of at least 0, it is {getattr(param, field):g}"
    if name == "multifixed" and (not param.stagelr or len(param.stagelr) != len(param.stageiter)):
        yield (
            "stagelr",
            (
                f"lr_policy 'multifixed' needs as many stagelr as stageiter, it has {len(param.stagelr)} and "
                f"{len(param.stageiter)}; give one of each a stage"
            ),
        )
    if name == "plateau" and (not param.plateau_winsize or min(param.plateau_winsize) < 1):
        yield (
            "plateau_winsize",
            (
                f"lr_policy 'plateau' needs plateau_winsize, it is {list(param.plateau_winsize)}; give a number of "
                "iterations above 0 a step"
            ),
        )


def unused(param: Any) -> Iterator[tuple[str, str]]:
    """The fields of the rates that a SolverParameter sets and nothing looks at: the field, and why."""
    name = policy_of(param)
    if name not in _REGISTRY:
        return
    for field in sorted({field for policy in _REGISTRY.values() for field in policy.looks_at}):
        if is_set(param, field) and field not in _REGISTRY[name].looks_at:
            takers = [other for other, policy in _REGISTRY.items() if field in policy.looks_at]
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


def is_set(message: Any, field: str) -> bool:
    """Whether a field is given; a repeated one that has a value."""
    value = getattr(message, field)
    return (
        len(value) > 0
        if is_repeated(message.DESCRIPTOR.fields_by_name[field])
        else bool(message.HasField(field))
    )


@lr_policy("fixed")
def fixed(param, iter, state):
    """base_lr"""
    return np.full(iter.shape, param.base_lr)


@lr_policy("step", above_0=["stepsize"], at_least_0=["gamma"])
def step(param, iter, state):
    """base_lr * gamma ^ (iter div stepsize)"""
    steps = iter // param.stepsize
    state.current_step = int(steps[-1])
    return param.base_lr * f64(param.gamma) ** steps


@lr_policy("stepdecr", above_0=["stepsize"], at_least_0=["gamma"])
def stepdecr(param, iter, state):
    """base_lr * (1 - gamma * (iter div stepsize)), to min_lr, or 0 without it

    Fork: Cysu/dgd_person_reid; by the rates in its logs, for its code is not public.
    """
    steps = iter // param.stepsize
    state.current_step = int(steps[-1])
    return np.maximum(param.base_lr * (1 - f64(f32(param.gamma)) * steps), 0)


@lr_policy("multistep", at_least_0=["gamma"], optional=["stepvalue"])
def multistep(param, iter, state):
    """base_lr * gamma ^ current_step, which goes up when iter reaches stepvalue[current_step].

    At most one step an iteration, in the order of the file: a stepvalue that is not above the one before it
    takes effect one iteration after that one.
    """
    ahead = np.array(param.stepvalue[state.current_step :], np.int64)
    turn = np.arange(ahead.size)
    begins = np.maximum.accumulate(np.maximum(ahead, iter[:1]) - turn) + turn
    steps = state.current_step + np.searchsorted(begins, iter, side="right")
    state.current_step = int(steps[-1])
    return param.base_lr * f64(param.gamma) ** steps


@lr_policy("exp", at_least_0=["gamma"])
def exp(param, iter, state):
    """base_lr * gamma ^ iter"""
    return param.base_lr * f64(param.gamma) ** iter


@lr_policy("inv", at_least_0=["gamma"], optional=["power"])
def inv(param, iter, state):
    """base_lr * (1 + gamma * iter) ^ -power"""
    return f32(param.base_lr) * (1 + f32(param.gamma) * f32(iter)) ** -f32(param.power)


@lr_policy("stepearly", given=["gamma"], above_0=["stepearly"], at_least_0=["gamma"])
def stepearly(param, iter, state):
    """base_lr * gamma ^ current_step, which goes up after each `stepearly` tests in a row without a new best accuracy

    Caffe's pull request 190 describes it; the code of it is not public.
    """
    if state.tests >= param.stepearly:
        state.current_step, state.tests = state.current_step + 1, 0
    return _stepped(param, iter, state)


@lr_policy(
    "monitor_test",
    given=["gamma"],
    at_least_0=["gamma"],
    optional=[
        "monitor_test",
        "monitor_test_id",
        "max_steps_without_improvement",
        "max_periods_without_improvement",
        "min_iters_per_period",
    ],
)
def monitor_test(param, iter, state):
    """base_lr * gamma ^ current_step, which goes up after max_steps_without_improvement tests in a row without a new least
    loss, but not before min_iters_per_period[current_step] iterations (its last one from then on) since the last step

    Fork: ctensmeyer/caffe, with monitor_test and no lr_policy; the training ends at step max_periods_without_improvement.
    """
    now = int(iter[-1])
    least = param.min_iters_per_period[: state.current_step + 1]
    long_enough = not least or now + 1 - state.last_event >= least[-1]
    if state.tests >= param.max_steps_without_improvement and long_enough:
        state.current_step, state.tests, state.last_event = state.current_step + 1, 0, now + 1
    return _stepped(param, iter, state)


@lr_policy("poly", above_0=["max_iter"], optional=["power"])
def poly(param, iter, state):
    """base_lr * (1 - iter / max_iter) ^ power; with min_lr, from base_lr down to min_lr"""
    least = f32(param.min_lr)
    return (f32(param.base_lr) - least) * (1 - f32(iter) / f32(param.max_iter)) ** f32(param.power) + least


@lr_policy("sigmoid", above_0=["stepsize"], at_least_0=["gamma"])
def sigmoid(param, iter, state):
    """base_lr / (1 + exp(-gamma * (iter - stepsize))): it rises to base_lr"""
    return f32(param.base_lr) * (1 / (1 + np.exp(-f32(param.gamma) * (f32(iter) - f32(param.stepsize)))))


@lr_policy("triangular", given=["max_lr"], above_0=["stepsize"], optional=["start_lr_policy"])
def triangular(param, iter, state):
    """base_lr to max_lr and back in 2 * stepsize iterations, again and again"""
    _, height = _triangle(iter - param.start_lr_policy, param.stepsize)
    return _between(param, height)


@lr_policy("triangular2", given=["max_lr"], above_0=["stepsize"], optional=["start_lr_policy"])
def triangular2(param, iter, state):
    """triangular, half as high in each further cycle"""
    cycle, height = _triangle(iter - param.start_lr_policy, param.stepsize)
    return _between(param, height / 2.0**cycle)


@lr_policy(
    "exp_range",
    given=["max_lr", "gamma"],
    above_0=["stepsize"],
    at_least_0=["gamma"],
    optional=["start_lr_policy"],
)
def exp_range(param, iter, state):
    """triangular, with the height multiplied by gamma ^ iter"""
    iter = iter - param.start_lr_policy
    _, height = _triangle(iter, param.stepsize)
    return _between(param, height * f64(param.gamma) ** np.maximum(iter, 0))


@lr_policy("1cycle", given=["max_lr"], above_0=["stepsize"], optional=["start_lr_policy"])
def one_cycle(param, iter, state):
    """base_lr to max_lr in stepsize iterations, towards 0 in as many, then 0.001 * base_lr

    The published logs of stepsize 75000, 95000 and 108000 show the last rate at iteration 2 * stepsize already.
    """
    iter, base, top = iter - param.start_lr_policy, f32(param.base_lr), f32(param.max_lr)
    x = f32(iter) / f32(param.stepsize)
    rise = f64(base) + f64(top - base) * np.maximum(x, 0)
    return np.select(
        [iter <= param.stepsize, iter < 2 * param.stepsize], [rise, top * (2 - x)], 0.001 * f64(base)
    )


@lr_policy("multifixed", optional=["stagelr", "stageiter"])
def multifixed(param, iter, state):
    """stagelr[k] up to and with iteration stageiter[k]; the last one to the end"""
    stage = np.searchsorted(np.maximum.accumulate(param.stageiter), iter, side="left")
    return np.array(param.stagelr, f32)[np.minimum(stage, len(param.stagelr) - 1)]


@lr_policy("plateau", given=["gamma"], at_least_0=["gamma"], optional=["plateau_winsize"])
def plateau(param, iter, state):
    """base_lr * gamma ^ current_step, which goes up when there was no new least smoothed loss, and no step, for
    plateau_winsize[current_step] iterations
    """
    if state.loss is not None:
        now = int(iter[-1])
        if state.loss < state.least_loss:
            state.least_loss, state.last_event = state.loss, now
        windows = param.plateau_winsize[state.current_step :]
        if windows and now >= state.last_event + windows[0]:
            state.current_step, state.last_event = state.current_step + 1, now
    return _stepped(param, iter, state)


@lr_policy("linear", given=["dst_lr"], optional=["dst_iter"])
def linear(param, iter, state):
    """base_lr to dst_lr in a line of dst_iter iterations (max_iter unless set), then dst_lr; ZJULearning/SplitNet"""
    base, end = f32(param.base_lr), f32(param.dst_lr)
    last = f32(param.dst_iter if param.HasField("dst_iter") else param.max_iter)
    return np.where(f32(iter) < last, base + (end - base) * f32(iter) / max(last, f32(1)), end)


@lr_policy("smoothstep", above_0=["stepsize"], at_least_0=["gamma"])
def smoothstep(param, iter, state):
    """base_lr * gamma ^ (iter / stepsize), without the steps of `step`; Cysu/caffe"""
    return f32(param.base_lr) * f32(param.gamma) ** (f32(iter) / f32(param.stepsize))


def _stepped(param: Any, iter: np.ndarray, state: State) -> np.ndarray:
    """The rate after the steps made so far, at all of the iterations."""
    return np.full(iter.shape, param.base_lr * f64(param.gamma) ** state.current_step)


def _warm_up(param: Any, iters: np.ndarray) -> np.ndarray:
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


def _share(param: Any, iters: np.ndarray, power: float) -> np.ndarray:
    return np.asarray((f32(iters) / f32(param.max_iter)) ** f32(power))


def _triangle(iter: np.ndarray, stepsize: float) -> tuple[np.ndarray, np.ndarray]:
    """Each iteration's cycle, and its height on that cycle's triangle, 0 to 1 (0 before iteration 0)."""
    cycle = np.maximum(iter // (2 * stepsize), 0)
    x = f32(iter - (2 * cycle + 1) * stepsize) / f32(stepsize)
    return cycle, np.maximum(0, 1 - np.abs(x).astype(f64))


def _between(param: Any, height: np.ndarray) -> np.ndarray:
    return param.base_lr + f64(f32(param.max_lr) - f32(param.base_lr)) * height
