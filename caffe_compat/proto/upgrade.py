"""Old forms of nets and solvers made new."""

from typing import Any


def upgrade_net(param: Any, source: str) -> list[str]:
    done = []
    if any(layer.type == "BatchNorm" and len(layer.param) == 3 for layer in param.layer):
        for layer in param.layer:
            if layer.type == "BatchNorm" and len(layer.param) == 3:
                for spec in layer.param:
                    spec.lr_mult = spec.decay_mult = 0
        done.append("batch_norm")
    return done


def upgrade_solver(param: Any, source: str) -> list[str]:
    return []
