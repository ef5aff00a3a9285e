"""What Caffe accepts without a word and people regret.

A rule is one function in a file of this folder, registered by `@rule`; its docstring is what
`caffe-compat lint --list` prints. It gets the Subject and yields what it finds as (place, text): the place is
a layer or "file:line", the text says what is wrong, with the numbers, why, and what to do.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from google.protobuf.message import Message

from caffe_compat.errors import CaffeError, DataError, ParseError, UsageError, nearest
from caffe_compat.inspect.outline import Outline, copy_of, sources, state_of
from caffe_compat.layers.base import Shape
from caffe_compat.layers.facts import WeightMessage
from caffe_compat.layers.registry import class_for
from caffe_compat.log import names
from caffe_compat.log.write import NULL, Log
from caffe_compat.net.resolve import filter_net
from caffe_compat.proto import (
    TEST,
    TRAIN,
    DataParameter,
    HDF5DataParameter,
    ImageDataParameter,
    LayerParameter,
    MemoryDataParameter,
    NetParameter,
    NetState,
    Phase,
    SolverParameter,
    WindowDataParameter,
    text,
)
from caffe_compat.proto.upgrade import upgrade_net

WARNING, NOTE = "warning", "note"

DataMessage: TypeAlias = (
    DataParameter | ImageDataParameter | HDF5DataParameter | WindowDataParameter | MemoryDataParameter
)

Place: TypeAlias = LayerParameter | str
Found = Iterator[tuple[Place, str]]


@dataclass(frozen=True)
class Rule:
    """A registered rule; `severity` is WARNING for what is nearly always a mistake, NOTE for what to know."""

    id: str
    severity: str
    function: Callable[[Subject], Found]

    @property
    def reason(self) -> str:
        return " ".join((self.function.__doc__ or "").split())


_RULES: dict[str, Rule] = {}


def rule(
    id: str, severity: str = WARNING
) -> Callable[[Callable[[Subject], Found]], Callable[[Subject], Found]]:
    """Register the decorated function under this id."""

    def register(function: Callable[[Subject], Found]) -> Callable[[Subject], Found]:
        if id in _RULES:
            raise ValueError(
                f"rule {id!r} is registered by both {_RULES[id].function.__module__} and {function.__module__}"
            )
        _RULES[id] = Rule(id, severity, function)
        return function

    return register


def rules() -> dict[str, Rule]:
    """All rules by id; imports every module of this folder the first time."""
    package = importlib.import_module("caffe_compat.inspect.lint")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(sorted(_RULES.items()))


@dataclass
class Finding:
    """What a rule found. `others` are further places of which the same is true."""

    rule: str
    severity: str
    where: str
    text: str
    others: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        names = ", ".join(self.others[:3]) + ", ..." * (len(self.others) > 3)
        more = f" (and {len(self.others)} more: {names})" if self.others else ""
        return f"{self.where}: {self.severity}: {self.text}{more} [{self.rule}]"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def lint(subject: Subject, only: Collection[str] = (), ignore: Collection[str] = ()) -> list[Finding]:
    """What the rules find, in the order of the rules' ids.

    Layers of which a rule says the same become one finding. Raises UsageError for ids that no rule has.
    """
    known = rules()
    for id in (*only, *ignore):
        if id not in known:
            raise UsageError(f"no rule '{id}'{nearest(id, known) or ';'} --list prints all")
    found = []
    for id, one in known.items():
        if (only and id not in only) or id in ignore:
            continue
        by_text: dict[str, dict[tuple[str, str], None]] = {}
        for place, what in one.function(subject):
            layer = "" if isinstance(place, str) else f"layer '{place.name}' ({place.type})"
            where = place if isinstance(place, str) else place.origin
            by_text.setdefault(what, {})[where, layer] = None
        for what, places in by_text.items():
            (where, layer), *rest = places
            others = [layer.partition("'")[2].partition("'")[0] or where for where, layer in rest]
            found.append(
                Finding(
                    id,
                    one.severity,
                    where,
                    f"{layer}: {what}" if layer else what,
                    list(dict.fromkeys(others)),
                )
            )
    return found


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
        root: str = "",
        ignore_unknown: bool = False,
        log: Log = NULL,
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
            self.outline = Outline(built, inputs=inputs, root=root, ignore_unknown=ignore_unknown, log=log)
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
        messages = (
            value for layer in self.layers for name, value in messages_of(layer) if name in DATA_MESSAGES
        )
        return {message.batch_size for message in messages}

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
    root: str = ""
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
    *,
    root: str = "",
    state: NetState | None = None,
    phases: Iterable[int] = (),
    inputs: Mapping[str, Shape] | None = None,
    ignore_unknown: bool = False,
    log: Log = NULL,
    ask: Callable[[SolverParameter], list[tuple[str, str, str]]] = lambda solver: [],
) -> Subject:
    """Read a net or a solver and build its nets for their shapes.

    Args:
        state: level and stages to add to every net's state.
        phases: look at these only.
        inputs, root, ignore_unknown, log: as for Outline.
        ask: what training says of a solver's fields: field, sentence and kind of each.

    Raises ParseError for files that cannot be read.
    """
    message = text.read(path, log, ignore_unknown, root)
    subject = Subject(path, None, [], root)
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
            file_name = source if subject.solver is None else os.path.join(root, names.file_name(source))
            try:
                net = _parsed(subject, source, file_name, ignore_unknown, log)
            except ParseError as error:
                if subject.solver is None or os.path.exists(file_name):
                    raise
                subject.absent.append(error)
                continue
            upgrade_net(net, file_name, log, skip=("batch_norm",))
        else:
            net = source
        merged = state_of(subject.solver, net, phase, index) if subject.solver else NetState(phase=phase)
        if state is not None:
            merged.MergeFrom(state)
            merged.phase = phase
        subject.views.append(View(net, merged, index, inputs, root, ignore_unknown, log))
    return subject


def _parsed(subject: Subject, name: str, path: str, ignore_unknown: bool, log: Log) -> NetParameter:
    if subject.solver is None:
        return text.parse_file(path, NetParameter, ignore_unknown, log)
    return text.named_by(subject.solver, name, path, text.parse_file, NetParameter, ignore_unknown, log)


def _phases(net: NetParameter) -> list[int]:
    """The phases that a net's rules tell apart; of one without, TRAIN if it has a loss."""
    if any(r.HasField("phase") for layer in net.layer for r in (*layer.include, *layer.exclude)):
        return [TRAIN, TEST]
    if net.state.HasField("phase"):
        return [net.state.phase]
    return [TRAIN if any(is_loss(layer) for layer in net.layer) else TEST]


# -- what rules ask of layers ---------------------------------------------------------------------

DATA_MESSAGES = (
    "data_param",
    "image_data_param",
    "hdf5_data_param",
    "window_data_param",
    "memory_data_param",
)


def messages_of(layer: LayerParameter) -> list[tuple[str, Message]]:
    """The parameter messages that a layer sets, by name."""
    return [
        (f.name, value) for f, value in layer.ListFields() if f.name.endswith("_param") and f.message_type
    ]


def is_loss(layer: LayerParameter) -> bool:
    """Whether the layer has a loss_weight of 1 if none is given."""
    cls = class_for(layer)
    return cls.is_loss if cls else layer.type.endswith("Loss")


def is_accuracy(layer: LayerParameter) -> bool:
    """Whether the layer only tells how good the net is."""
    cls = class_for(layer)
    return cls is not None and cls.is_accuracy


def has_bias(layer: LayerParameter) -> bool:
    """Whether a layer of weights has a bias as its second blob."""
    return bool(getattr(weight_message(layer), "bias_term", False))


def weight_message(layer: LayerParameter) -> WeightMessage | None:
    """Where the layer says how its weights are filled; None of one without, or of an unknown type."""
    cls = class_for(layer)
    return cls.weight_message(layer) if cls else None


def mults(layer: LayerParameter, blob: int) -> tuple[float, float]:
    """lr_mult and decay_mult of a blob."""
    return (
        (layer.param[blob].lr_mult, layer.param[blob].decay_mult) if blob < len(layer.param) else (1.0, 1.0)
    )


def uses_stored_statistics(layer: LayerParameter, phase: int) -> bool:
    p = layer.batch_norm_param
    return p.use_global_stats if p.HasField("use_global_stats") else phase == TEST


@rule("cannot-build")
def cannot_build(subject: Subject) -> Found:
    """The net cannot be built, or is not there; rules that need its layers or shapes were left out."""
    errors = [
        view.error
        for view in subject.views
        if view.error is not None and not isinstance(view.error, DataError)
    ]
    for error in (*subject.absent, *errors):
        where, _, what = str(error).partition(": ")
        yield where, what


@rule("no-shapes", NOTE)
def no_shapes(subject: Subject) -> Found:
    """Data is missing and nothing tells its shape; rules that need shapes were left out."""
    for view in subject.views:
        if isinstance(view.error, DataError):
            where, _, what = str(view.error).partition(": ")
            yield where, what
