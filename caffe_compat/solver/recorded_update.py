"""The update as a CUDA graph: asked for by one launch, as the pass before it is."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe_compat.log.write import Log
from caffe_compat.net.capture import Captured, reason
from caffe_compat.net.net import Net
from caffe_compat.solver.schedule import Rates
from caffe_compat.solver.update import UpdateRule


class RecordedUpdate:
    """`UpdateRule.apply`, recorded once the passes of the net are, and again where gradients lie elsewhere since then.

    Where recording fails a line says so, and updates run as they are.
    """

    def __init__(self, rule: UpdateRule, net: Net, log: Log):
        self._rule, self._net, self._log = rule, net, log
        self._captured: Captured | None = None
        self._made_for: tuple[object, ...] = ()
        self._possible = not rule.keep_diff  # which makes gradients where there are none

    def apply(self, rates: Rates, iter: int) -> None:
        """As UpdateRule.apply."""
        if not (self._possible and self._net.recorded):
            self._rule.apply(rates, iter)
            return
        blobs = self._rule.blobs
        made_for = (
            self._rule.moving,
            *(blob.grad if blob.grad is None else blob.grad.data_ptr() for blob in blobs),
        )
        if self._captured is None or made_for != self._made_for:
            self._captured, self._made_for = Captured(self._apply), made_for
        numbers = torch.tensor([*rates, iter], dtype=blobs[0].dtype).to(blobs[0].device, non_blocking=True)
        try:
            self._captured([numbers])
        except RuntimeError as error:
            if not self._captured.recording:
                raise
            self._possible = False
            self._captured = None
            self._log.warning(
                f"the update cannot be recorded as a CUDA graph and runs as it is: {reason(error)}"
            )
            self._rule.apply(rates, iter)
            return
        if self._captured.recorded:
            for blob in blobs:  # autograd knows nothing of what a graph writes
                torch.autograd.graph.increment_version(blob)

    def _apply(self, numbers: Tensor) -> list[Tensor]:
        lr, momentum, weight_decay, iter = numbers.unbind()
        self._rule.apply(Rates(lr, momentum, weight_decay), iter)  # type: ignore[arg-type]
        return []
