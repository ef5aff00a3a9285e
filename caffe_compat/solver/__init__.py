"""Training: the loop, update rules, schedules and solver states."""

from typing import TYPE_CHECKING, Any

__all__ = ["Solver"]

if TYPE_CHECKING:
    from caffe_compat.solver.solver import Solver
else:

    def __getattr__(name: str) -> Any:
        # Late, so that `caffe_compat.solver.lr_policy` does not import torch.
        if name == "Solver":
            from caffe_compat.solver.solver import Solver

            return Solver
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
