"""Exact resume: a restored run draws, reads and displays what the interrupted one would have.

Caffe keeps the weights, the histories, the iteration and the rate's step, and starts its data anew. What is missing for
the same numbers to the last bit is kept beside them, in this order, in which it is also restored:

    replicas        how many the records were shared by
    random          how torch's generators stand, from which Dropout and the like draw: one state for all replicas and
                    ranks, or each replica's where they draw apart
    test_random     the same of the test nets, which have random numbers of their own
    generator       from which fillers and data layers draw
    data            where each data layer stands, net by net, the training net first
    losses          what the smoothed loss is made of
    diverged_tests  how many of the last tests in a row had no finite loss
    watched         what an lr_policy remembers of losses or tests

It is JSON, with a version, in a private field of the solverstate (state.py) that Caffe skips. Version 1 is all there is;
early files of it lack the test_random, diverged_tests and watched that they had no use for.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from caffe_compat.errors import SnapshotError
from caffe_compat.layers.base import Layer
from caffe_compat.log.write import Log
from caffe_compat.net.net import Net
from caffe_compat.net.random_state import State, get_state, set_state
from caffe_compat.proto import SolverParameter
from caffe_compat.solver.display import SmoothedLoss
from caffe_compat.solver.parallel import Group
from caffe_compat.solver.schedule import Schedule
from caffe_compat.solver.testing import Testing

VERSION = 1

_T = TypeVar("_T")
_WORDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a whole number",
    float: "a number",
}


@dataclass
class Kept:
    """What a solverstate of this package says beside Caffe's own; see this file's head."""

    replicas: int
    random: list[State]
    test_random: State | None
    generator: Tensor
    data: list[list[dict[str, Any]]]
    ring: list[float]
    smoothed: float
    first_iter: int
    diverged_tests: int
    watched: dict[str, float]


class Resume:
    """Keeps and restores where a run stands, from the parts of its solver.

    In a group every rank makes the same calls.
    """

    def __init__(
        self,
        param: SolverParameter,
        net: Net,
        testing: Testing,
        schedule: Schedule,
        losses: SmoothedLoss,
        generator: torch.Generator,
        group: Group | None,
        log: Log,
    ):
        self._param = param
        self._net = net
        self._testing = testing
        self._schedule = schedule
        self._losses = losses
        self._generator = generator
        self._group = group
        self._log = log
        self._held: dict[str, Any] | None = None

    def hold(self) -> None:
        """Let `keep` say how it is now until `release`: a test begins, which a resumed run does again."""
        self._held = self._position()

    def release(self) -> None:
        self._held = None

    def keep(self) -> tuple[int, bytes]:
        """The rate's step, which Caffe keeps too, and what it does not keep."""
        smoothed = self._losses.fetch()
        position = self._held or self._position()
        kept = {
            "version": VERSION,
            "replicas": self._net.context.replicas,
            **position,
            "random": self._of_all_ranks(position["random"]),
            "losses": {
                "ring": self._losses.ring,
                "smoothed": smoothed,
                "first_iter": self._losses.first_iter,
            },
        }
        return kept.pop("current_step"), json.dumps(kept).encode()

    def _position(self) -> dict[str, Any]:
        """Where this rank stands, in what a test moves on too."""
        return {
            "current_step": self._schedule.current_step,
            "random": [_encoded(state) for state in self._random_states()],
            "test_random": _encoded(self._testing.random),
            "generator": _encode(self._generator.get_state()),
            "data": [[layer.get_state() for layer in net.data_layers()] for net in self._nets()],
            "watched": self._schedule.watched,
            "diverged_tests": self._testing.diverged,
        }

    def _nets(self) -> list[Net]:
        return [self._net, *self._testing.nets]

    def _random_states(self) -> list[State]:
        """How the random numbers of the training net stand: one for all its replicas, or each one's held here."""
        net = self._net
        return list(net.streams.states.values()) if net.in_turn else [get_state(net.device)]

    def _of_all_ranks(self, states: list[_T]) -> list[_T]:
        """What the ranks return of `_random_states`: one for all, or each replica's in their order."""
        if self._group is None:
            return states
        gathered = self._group.gather(states)
        if not self._net.mixing_layer and all(theirs == states for theirs in gathered):
            return states
        return [state for turn in zip(*gathered, strict=True) for state in turn]

    def restore(self, data: bytes, path: str) -> None:
        """Go on where `keep` stood; `path` is the file that `data` comes from.

        Raises SnapshotError for data that a later version wrote, or that is damaged.
        """
        kept = parse(data, path)
        replicas = self._net.context.replicas
        if kept.replicas != replicas:
            self._log.info(
                f"{path} was written with {kept.replicas} replicas and this run has {replicas}: an iteration "
                f"takes {replicas} x batch_size records from now on"
            )
        try:
            self._set_random_states(kept.random, path)
            if kept.test_random is not None:
                torch.Generator().set_state(kept.test_random["cpu"])  # refused now, not when a test begins
                self._testing.random = kept.test_random
            self._generator.set_state(kept.generator)
        except (RuntimeError, TypeError) as error:  # torch's for bytes that are no state of its generators
            raise _damaged(path, f"random states: {error}") from error
        for net, states in zip(self._nets(), kept.data, strict=False):
            for layer, state in zip(net.data_layers(), states, strict=False):
                _set_state(layer, state, path)
        self._losses.restore(kept.ring, kept.smoothed, kept.first_iter)
        self._testing.diverged = kept.diverged_tests
        if kept.watched:
            if missing := [name for name in self._schedule.watched if name not in kept.watched]:
                raise _damaged(path, f"there is no {missing[0]!r} of lr_policy '{self._schedule.policy}'")
            self._schedule.watched = kept.watched

    def _set_random_states(self, states: list[State], path: str) -> None:
        net = self._net
        context = net.context
        count, mine = context.processes, [context.rank or 0]
        if net.mixing_layer:
            count, mine = context.replicas, list(context.held)
        elif len(states) == 1:
            states = states * count
        if len(states) != count:
            self._log.info(
                f"{path} was written by another number of replicas or processes: Dropout and the like go on with "
                "other random numbers"
            )
        elif net.in_turn:
            net.streams.states = {replica: states[replica] for replica in mine}
        else:
            set_state(states[mine[0]], net.device)

    def skip_records(self, iter: int) -> None:
        """A solverstate of Caffe's says no data position: go on at the record that its iteration implies."""
        param = self._param
        batches = [iter * param.iter_size]
        tests = 0
        if param.test_interval:
            tests = -(-iter // param.test_interval) - (0 if param.test_initialization or not iter else 1)
        batches += [tests * count for count in param.test_iter]
        for net, count in zip(self._nets(), batches, strict=False):  # only rank 0 has the test nets
            for layer in net.data_layers():
                layer.skip_batches(count)


def _set_state(layer: Layer, state: dict[str, Any], path: str) -> None:
    try:
        layer.set_state(state)
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise _damaged(path, f"layer '{layer.name}': {type(error).__name__}: {error}") from error


# -- reading --------------------------------------------------------------------------------------


def parse(data: bytes, path: str) -> Kept:
    """What `Resume.keep` wrote. Raises SnapshotError for data of a later version, or that makes no sense."""
    try:
        state = json.loads(data)
        if not isinstance(state, dict):
            raise TypeError(f"a {type(state).__name__}")
        version = _field(state, "version", int) if "version" in state else 1
        if version > VERSION:
            raise SnapshotError(
                f"{path}: the data positions and random states in it are of version {version}, which a later "
                f"caffe-compat wrote, and this one knows version {VERSION}; update it, or give --resume-data restart "
                "to begin at record 0 as Caffe does"
            )
        losses = _field(state, "losses", dict)
        nets = _list(state, "data", list)
        watched = _field(state, "watched", dict) if "watched" in state else {}
        return Kept(
            replicas=_field(state, "replicas", int),
            random=[_decoded(one) for one in _list(state, "random", dict)],
            test_random=_decoded(_field(state, "test_random", dict)) if "test_random" in state else None,
            generator=_decode(_field(state, "generator", str)),
            data=[[_checked("data", layer, dict) for layer in net] for net in nets],
            ring=_list(losses, "ring", float),
            smoothed=_field(losses, "smoothed", float),
            first_iter=_field(losses, "first_iter", int),
            diverged_tests=_field(state, "diverged_tests", int) if "diverged_tests" in state else 0,
            watched={name: _field(watched, name, float) for name in watched},
        )
    except (TypeError, ValueError, RecursionError) as error:  # json's, base64's, torch's, ours
        raise _damaged(path, str(error)) from error


def _field(state: dict[str, Any], name: str, kind: type[_T]) -> _T:
    if name not in state:
        raise ValueError(f"there is no '{name}'")
    return _checked(name, state[name], kind)


def _list(state: dict[str, Any], name: str, kind: type[_T]) -> list[_T]:
    return [_checked(name, item, kind) for item in _field(state, name, list)]


def _checked(name: str, value: Any, kind: type[_T]) -> _T:
    """`value`, which is called `name`, if it is of this kind."""
    kinds = (int, float) if kind is float else kind
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise TypeError(f"'{name}' holds {value!r:.20}, where {_WORDS[kind]} should be")
    return cast(_T, value)


def _damaged(path: str, what: str) -> SnapshotError:
    return SnapshotError(
        f"{path}: the data positions and random states in it are damaged ({what}); copy it again, or resume from an "
        "earlier snapshot"
    )


def _encoded(state: State) -> dict[str, str]:
    return {device: _encode(tensor) for device, tensor in state.items()}


def _decoded(state: dict[str, Any]) -> State:
    return {device: _decode(_field(state, device, str)) for device in ("cpu", *(state.keys() - {"cpu"}))}


def _encode(tensor: Tensor) -> str:
    return base64.b64encode(tensor.cpu().numpy().tobytes()).decode()


def _decode(text: str) -> Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
