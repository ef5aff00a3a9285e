"""pycaffe's solvers over this package's solver.

Source: python/caffe/_caffe.cpp (Solver and its six types).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from caffe_compat.log.write import NULL
from caffe_compat.net.memory import keep_freed_memory
from caffe_compat.proto import SolverParameter, text
from caffe_compat.pycaffe import state
from caffe_compat.pycaffe.net import Net
from caffe_compat.solver.solver import Solver as CoreSolver


class Solver:
    """A solver prototxt ready to train: `net`, `test_nets`, `iter`, `step`, `solve`, `snapshot`, `restore` ..."""

    type = ""

    def __init__(self, solver_file: str, **options: Any):
        param = text.read_solver(str(solver_file), state.log())
        if self.type and self.type != param.type:
            param.type = self.type  # as in pycaffe, the class decides, whatever the file says
        if state.solver_count() > 1:  # one of several processes, which NCCL links
            options = {"replicas": state.solver_count(), "rank": state.solver_rank(), **options}
        if state.device().type == "cpu":
            keep_freed_memory()
        options = {"generator": state.generator(), **options}
        self.core = CoreSolver(param, device=state.device(), log=state.log(), **options)
        if "execution" not in options:
            for net in (self.core.net, *self.core.test_nets):
                net.execution = state.execution()
        self.core.rule.keep_diffs()
        self._net = Net.over(self.core.net)
        self._test_nets = [Net.over(net) for net in self.core.test_nets]

    @property
    def net(self) -> Net:
        return self._net

    @property
    def test_nets(self) -> list[Net]:
        return self._test_nets

    @property
    def iter(self) -> int:
        return self.core.iter

    @property
    def param(self) -> SolverParameter:
        """The SolverParameter; changes to base_lr take effect at the next update."""
        return self.core.param

    @property
    def lr(self) -> float:
        """The learning rate of the next update."""
        schedule = self.core.schedule
        step = schedule.current_step
        rate = schedule.at(self.core.iter).lr
        schedule.current_step = step  # looking must not move multistep on
        return rate

    @property
    def history(self) -> list[np.ndarray]:
        """The update rule's history blobs, in the solverstate's order (views on the CPU, copies from a GPU)."""
        return [blob.detach().cpu().numpy() for blob in self.core.rule.history]

    @contextmanager
    def _on_device(self) -> Iterator[None]:
        with ExitStack() as stack:
            for net in (self.net, *self.test_nets):
                stack.enter_context(net.on_device())
            yield

    def step(self, iters: int) -> None:
        with self._on_device():
            self.core.step(iters)

    def solve(self, resume_file: str | None = None) -> None:
        with self._on_device():
            self.core.solve(resume_file)

    def snapshot(self) -> None:
        with self._on_device():
            self.core.snapshot()

    def restore(self, state_file: str) -> None:
        with self._on_device():
            self.core.restore(str(state_file))

    def apply_update(self) -> None:
        """Update the blobs from the diffs that stand in them, and count the iteration."""
        with self._on_device():
            self.core.apply_update()

    def increment_iter(self) -> None:
        """Count the iteration now, so that the next `apply_update` has the next one's rate and does not count (DeePSiM)."""
        self.core.count_early()

    def share_weights(self, net: Net) -> None:
        """Let `net` use this solver's blobs in the layers of the same names."""
        net.core.share_trained_layers_with(self.core.net)

    def add_callback(self, on_start: Any, on_gradients_ready: Callable[[], None] | None = None) -> None:
        """Call `on_start` before each iteration's first forward, `on_gradients_ready` before its update; or the
        methods of these names of one object, an NCCL."""
        if on_gradients_ready is None:
            on_start, on_gradients_ready = on_start.on_start, on_start.on_gradients_ready
        self.core.callbacks.append((on_start, on_gradients_ready))


class SGDSolver(Solver):
    type = "SGD"


class NesterovSolver(SGDSolver):
    type = "Nesterov"


class AdaGradSolver(SGDSolver):
    type = "AdaGrad"


class RMSPropSolver(SGDSolver):
    type = "RMSProp"


class AdaDeltaSolver(SGDSolver):
    type = "AdaDelta"


class AdamSolver(SGDSolver):
    type = "Adam"


_SOLVERS = (SGDSolver, NesterovSolver, AdaGradSolver, RMSPropSolver, AdaDeltaSolver, AdamSolver)
_TYPES: dict[str, type[Solver]] = {cls.type: cls for cls in _SOLVERS}


def get_solver(solver_file: str, **options: Any) -> Solver:
    """The solver of the type that the file names. `options` go to caffe_compat.solver.Solver (replicas ...)."""
    cls = _TYPES.get(text.read_solver(str(solver_file), NULL).type, Solver)
    return cls(solver_file, **options)
