"""Caffe's six solver types: what an update does with the gradients, in Caffe's order.

    clip (all blobs together, the raw accumulated diff) -> divide by iter_size -> add weight decay
    -> compute the update value into the history -> data -= update

Blobs of equal lr_mult and decay_mult form a group, and each step of a rule is one `torch._foreach_*` call on
a group. Nothing here waits for the device: rates and iteration may be numbers or 0-dim tensors on the device,
so an update can be captured in a CUDA graph.

Caffe: src/caffe/solvers/*.cpp. Unlike torch.optim, SGD and Nesterov keep the learning rate inside the
history, so after a drop of the rate the older, larger steps go on; weight decay is never decoupled; Adam's
delta is added to the uncorrected sqrt(v).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor

from caffe_compat.errors import SolverError, nearest, some
from caffe_compat.solver.schedule import Rates, is_set

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


Function = Callable[[Any, Step], Tensors]


@dataclass(frozen=True)
class Rule:
    """A solver type: its formula, how many histories a blob has, what its solver file must not say, and what it reads."""

    function: Function
    histories: int
    check: Callable[[Any], str]
    rate_in_history: bool
    history_is_update: bool
    looks_at: frozenset[str]


_REGISTRY: dict[str, Rule] = {}


def update_rule(
    name: str,
    histories: int,
    check: Callable[[Any], str] = lambda param: "",
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
        if name in _REGISTRY:
            raise ValueError(
                f"solver type {name!r} is registered by both {_REGISTRY[name].function.__module__} "
                f"and {function.__module__}"
            )
        _REGISTRY[name] = Rule(
            function, histories, check, rate_in_history, history_is_update, frozenset(looks_at)
        )
        return function

    return register


@dataclass(frozen=True)
class _Group:
    indices: list[int]
    lr_mult: float
    decay_mult: float


class UpdateRule:
    """The update of a solver: `apply` once an iteration, after the gradients are in the blobs' `.grad`.

    Attributes:
        history: Caffe's history blobs in Caffe's order: one for each blob, then (Adam, AdaDelta) a second one
            for each. Zeroed at birth; shaped like the blobs.
        keep_diff: leave the subtracted values in `.grad`, where Caffe's diff has them after an update
            (snapshot_diff). Without it `.grad` is used up: its values mean nothing after `apply`.
        clip_norm: the gradients' L2 norm of the last update as a 0-dim tensor, None without clip_gradients.
            A norm above clip_gradients was clipped.
    """

    def __init__(
        self,
        param: Any,
        blobs: Sequence[Tensor],
        lr_mults: Sequence[float],
        decay_mults: Sequence[float],
        keep_diff: bool = False,
    ):
        self.param = param
        self.blobs = list(blobs)
        self.keep_diff = keep_diff
        self.clip_norm: Tensor | None = None
        _check(param, decay_mults)
        self._rule = _REGISTRY[param.type]
        self.history = [
            torch.zeros_like(blob, requires_grad=False)
            for _ in range(self._rule.histories)
            for blob in self.blobs
        ]
        grouped: dict[tuple[Any, ...], list[int]] = {}
        for index, key in enumerate(zip(lr_mults, decay_mults, strict=True)):
            grouped.setdefault(key, []).append(index)
        self._groups = [_Group(indices, *key) for key, indices in grouped.items()]
        self._find_moving()

    @property
    def history_is_update(self) -> bool:
        """Whether `history` is what the last update subtracted."""
        return self._rule.history_is_update

    def keep_diffs(self) -> None:
        """Set keep_diff from now on."""
        self.keep_diff = True
        self._find_moving()

    @torch.no_grad()
    def apply(self, rates: Rates, iter: int | Tensor) -> None:
        """Update the blobs from their gradients.

        A blob without a gradient counts as one whose gradient is zero: decay and momentum go on, as in Caffe.

        Args:
            rates: lr, momentum and weight decay; numbers, or 0-dim tensors on the blobs' device.
            iter: updates done so far (Adam's correction needs it); a number or a 0-dim tensor.
        """
        grads = [blob.grad for blob in self.blobs if blob.grad is not None]
        if grads and self.param.clip_gradients >= 0:
            self._clip(grads)
        if grads and self.param.iter_size != 1:
            torch._foreach_mul_(grads, 1 / self.param.iter_size)
        for group in self._moving:
            self._update(group, rates, iter + 1)

    def load_history(self, history: Sequence[Any]) -> None:
        """Take over the history blobs of a solverstate: as many tensors or arrays, of as many values each."""
        with torch.no_grad():
            for mine, theirs in zip(self.history, history, strict=True):
                mine.copy_(torch.as_tensor(theirs).view(mine.shape))
        self._find_moving()

    def _clip(self, grads: Tensors) -> None:
        limit = self.param.clip_gradients
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))
        torch._foreach_mul_(grads, torch.where(norm > limit, limit / norm, 1))
        self.clip_norm = norm

    def _update(self, group: _Group, rates: Rates, t: int | Tensor) -> None:
        blobs = [self.blobs[i] for i in group.indices]
        diff = [torch.zeros_like(blob) if blob.grad is None else blob.grad for blob in blobs]
        local = self._local_rates(blobs, diff, rates) if self.param.larc or self.param.local_lr_auto else None
        if self._decays(group):
            decay = rates.weight_decay * group.decay_mult
            _axpy_(
                diff, decay, torch._foreach_sign(blobs) if self.param.regularization_type == "L1" else blobs
            )
        count = len(self.blobs)
        history = [[self.history[k * count + i] for i in group.indices] for k in range(self._rule.histories)]
        rate = rates.lr * group.lr_mult
        if local is not None:  # they take the place of lr_mult, where that is not 0
            torch._foreach_mul_(diff, local)
            rate = rates.lr * (group.lr_mult != 0)
        step = Step(diff, history, rate, rates.momentum, t)
        update = self._rule.function(self.param, step)
        torch._foreach_sub_(blobs, update)
        if self.keep_diff:
            for blob, value in zip(blobs, update, strict=True):
                if blob.grad is None:
                    blob.grad = value.clone()
                else:
                    blob.grad.copy_(value)

    def _local_rates(self, blobs: Tensors, diff: Tensors, rates: Rates) -> list[Tensor]:
        """What the rate of each blob is multiplied with, by the norms of the blob and its gradient without decay.

        NVIDIA's larc (arXiv 1708.03888): r = (1 - momentum) larc_eta |w| / |g|, as the multiplier, or with
        larc_policy "clip" the rate is min(rate, r). Intel's local_lr_auto: r = local_gw_ratio |w| / (|g| + decay |w|).
        Where a norm is 0, r is 1.
        """
        param, found = self.param, []
        for w, g in zip(torch._foreach_norm(blobs), torch._foreach_norm(diff), strict=True):
            if param.larc:
                ratio = (1 - rates.momentum) * param.larc_eta * w / g
            else:
                ratio = param.local_gw_ratio * w / (g + param.weight_decay * w)
            ratio = torch.where((w > 0) & (g > 0), ratio, 1)
            found.append((ratio / rates.lr).clamp(max=1) if param.larc_policy == "clip" else ratio)
        return found

    def _decays(self, group: _Group) -> bool:
        return self.param.weight_decay * group.decay_mult != 0

    def _find_moving(self) -> None:
        self._moving = [group for group in self._groups if self._moves(group)]

    def _moves(self, group: _Group) -> bool:
        """Whether the group's blobs, histories or diffs can change.

        At lr_mult 0 Caffe still adds decay, and the gradient that force_backward asks for, to a history that does
        not contain the rate, and lets a momentum that comes from a solverstate run out.
        """
        if group.lr_mult != 0:
            return True
        has_gradient = any(self.blobs[i].requires_grad for i in group.indices)
        if not self._rule.rate_in_history:
            return has_gradient or self._decays(group)
        in_diff = has_gradient and self.keep_diff
        return in_diff or any(bool(self.history[i].any()) for i in group.indices)


def create(
    param: Any,
    blobs: Sequence[Tensor],
    lr_mults: Sequence[float],
    decay_mults: Sequence[float],
    keep_diff: bool = False,
) -> UpdateRule:
    """The update rule that `param.type` names, for these learned blobs.

    Raises:
        SolverError: a type nobody registered, or fields that contradict the type (momentum with AdaGrad ...).
    """
    return UpdateRule(param, blobs, lr_mults, decay_mults, keep_diff)


def faults(param: Any) -> Iterator[tuple[str, str]]:
    """What is wrong with the type of a SolverParameter and its fields: the field, and the text of the error."""
    if param.type not in _REGISTRY:
        hint = nearest(param.type, _REGISTRY)
        yield "type", f"unknown solver type '{param.type}'{hint}; known types: {some(_REGISTRY, param.type)}"
    elif problem := _REGISTRY[param.type].check(param):
        yield problem.partition(" ")[0], problem
    takers = [name for name, rule in _REGISTRY.items() if rule.rate_in_history]
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


def unused(param: Any) -> Iterator[tuple[str, str]]:
    """The fields of solver types that a SolverParameter sets and its type does not look at: the field, and why."""
    rule = _REGISTRY.get(param.type)
    if rule is None:
        return
    for field in sorted({field for other in _REGISTRY.values() for field in other.looks_at} - {"momentum"}):
        if param.HasField(field) and field not in rule.looks_at:
            takers = some(name for name, other in _REGISTRY.items() if field in other.looks_at)
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


def regularization_fault(param: Any) -> str:
    """What is wrong with the regularization_type, which counts only where a weight decays; or ""."""
    if param.weight_decay == 0 or param.regularization_type in ("L1", "L2"):
        return ""
    return f"unknown regularization_type '{param.regularization_type}'; use 'L1' or 'L2'"


def _check(param: Any, decay_mults: Sequence[float]) -> None:
    for _, what in faults(param):
        _fail(param, what)
    if any(decay_mults) and (what := regularization_fault(param)):
        _fail(param, what)


def _fail(param: Any, what: str) -> NoReturn:
    raise SolverError(f"{param.origin or 'solver'}: {what}")


# -- the rules, with g for the diff, h for a history and w for a blob ----------------------------


def _no_momentum(param: Any) -> str:
    if param.momentum == 0:
        return ""
    return f"momentum cannot be used with {param.type}, it is {param.momentum:g}; remove it or set it to 0"


def _rms_decay(param: Any) -> str:
    if 0 <= param.rms_decay < 1:
        return _no_momentum(param)
    return (
        f"rms_decay should lie between 0 and 1 (1 excluded), it is {param.rms_decay:g}; 0.99 is the default"
    )


def _beta1(param: Any) -> str:
    if param.momentum != 1:
        return ""
    return "momentum 1 makes Adam divide by 0; it is Adam's beta1, set it below 1 (0.9 is usual)"


@update_rule("SGD", histories=1, rate_in_history=True, history_is_update=True, looks_at=["momentum"])
def sgd(param: Any, step: Step) -> Tensors:
    """h = momentum * h + rate * g; w -= h"""
    (h,) = step.history
    torch._foreach_mul_(h, step.momentum)
    _axpy_(h, step.rate, step.diff)
    return h


@update_rule("Nesterov", histories=1, rate_in_history=True, looks_at=["momentum"])
def nesterov(param: Any, step: Step) -> Tensors:
    """h' = momentum * h + rate * g; w -= (1 + momentum) * h' - momentum * h = rate * g + momentum * h'"""
    (h,), g = step.history, step.diff
    torch._foreach_mul_(h, step.momentum)
    torch._foreach_mul_(g, step.rate)
    torch._foreach_add_(h, g)
    _axpy_(g, step.momentum, h)
    return g


@update_rule("AdaGrad", histories=1, check=_no_momentum, looks_at=["delta"])
def adagrad(param: Any, step: Step) -> Tensors:
    """h += g^2; w -= rate * g / (sqrt(h) + delta)"""
    (h,), g = step.history, step.diff
    torch._foreach_addcmul_(h, g, g)
    return _over_root(g, h, param.delta, step.rate)


@update_rule("RMSProp", histories=1, check=_rms_decay, looks_at=["delta", "rms_decay"])
def rmsprop(param: Any, step: Step) -> Tensors:
    """h = rms_decay * h + (1 - rms_decay) * g^2; w -= rate * g / (sqrt(h) + delta)"""
    (h,), g = step.history, step.diff
    _average_(h, param.rms_decay, torch._foreach_mul(g, g))
    return _over_root(g, h, param.delta, step.rate)


@update_rule("AdaDelta", histories=2, looks_at=["momentum", "delta"])
def adadelta(param: Any, step: Step) -> Tensors:
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
def adam(param: Any, step: Step) -> Tensors:
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


def _axpy_(y: Tensors, a: Scalar, x: Tensors) -> None:
    """y += a * x"""
    if isinstance(a, Tensor):
        torch._foreach_add_(y, torch._foreach_mul(x, a))
    else:
        torch._foreach_add_(y, x, alpha=a)


def _average_(y: Tensors, keep: Scalar, x: Tensors) -> None:
    """y = keep * y + (1 - keep) * x"""
    torch._foreach_mul_(y, keep)
    _axpy_(y, 1 - keep, x)


def _over_root(x: Tensors, h: Tensors, delta: float, rate: Scalar) -> Tensors:
    """rate * x / (sqrt(h) + delta)"""
    root = torch._foreach_sqrt(h)
    torch._foreach_add_(root, delta)
    update = torch._foreach_div(x, root)
    torch._foreach_mul_(update, rate)
    return update
