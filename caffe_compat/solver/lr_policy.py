"""The learning-rate policies of Caffe and its forks, each with all that others must know of it.

A policy is one function of numpy arrays, so the rate of an iteration and the table of a whole run are the
same code. Rates are computed in float32 where Caffe's C++ does, and in double where C++ promotes (an integer
exponent): the sixth digit of a logged rate depends on it.

Caffe: src/caffe/solvers/sgd_solver.cpp (GetLearningRate). The cyclical policies are those of the forks behind
arXiv 1708.07120 and 1803.09820. Intel's fork: multifixed, and SSD's plateau. This module does not import torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from caffe_compat.errors import nearest, some
from caffe_compat.proto import SolverParameter

f32, f64 = np.float32, np.float64

Faults = Iterator[tuple[str, str]]  # fields, and what is wrong with each


@dataclass
class State:
    """What a policy remembers between iterations; saved in the solverstate, as Caffe does."""

    current_step: int = 0
    least_loss: float = math.inf
    last_event: int = 0  # the iteration of the last least loss, or step
    loss: float | None = None  # the smoothed loss, for a policy that watches it
    best_accuracy: float = -math.inf  # of the tests so far
    tests: int = 0  # since the best one, or since the last step


Function = Callable[[SolverParameter, np.ndarray, State], np.ndarray]


def _no_fault(param: SolverParameter) -> Faults:
    return iter(())


def _never(param: SolverParameter, state: State) -> bool:
    return False


@dataclass(frozen=True)
class Policy:
    """A policy's function, and what is true of it.

    given, above_0, at_least_0  the solver fields it needs: given at all, above 0, at least 0
    in_tests     those of them that count tests and not iterations
    looks_at     all fields that it reads; every policy may read base_lr and max_iter
    check        what else is wrong with the fields: each one, and the text of the error
    watches      what of the training the rates depend on: "loss" (the smoothed one), "accuracy", "test loss", or ""
    remembers    the parts of State that a resumed run needs for it, beside current_step
    ends         whether the training ends, because it no longer gets better
    tells_steps  whether each step has a log line
    implied_by   a field that chooses the policy where no lr_policy is given
    stretched    gamma, of gamma and of how many times as long a run is made; None: it is the same
    """

    function: Function
    given: Sequence[str] = ()
    above_0: Sequence[str] = ()
    at_least_0: Sequence[str] = ()
    in_tests: Sequence[str] = ()
    looks_at: frozenset[str] = frozenset()
    check: Callable[[SolverParameter], Faults] = _no_fault
    watches: str = ""
    remembers: Sequence[str] = ()
    ends: Callable[[SolverParameter, State], bool] = _never
    tells_steps: bool = False
    implied_by: str = ""
    stretched: Callable[[float, float], float] | None = None


POLICIES: dict[str, Policy] = {}


def lr_policy(name: str, *, optional: Sequence[str] = (), **facts: Any) -> Callable[[Function], Function]:
    """Register the decorated function as the lr_policy `name`, with the facts that `Policy` lists.

    It gets the SolverParameter, an array of consecutive iterations and the State, and returns their rates. `optional`
    are the fields that it reads without needing them.
    """

    def register(function: Function) -> Function:
        if name in POLICIES:
            raise ValueError(
                f"lr_policy {name!r} is registered by both {POLICIES[name].function.__module__} "
                f"and {function.__module__}"
            )
        policy = Policy(function, **facts)
        needed = [*policy.given, *policy.above_0, *policy.at_least_0]
        POLICIES[name] = replace(policy, looks_at=frozenset([*needed, *optional]) - {"max_iter"})
        return function

    return register


def policy_of(param: SolverParameter) -> str:
    """The name of the policy that a SolverParameter follows, or ""."""
    implied = (
        name for name, policy in POLICIES.items() if policy.implied_by and getattr(param, policy.implied_by)
    )
    return param.lr_policy or next(implied, "")


def faults(param: SolverParameter) -> Faults:
    """What is wrong with the lr_policy of a SolverParameter and the fields that it needs: the field, and the error's text."""
    name = policy_of(param)
    if not name:
        yield "lr_policy", f"lr_policy is not set; set it to one of {some(sorted(POLICIES))}"
        return
    if name not in POLICIES:
        yield (
            "lr_policy",
            f"unknown lr_policy '{name}'{nearest(name, POLICIES)}; known policies: {some(POLICIES, name)}",
        )
        return
    policy = POLICIES[name]
    for field in policy.given:
        if not param.HasField(field):
            yield field, f"lr_policy '{name}' needs {field}, which is not set; add '{field}: ...'"
    for field in policy.above_0:
        if not getattr(param, field) > 0:
            unit = "tests" if field in policy.in_tests else "iterations"
            yield (
                field,
                f"lr_policy '{name}' needs {field} above 0, it is {getattr(param, field)}; set it to a number of {unit}",
            )
    for field in policy.at_least_0:
        if not getattr(param, field) >= 0:
            yield field, f"lr_policy '{name}' needs {field} of at least 0, it is {getattr(param, field):g}"
    yield from policy.check(param)


def _of_each_iteration(gamma: float, times: float) -> float:
    return gamma ** (1 / times)


def _along_iterations(gamma: float, times: float) -> float:
    return gamma / times


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


@lr_policy("multistep", at_least_0=["gamma"], optional=["stepvalue"], tells_steps=True)
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


@lr_policy("exp", at_least_0=["gamma"], stretched=_of_each_iteration)
def exp(param, iter, state):
    """base_lr * gamma ^ iter"""
    return param.base_lr * f64(param.gamma) ** iter


@lr_policy("inv", at_least_0=["gamma"], optional=["power"], stretched=_along_iterations)
def inv(param, iter, state):
    """base_lr * (1 + gamma * iter) ^ -power"""
    return f32(param.base_lr) * (1 + f32(param.gamma) * f32(iter)) ** -f32(param.power)


@lr_policy(
    "stepearly",
    given=["gamma"],
    above_0=["stepearly"],
    at_least_0=["gamma"],
    in_tests=["stepearly"],
    watches="accuracy",
    remembers=["best_accuracy", "tests"],
)
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
    watches="test loss",
    remembers=["least_loss", "tests", "last_event"],
    ends=lambda param, state: state.current_step >= param.max_periods_without_improvement,
    implied_by="monitor_test",
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


@lr_policy("sigmoid", above_0=["stepsize"], at_least_0=["gamma"], stretched=_along_iterations)
def sigmoid(param, iter, state):
    """base_lr / (1 + exp(-gamma * (iter - stepsize))): it rises to base_lr"""
    return f32(param.base_lr) * (1 / (1 + np.exp(-f32(param.gamma) * (f32(iter) - f32(param.stepsize)))))


@lr_policy("triangular", given=["max_lr"], above_0=["stepsize"], optional=["start_lr_policy"])
def triangular(param, iter, state):
    """base_lr to max_lr and back in 2 * stepsize iterations, again and again"""
    _, height = triangle(iter - param.start_lr_policy, param.stepsize)
    return _between(param, height)


@lr_policy("triangular2", given=["max_lr"], above_0=["stepsize"], optional=["start_lr_policy"])
def triangular2(param, iter, state):
    """triangular, half as high in each further cycle"""
    cycle, height = triangle(iter - param.start_lr_policy, param.stepsize)
    return _between(param, height / 2.0**cycle)


@lr_policy(
    "exp_range",
    given=["max_lr", "gamma"],
    above_0=["stepsize"],
    at_least_0=["gamma"],
    optional=["start_lr_policy"],
    stretched=_of_each_iteration,
)
def exp_range(param, iter, state):
    """triangular, with the height multiplied by gamma ^ iter"""
    iter = iter - param.start_lr_policy
    _, height = triangle(iter, param.stepsize)
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


def _as_many_rates_as_stages(param: SolverParameter) -> Faults:
    if not param.stagelr or len(param.stagelr) != len(param.stageiter):
        yield (
            "stagelr",
            (
                f"lr_policy 'multifixed' needs as many stagelr as stageiter, it has {len(param.stagelr)} and "
                f"{len(param.stageiter)}; give one of each a stage"
            ),
        )


@lr_policy("multifixed", optional=["stagelr", "stageiter"], check=_as_many_rates_as_stages)
def multifixed(param, iter, state):
    """stagelr[k] up to and with iteration stageiter[k]; the last one to the end"""
    stage = np.searchsorted(np.maximum.accumulate(param.stageiter), iter, side="left")
    return np.array(param.stagelr, f32)[np.minimum(stage, len(param.stagelr) - 1)]


def _windows(param: SolverParameter) -> Faults:
    if not param.plateau_winsize or min(param.plateau_winsize) < 1:
        yield (
            "plateau_winsize",
            (
                f"lr_policy 'plateau' needs plateau_winsize, it is {list(param.plateau_winsize)}; give a number of "
                "iterations above 0 a step"
            ),
        )


@lr_policy(
    "plateau",
    given=["gamma"],
    at_least_0=["gamma"],
    optional=["plateau_winsize"],
    check=_windows,
    watches="loss",
    remembers=["least_loss", "last_event"],
)
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


def _stepped(param: SolverParameter, iter: np.ndarray, state: State) -> np.ndarray:
    """The rate after the steps made so far, at all of the iterations."""
    return np.full(iter.shape, param.base_lr * f64(param.gamma) ** state.current_step)


def triangle(iter: np.ndarray, stepsize: float) -> tuple[np.ndarray, np.ndarray]:
    """Each iteration's cycle, and its height on that cycle's triangle, 0 to 1 (0 before iteration 0)."""
    cycle = np.maximum(iter // (2 * stepsize), 0)
    x = f32(iter - (2 * cycle + 1) * stepsize) / f32(stepsize)
    return cycle, np.maximum(0, 1 - np.abs(x).astype(f64))


def _between(param: SolverParameter, height: np.ndarray) -> np.ndarray:
    return param.base_lr + f64(f32(param.max_lr) - f32(param.base_lr)) * height
