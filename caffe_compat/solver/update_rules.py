"""Caffe's six solver types, each with what others must know of it: what `update` subtracts from the blobs.

Caffe: src/caffe/solvers/*.cpp. Unlike torch.optim, SGD and Nesterov keep the learning rate inside the
history, so after a drop of the rate the older, larger steps go on; weight decay is never decoupled; Adam's
delta is added to the uncorrected sqrt(v).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from caffe_compat.errors import nearest, some
from caffe_compat.proto import SolverParameter
from caffe_compat.solver.schedule import is_set

FORK_FIELDS = ("larc", "larc_policy", "larc_eta", "local_lr_auto", "local_gw_ratio")  # acted on here

Scalar = float | Tensor  # a number, or a 0-dim tensor on the blobs' device
Tensors = tuple[Tensor, ...] | list[Tensor]  # what torch._foreach_* takes and gives


@dataclass(frozen=True)
class Step:
    """What a rule gets for one group of blobs.

    diff       the regularised gradients, one a blob; the rule may overwrite them
    history    the group's histories: `histories` lists, each one tensor a blob, updated in place
    rate       the learning rate times the group's lr_mult
    momentum   of this iteration
    t          the number of this update, counted from 1
    """

    diff: Tensors
    history: Sequence[Tensors]
    rate: Scalar
    momentum: Scalar
    t: int | Tensor


Function = Callable[[SolverParameter, Step], Tensors]


@dataclass(frozen=True)
class Rule:
    """A solver type: its formula, how many histories a blob has, what its solver file must not say, and what it reads."""

    function: Function
    histories: int
    check: Callable[[SolverParameter], str]
    rate_in_history: bool
    history_is_update: bool
    looks_at: frozenset[str]


RULES: dict[str, Rule] = {}


def update_rule(
    name: str,
    histories: int,
    check: Callable[[SolverParameter], str] = lambda param: "",
    rate_in_history: bool = False,
    history_is_update: bool = False,
    looks_at: Sequence[str] = (),
) -> Callable[[Function], Function]:
    """Register the decorated function as the solver type `name`.

    It gets the SolverParameter and a Step and returns what to subtract from the blobs.

    Args:
        histories: how many history blobs a parameter blob has in the solverstate.
        check: what is wrong with a SolverParameter for this type, or "".
        rate_in_history: the history sums rate * diff, so that a blob of lr_mult 0 leaves it alone.
        history_is_update: what is subtracted is the history: rate * diff + momentum * what was subtracted before.
        looks_at: the fields that not every type reads: momentum, delta ...
    """

    def register(function: Function) -> Function:
        if name in RULES:
            raise ValueError(
                f"solver type {name!r} is registered by both {RULES[name].function.__module__} "
                f"and {function.__module__}"
            )
        RULES[name] = Rule(
            function, histories, check, rate_in_history, history_is_update, frozenset(looks_at)
        )
        return function

    return register


def faults(param: SolverParameter) -> Iterator[tuple[str, str]]:
    """What is wrong with the type of a SolverParameter and its fields: the field, and the text of the error."""
    if param.type not in RULES:
        hint = nearest(param.type, RULES)
        yield "type", f"unknown solver type '{param.type}'{hint}; known types: {some(RULES, param.type)}"
    elif problem := RULES[param.type].check(param):
        yield problem.partition(" ")[0], problem
    takers = [name for name, rule in RULES.items() if rule.rate_in_history]
    for field in ("larc", "local_lr_auto"):
        if getattr(param, field) and param.type not in takers:
            yield (
                field,
                f"{field} goes with type {' or '.join(takers)}, it is {param.type}; remove one of them",
            )
    if param.larc and param.local_lr_auto:
        yield "larc", "larc and local_lr_auto are two forks' form of one thing; keep one of them"
    if param.larc_policy not in ("scale", "clip"):
        yield "larc_policy", f"unknown larc_policy '{param.larc_policy}'; use 'scale' or 'clip'"
    if param.iter_size < 1:
        yield "iter_size", f"iter_size is {param.iter_size} and must be 1 or more; set it"


def unused(param: SolverParameter) -> Iterator[tuple[str, str]]:
    """The fields of solver types that a SolverParameter sets and its type does not look at: the field, and why."""
    rule = RULES.get(param.type)
    if rule is None:
        return
    for field in sorted({field for other in RULES.values() for field in other.looks_at} - {"momentum"}):
        if param.HasField(field) and field not in rule.looks_at:
            takers = some(name for name, other in RULES.items() if field in other.looks_at)
            yield field, f"{field} does nothing with type '{param.type}'; it is for {takers}"
    for field, needs, holds in (
        ("cyclical_momentum", "a type that has a momentum", "momentum" in rule.looks_at),
        ("momentum_policy", "a type that has a momentum", "momentum" in rule.looks_at),
        ("larc_policy", "larc", param.larc),
        ("larc_eta", "larc", param.larc),
        ("local_gw_ratio", "local_lr_auto", param.local_lr_auto),
    ):
        if is_set(param, field) and not holds:
            yield field, f"{field} does nothing without {needs}; remove it, or set that"


def regularization_fault(param: SolverParameter) -> str:
    """What is wrong with the regularization_type, which counts only where a weight decays; or ""."""
    if param.weight_decay == 0 or param.regularization_type in ("L1", "L2"):
        return ""
    return f"unknown regularization_type '{param.regularization_type}'; use 'L1' or 'L2'"


# -- the rules, with g for the diff, h for a history and w for a blob ----------------------------


def _no_momentum(param: SolverParameter) -> str:
    if param.momentum == 0:
        return ""
    return f"momentum cannot be used with {param.type}, it is {param.momentum:g}; remove it or set it to 0"


def _rms_decay(param: SolverParameter) -> str:
    if 0 <= param.rms_decay < 1:
        return _no_momentum(param)
    return (
        f"rms_decay should lie between 0 and 1 (1 excluded), it is {param.rms_decay:g}; 0.99 is the default"
    )


def _beta1(param: SolverParameter) -> str:
    if param.momentum != 1:
        return ""
    return "momentum 1 makes Adam divide by 0; it is Adam's beta1, set it below 1 (0.9 is usual)"


@update_rule("SGD", histories=1, rate_in_history=True, history_is_update=True, looks_at=["momentum"])
def sgd(param: SolverParameter, step: Step) -> Tensors:
    """h = momentum * h + rate * g; w -= h"""
    (h,) = step.history
    torch._foreach_mul_(h, step.momentum)
    axpy_(h, step.rate, step.diff)
    return h


@update_rule("Nesterov", histories=1, rate_in_history=True, looks_at=["momentum"])
def nesterov(param: SolverParameter, step: Step) -> Tensors:
    """h' = momentum * h + rate * g; w -= (1 + momentum) * h' - momentum * h = rate * g + momentum * h'"""
    (h,), g = step.history, step.diff
    torch._foreach_mul_(h, step.momentum)
    torch._foreach_mul_(g, step.rate)
    torch._foreach_add_(h, g)
    axpy_(g, step.momentum, h)
    return g


@update_rule("AdaGrad", histories=1, check=_no_momentum, looks_at=["delta"])
def adagrad(param: SolverParameter, step: Step) -> Tensors:
    """h += g^2; w -= rate * g / (sqrt(h) + delta)"""
    (h,), g = step.history, step.diff
    torch._foreach_addcmul_(h, g, g)
    return _over_root(g, h, param.delta, step.rate)


@update_rule("RMSProp", histories=1, check=_rms_decay, looks_at=["delta", "rms_decay"])
def rmsprop(param: SolverParameter, step: Step) -> Tensors:
    """h = rms_decay * h + (1 - rms_decay) * g^2; w -= rate * g / (sqrt(h) + delta)"""
    (h,), g = step.history, step.diff
    _average_(h, param.rms_decay, torch._foreach_mul(g, g))
    return _over_root(g, h, param.delta, step.rate)


@update_rule("AdaDelta", histories=2, looks_at=["momentum", "delta"])
def adadelta(param: SolverParameter, step: Step) -> Tensors:
    """h = momentum * h + (1 - momentum) * g^2; u = g * sqrt((d + delta) / (h + delta));
    d = momentum * d + (1 - momentum) * u^2; w -= rate * u"""
    (h, d), g = step.history, step.diff
    _average_(h, step.momentum, torch._foreach_mul(g, g))
    root = torch._foreach_add(d, param.delta)
    torch._foreach_div_(root, torch._foreach_add(h, param.delta))
    torch._foreach_sqrt_(root)
    torch._foreach_mul_(g, root)
    _average_(d, step.momentum, torch._foreach_mul(g, g))
    torch._foreach_mul_(g, step.rate)
    return g


@update_rule("Adam", histories=2, check=_beta1, looks_at=["momentum", "momentum2", "delta"])
def adam(param: SolverParameter, step: Step) -> Tensors:
    """m = momentum * m + (1 - momentum) * g; v = momentum2 * v + (1 - momentum2) * g^2;
    w -= rate * sqrt(1 - momentum2^t) / (1 - momentum^t) * m / (sqrt(v) + delta)"""
    (m, v), g = step.history, step.diff
    _average_(m, step.momentum, g)
    _average_(v, param.momentum2, torch._foreach_mul(g, g))
    # In double: 1 - 0.999^1 has no more than four good digits in float32.
    t, beta1 = _double(step.t), _double(step.momentum)
    correction = (1 - param.momentum2**t) ** 0.5 / (1 - beta1**t)
    rate = step.rate * correction
    if isinstance(rate, Tensor):
        rate = rate.to(m[0].dtype)
    return _over_root(m, v, param.delta, rate)


def _double(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) else value


def axpy_(y: Tensors, a: Scalar, x: Tensors) -> None:
    """y += a * x"""
    if isinstance(a, Tensor):
        torch._foreach_add_(y, torch._foreach_mul(x, a))
    else:
        torch._foreach_add_(y, x, alpha=a)


def _average_(y: Tensors, keep: Scalar, x: Tensors) -> None:
    """y = keep * y + (1 - keep) * x"""
    torch._foreach_mul_(y, keep)
    axpy_(y, 1 - keep, x)


def _over_root(x: Tensors, h: Tensors, delta: float, rate: Scalar) -> Tensors:
    """rate * x / (sqrt(h) + delta)"""
    root = torch._foreach_sqrt(h)
    torch._foreach_add_(root, delta)
    update = torch._foreach_div(x, root)
    torch._foreach_mul_(update, rate)
    return update
