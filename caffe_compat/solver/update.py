"""The update of a solver: the gradients clipped, divided, regularised and given to the rule of its type.

    clip (all blobs together, the raw accumulated diff) -> divide by iter_size -> add weight decay
    -> compute the update value into the history -> data -= update

Blobs of equal lr_mult and decay_mult form a group, and each step of a rule is one `torch._foreach_*` call on
a group. Nothing here waits for the device: rates and iteration may be numbers or 0-dim tensors on the device,
so an update can be captured in a CUDA graph.

Caffe: src/caffe/solvers/sgd_solver.cpp (ApplyUpdate, ClipGradients, Normalize, Regularize).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor

from caffe_compat.errors import SolverError
from caffe_compat.proto import SolverParameter
from caffe_compat.solver.schedule import Rates
from caffe_compat.solver.update_rules import RULES, Step, Tensors, axpy_, faults, regularization_fault


@dataclass(frozen=True)
class _Group:
    indices: list[int]
    lr_mult: float
    decay_mult: float


def _diffs(blobs: Tensors) -> list[Tensor]:
    """The gradients, zeros where there is none: all of these are made at once."""
    lacking = [blob for blob in blobs if blob.grad is None]
    if not lacking:
        return [blob.grad for blob in blobs]  # type: ignore[misc]
    zeros = lacking[0].new_zeros(sum(blob.numel() for blob in lacking))
    parts = zip(lacking, zeros.split([blob.numel() for blob in lacking]), strict=True)
    made = {id(blob): part.view(blob.shape) for blob, part in parts}
    return [made[id(blob)] if blob.grad is None else blob.grad for blob in blobs]


class UpdateRule:
    """The update of a solver: `apply` once an iteration, after the gradients are in the blobs' `.grad`.

    Attributes:
        history: Caffe's history blobs in Caffe's order: one for each blob, then (Adam, AdaDelta) a second one
            for each. Zeroed at birth; shaped like the blobs.
        moving: the groups of blobs that can change.
        keep_diff: leave the subtracted values in `.grad`, where Caffe's diff has them after an update
            (snapshot_diff). Without it `.grad` is used up: its values mean nothing after `apply`.
        clip_norm: the gradients' L2 norm of the last update as a 0-dim tensor, None without clip_gradients.
            A norm above clip_gradients was clipped.

    Raises:
        SolverError: a type nobody registered, or fields that contradict the type (momentum with AdaGrad ...).
    """

    def __init__(
        self,
        param: SolverParameter,
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
        self._rule = RULES[param.type]
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
        for group in self.moving:
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
        diff = _diffs(blobs)
        local = self._local_rates(blobs, diff, rates) if self.param.larc or self.param.local_lr_auto else None
        if self._decays(group):
            decay = rates.weight_decay * group.decay_mult
            axpy_(
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
        self.moving = [group for group in self._groups if self._moves(group)]

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


def _check(param: SolverParameter, decay_mults: Sequence[float]) -> None:
    for _, what in faults(param):
        _fail(param, what)
    if any(decay_mults) and (what := regularization_fault(param)):
        _fail(param, what)


def _fail(param: SolverParameter, what: str) -> NoReturn:
    raise SolverError(f"{param.origin or 'solver'}: {what}")
