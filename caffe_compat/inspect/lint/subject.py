"""What is looked at: the nets of a file, each as a solver runs it, built for its shapes where that can be."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from caffe_compat.errors import CaffeError, ParseError
from caffe_compat.inspect.lint.questions import (
    data_messages,
    is_loss,
    uses_stored_statistics,
)
from caffe_compat.inspect.outline import Outline, copy_of, sources, state_of
from caffe_compat.layers.base import Shape
from caffe_compat.log.write import NULL
from caffe_compat.net.resolve import filter_net
from caffe_compat.proto import (
    TEST,
    TRAIN,
    LayerParameter,
    NetParameter,
    NetState,
    Phase,
    SolverParameter,
    text,
)
from caffe_compat.proto.text import HERE, Reader
from caffe_compat.proto.upgrade import upgrade_net


class View:
    """One net in one phase, as a solver runs it.

    phase    TRAIN or TEST
    whole    the NetParameter, of all phases
    layers   the LayerParameters that the state keeps, as the file has them: BatchNorm's lr_mult may be non-zero
    index    which test net it is
    outline  the net built for its shapes, or None where it cannot be; `error` is why
    """

    def __init__(
        self,
        param: NetParameter,
        state: NetState,
        index: int = 0,
        inputs: Mapping[str, Shape] | None = None,
        reader: Reader = HERE,
    ):
        self.phase: int = state.phase
        self.index = index
        self.name = Phase.Name(state.phase)
        self.whole = param = copy_of(param, state)
        self.layers: list[LayerParameter] = []
        self.outline: Outline | None = None
        self.error: CaffeError | None = None
        try:
            self.layers = list(filter_net(param, state).layer)
            built = copy_of(param, state)
            upgrade_net(built, "", NULL)
            self.outline = Outline(built, inputs=inputs, reader=reader)
        except CaffeError as error:
            self.error = error
        made: dict[str, int] = {}
        self.made_by: list[list[int | None]] = []  # of each bottom, the layer that makes it
        self.read_by: list[list[int]] = [[] for _ in self.layers]
        for i, layer in enumerate(self.layers):
            self.made_by.append([made.get(blob) for blob in layer.bottom])
            for maker in self.made_by[-1]:
                if maker is not None:
                    self.read_by[maker].append(i)
            made.update(dict.fromkeys(layer.top, i))
        self.unread = {
            blob: i
            for blob, i in made.items()
            if not any(blob in self.layers[k].bottom for k in self.read_by[i])
        }

    def of(self, *types: str) -> list[LayerParameter]:
        return [layer for layer in self.layers if layer.type in types]

    def maker(self, index: int, bottom: int = 0) -> LayerParameter | None:
        """The layer that makes a bottom of layer `index`, or None."""
        makers = self.made_by[index]
        at = makers[bottom] if bottom < len(makers) else None
        return None if at is None else self.layers[at]

    def shape(self, blob: str) -> Shape | None:
        return self.outline.net.blob_shapes.get(blob) if self.outline else None

    @cached_property
    def batch_sizes(self) -> set[int]:
        """The batch_size of the layers that read records."""
        return {message.batch_size for layer in self.layers for message in data_messages(layer).values()}

    @cached_property
    def normalizers(self) -> list[LayerParameter]:
        """The BatchNorm layers that normalise by their batch."""
        return [layer for layer in self.of("BatchNorm") if not uses_stored_statistics(layer, self.phase)]


@dataclass
class Subject:
    """What is looked at: a solver with its nets, or a net in the phases that it distinguishes."""

    path: str
    solver: SolverParameter | None
    views: list[View]
    reader: Reader = HERE
    told: list[tuple[str, str, str]] = field(
        default_factory=list
    )  # what training says of a field, and its kind
    absent: list[CaffeError] = field(
        default_factory=list
    )  # nets that the solver names and that are not there
    lines: dict[str, list[int]] = field(default_factory=dict)

    def at(self, name: str, index: int = 0) -> str:
        """Where the solver has this field, or would have it."""
        lines = self.lines.get(name)
        return f"{self.path}:{lines[min(index, len(lines) - 1)]}" if lines else self.path

    @property
    def train(self) -> list[View]:
        return [view for view in self.views if view.phase == TRAIN]

    @property
    def test(self) -> list[View]:
        return [view for view in self.views if view.phase == TEST]


def read_subject(
    path: str,
    reader: Reader = HERE,
    *,
    state: NetState | None = None,
    phases: Iterable[int] = (),
    inputs: Mapping[str, Shape] | None = None,
    ask: Callable[[SolverParameter], list[tuple[str, str, str]]] = lambda solver: [],
) -> Subject:
    """Read a net or a solver and build its nets for their shapes.

    Args:
        state: level and stages to add to every net's state.
        phases: look at these only.
        inputs, reader: as for Outline.
        ask: what training says of a solver's fields: field, sentence and kind of each.

    Raises ParseError for files that cannot be read.
    """
    message = reader.read(path)
    subject = Subject(path, None, [], reader)
    planned: list[tuple[int, int, str | NetParameter]] = []
    if isinstance(message, SolverParameter):
        subject.solver = message
        subject.told = ask(message)
        with open(path, encoding="utf-8", errors="replace") as file:
            for name, line in text.top_fields(file.read()):
                subject.lines.setdefault(name, []).append(line)
        for phase in phases or (TRAIN, TEST):
            planned += [(phase, i, source) for i, source in enumerate(sources(message, phase))]
    else:
        planned = [(phase, 0, path) for phase in phases or _phases(message)]
    for phase, index, source in planned:
        if isinstance(source, str):
            file_name = source if subject.solver is None else reader.path(source)
            try:
                net = _parsed(subject, source, file_name)
            except ParseError as error:
                if subject.solver is None or os.path.exists(file_name):
                    raise
                subject.absent.append(error)
                continue
            upgrade_net(net, file_name, reader.log, skip=("batch_norm",))
        else:
            net = source
        merged = state_of(subject.solver, net, phase, index) if subject.solver else NetState(phase=phase)
        if state is not None:
            merged.MergeFrom(state)
            merged.phase = phase
        subject.views.append(View(net, merged, index, inputs, reader))
    return subject


def _parsed(subject: Subject, name: str, path: str) -> NetParameter:
    if subject.solver is None:
        return subject.reader.message(path, NetParameter)
    return text.named_by(subject.solver, name, path, subject.reader.message, NetParameter)


def _phases(net: NetParameter) -> list[int]:
    """The phases that a net's rules tell apart; of one without, TRAIN if it has a loss."""
    if any(r.HasField("phase") for layer in net.layer for r in (*layer.include, *layer.exclude)):
        return [TRAIN, TEST]
    if net.state.HasField("phase"):
        return [net.state.phase]
    return [TRAIN if any(is_loss(layer) for layer in net.layer) else TEST]
