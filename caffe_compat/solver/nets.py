"""The nets of a solver: what each is made of, its state, and the weights that it begins with.

Caffe: src/caffe/solver.cpp (InitTrainNet, InitTestNets)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch

from caffe_compat.errors import from_where
from caffe_compat.layers.base import Context
from caffe_compat.log.write import Log
from caffe_compat.net import weights
from caffe_compat.net.net import Net
from caffe_compat.net.random_state import seed_of
from caffe_compat.proto import (
    TEST,
    TRAIN,
    TRAINING_NETS,
    NetParameter,
    NetState,
    Phase,
    SolverParameter,
    fork_fields,
    text,
)
from caffe_compat.proto.text import Reader
from caffe_compat.solver import fields
from caffe_compat.solver.parallel import Group


def seeded(random_seed: int, generator: torch.Generator | None, group: Group | None) -> torch.Generator:
    """Where fillers and data layers draw from; torch's own generators, from which other layers draw, begin alike in
    all processes."""
    seed = random_seed
    if seed < 0:
        if generator is not None:
            return generator
        seed = torch.Generator().seed()
        if not group:
            return torch.Generator().manual_seed(seed)
        seed = group.same(seed)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


@dataclass
class Builder:
    """Makes the nets that a solver names.

    param      the solver
    reader     where relative paths start, what an unknown field is, and the log
    read_net   reads a net file given its path and the log
    generator  what fillers and data layers draw from, the training net's first
    replicas, rank, group   as of Solver
    """

    param: SolverParameter
    reader: Reader
    device: torch.device
    read_net: Callable[[str, Log], NetParameter]
    generator: torch.Generator
    replicas: int
    rank: int | None
    group: Group | None
    _told: set[str] = field(default_factory=set)

    def train(self) -> Net:
        """The training net; torch's generators are this replica's from now on."""
        given = fields.training_nets(self.param)
        if not given:
            fields.fail(
                self.param,
                f"a solver names its training net in one of {', '.join(TRAINING_NETS)}; this one has none of them",
            )
        name = given[0]
        value = getattr(self.param, name)
        self.reader.log.train_net(name, value if isinstance(value, str) else "")
        net = self._build(self._net_param(value), TRAIN, self.param.train_state)
        if net.mixing_layer and not net.in_turn:  # as this replica's stream, where all run in turn
            torch.manual_seed(seed_of(net.context.held[0]))
        of_blobs = (n for layer in net.layers for spec in layer.param.param for n in fork_fields(spec))
        if ignored := [f"param.{name}" for name in dict.fromkeys(of_blobs)]:
            fields.refuse(self.param, ignored, self.reader.ignore_unknown, self.reader.log.warn_once)
        return net

    def tests(self) -> Iterator[Net]:
        """The test nets, in the order of their test_iter; only the first rank tests."""
        param = self.param
        if self.rank:
            return
        sources = [(name, value, self._net_param(value)) for name, value in fields.test_sources(param)]
        for index, (name, value, net_param) in enumerate(sources):
            self.reader.log.test_net(index, name, value if isinstance(value, str) else "")
            net = self._build(net_param, TEST, param.test_state[index] if param.test_state else None)
            net.debug_info = param.debug_info
            yield net

    def _net_param(self, source: str | NetParameter) -> NetParameter:
        """A copy of the net that a solver field gives: the name of a file, or the net itself."""
        net_param = NetParameter()
        if isinstance(source, str):
            path, log = self.reader.path(source), self.reader.log
            net_param.CopyFrom(text.named_by(self.param, source, path, self.read_net, log))
        else:
            net_param.CopyFrom(source)
        return net_param

    def _build(self, net_param: NetParameter, phase: int, state: NetState | None) -> Net:
        """The net of a NetParameter, in the state that the solver's fields merge to."""
        merged = NetState(phase=phase)
        merged.MergeFrom(net_param.state)
        if state is not None:
            merged.MergeFrom(state)
        net_param.state.CopyFrom(merged)
        context = Context(
            generator=self.generator,
            root=self.reader.root,
            replicas=self.replicas if phase == TRAIN else 1,
            rank=self.rank,
            ranks=self.group.size if self.group else None,
            ignore_unknown=self.reader.ignore_unknown,
            told=self._told,
        )
        net = Net(net_param, context=context, log=self.reader.log, device=self.device)
        if not net.layers:
            fields.fail(
                self.param,
                f"the {Phase.Name(phase)} net has no layers; look at its file, and at the include and exclude rules in it",
            )
        for layer in net.data_layers():
            if layer.filled_by_caller and len(net.context.held) > 1:
                layer.fail(
                    f"is filled by the caller, which {self.replicas} replicas in one process cannot share; use a "
                    "layer that reads records, or one replica a process"
                )
        if not self.rank:
            self._fine_tune(net)
        return net

    def _fine_tune(self, net: Net) -> None:
        """Let the net begin with the solver's `weights`, if it names any."""
        for name in (name.strip() for entry in self.param.weights for name in entry.split(",")):
            self.reader.log.finetuning(name)
            path = self.reader.path(name)
            if not os.path.exists(path):
                fields.fail(self.param, f"weights '{name}': no such file{from_where(path)}; check the path")
            weights.copy_trained_layers_from(net, path)


def say_replicas(net: Net, param: SolverParameter, group: Group | None, log: Log) -> None:
    """Log how the replicas of a training net run."""
    context = net.context
    replicas, held = context.replicas, len(context.held)
    sizes = {shape[0] for layer in net.data_layers() for shape in layer.reshape()[:1] if shape}
    size = max(sizes, default=0)
    place = "one device"
    if group:
        place = f"{group.size} processes ({group.backend}), {held} on each"
    elif context.rank is not None:
        place = f"{replicas} processes"
    log.info(
        f"{replicas} replicas on {place}: batch_size {size} each, {size * replicas} records a "
        "forward pass, gradients averaged, replica 0's BatchNorm statistics kept"
    )
    if param.debug_info and held > 1:
        log.info("debug_info is printed for the test nets only: the replicas of this process run as one")
    if net.in_turn:
        log.info(f"layer {net.mixing_layer} mixes records, so the replicas run one after the other")
