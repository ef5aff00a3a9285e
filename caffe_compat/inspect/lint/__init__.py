"""What Caffe accepts without a word and people regret.

A rule is one function in a file of this folder, registered by `@rule`; its docstring is what
`caffe-compat lint --list` prints. It gets the Subject and yields what it finds as (place, text): the place is
a layer or "file:line", the text says what is wrong, with the numbers, why, and what to do.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from caffe_compat.errors import UsageError, nearest
from caffe_compat.inspect.lint.subject import Subject
from caffe_compat.proto import LayerParameter

WARNING, NOTE = "warning", "note"

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
