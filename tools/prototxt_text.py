"""Messages as prototxt text, from nothing but the standard library."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

LINE_WIDTH = 100
WRITTEN_BY = "Written by tools/make_prototxt.py; change that file, not this one."

Message = dict[str, Any]  # field -> scalar, message, or a list of either for a repeated field


class Enum(str):
    """A value that prototxt writes without quotes."""


TRAIN, TEST = ({"phase": Enum(phase)} for phase in ("TRAIN", "TEST"))
BIAS_TWICE = [{"lr_mult": 1}, {"lr_mult": 2}]  # `param` of a layer whose bias learns at twice the rate


def scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and not isinstance(value, Enum):
        return f'"{value}"'
    return str(value)


def entries(message: Message) -> Iterable[tuple[str, Any]]:
    """The fields of a message in order, each value of a repeated one by itself."""
    for field, value in message.items():
        for item in value if isinstance(value, list) else [value]:
            yield field, item


def lines(message: Message, indent: str = "") -> Iterable[str]:
    """A message as prototxt: one field a line, a nested message on one line where it fits."""
    for field, value in entries(message):
        if not isinstance(value, dict):
            yield f"{indent}{field}: {scalar(value)}"
            continue
        nested = list(lines(value, indent + "  "))
        short = f"{indent}{field} {{ {' '.join(line.strip() for line in nested)} }}"
        if field != "layer" and len(short) <= LINE_WIDTH:
            yield short
        else:
            yield from [f"{indent}{field} {{", *nested, f"{indent}}}"]


def document(comment: str, message: Message) -> str:
    """A whole file: the comment, wrapped, a line on where it comes from, and the message."""
    head = [*textwrap.wrap(comment, LINE_WIDTH - 2), WRITTEN_BY]
    return "\n".join([*(f"# {line}" for line in head), "", *lines(message), ""])
