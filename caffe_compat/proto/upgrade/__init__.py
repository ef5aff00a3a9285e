"""Old forms of nets and solvers made new, as Caffe does when it reads a file.

Each upgrade is a (needed, apply) pair, and the list below is their order. `apply` changes the message in
place and returns what it could not carry over, one sentence each; Caffe logs such things and goes on.
Source: src/caffe/util/upgrade_proto.cpp.
"""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from caffe_compat.errors import ParseError
from caffe_compat.log.write import WARNING, Log
from caffe_compat.proto import NetParameter, SolverParameter
from caffe_compat.proto.upgrade import net, solver, v0, v1
from caffe_compat.proto.upgrade.solver import fill_snapshot_prefix

__all__ = [
    "NET_UPGRADES",
    "SOLVER_UPGRADES",
    "Upgrade",
    "fill_snapshot_prefix",
    "upgrade_net",
    "upgrade_solver",
]


class Upgrade(NamedTuple):
    """`name` is what `log.upgraded` calls it."""

    name: str
    needed: Callable[[Any], bool]
    apply: Callable[[Any], list[str]]


NET_UPGRADES = [
    Upgrade("V0", v0.needed, v0.apply),
    Upgrade("data", v1.needs_transform, v1.move_transform),
    Upgrade("V1", v1.needed, v1.apply),
    Upgrade("input", net.needs_input, net.input_layer),
    Upgrade("batch_norm", net.needs_batch_norm, net.batch_norm_rates),
]
SOLVER_UPGRADES = [Upgrade("solver_type", solver.has_old_type, solver.name_type)]


def upgrade_net(
    param: NetParameter,
    source: str,
    log: Log | None = None,
    skip: Collection[str] = (),
    dropped: list[str] | None = None,
) -> list[str]:
    """Bring a NetParameter of any age, read from `source`, to today's form, in place.

    `log` (a log.write.Log; None sends only warnings, to standard error) gets Caffe's lines; upgrades named
    in `skip` are left out; `dropped` gets what could not be carried over, which is logged as an error, too.
    Returns the names of the upgrades done: V0, data, V1, input, batch_norm.
    Raises ParseError where Caffe aborts: `layer` mixed with `layers`, an unknown V0 type, padding that
    feeds no convolution or pooling, an `input` without its dimensions.
    """
    if param.layer and param.layers:
        raise ParseError(
            f"{param.layer[0].origin or source}: the net has {len(param.layer)} 'layer' and {len(param.layers)} "
            "'layers' fields, which cannot be mixed; write all of them as layer { type: \"Type\" ... }"
        )
    return _run(NET_UPGRADES, param, source, log, skip, dropped)


def upgrade_solver(
    param: SolverParameter, source: str, log: Log | None = None, skip: Collection[str] = ()
) -> list[str]:
    """Bring a SolverParameter to today's form, in place, with the nets inside it; as `upgrade_net`.

    The names are solver_type and those of `upgrade_net`. (Caffe leaves nets inside as they are, and so trains
    an empty net where they are of an old form.)
    """
    if param.HasField("solver_type") and param.HasField("type"):
        raise ParseError(
            f"{source}: solver_type (the old field) and type (the new one) are both given; keep `type`"
        )
    done = _run(SOLVER_UPGRADES, param, source, log, skip, None)
    nets = [getattr(param, name) for name in ("net_param", "train_net_param") if param.HasField(name)]
    for inner in (*nets, *param.test_net_param):
        done += upgrade_net(inner, inner.origin or source, log, skip)
    return done


def _run(
    upgrades: list[Upgrade],
    param: NetParameter | SolverParameter,
    source: str,
    log: Log | None,
    skip: Collection[str],
    dropped: list[str] | None,
) -> list[str]:
    log = log or Log(progress=False, level=WARNING)
    done = []
    for upgrade in upgrades:
        if upgrade.name in skip or not upgrade.needed(param):
            continue
        losses = upgrade.apply(param)
        log.upgraded(upgrade.name, source)
        for loss in losses:
            log.error(loss)
        if dropped is not None:
            dropped += losses
        done.append(upgrade.name)
    return done
