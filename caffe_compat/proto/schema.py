"""Reads a schema without protoc: the part of proto2 that caffe.proto and the forks' files use.

Messages, enums, and fields with [default = x] or [packed = true] are as in proto2. Two words are ours:
`extend M { ... }` adds plain fields, and values of enums, to M (protoc would want extension ranges; here it reads as if
M had them all along). `hint M { ... }` is the same for fields that are about speed, memory or what is printed and
change no number.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

LABELS = {"optional": 1, "required": 2, "repeated": 3}
_SCALARS = {
    "double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9, "bytes": 12, "uint32": 13,
}  # fmt: skip

# A field (label, type, name, number, option and its value), a value of an enum (name, number), what opens a block (word,
# name), or a word.
_TOKEN = re.compile(
    r"""(?: (optional|required|repeated)\s+([\w.]+)\s+(\w+)\s*=\s*(\d+)\s*
        (?:\[\s*(\w+)\s*=\s*("[^"]*"|[\w.+-]+)\s*\]\s*)?;
    | (\w+)\s*=\s*(-?\d+)\s*;
    | (message|enum|extend|hint)\s+(\w+)\s*{
    | ([\w.+-]+|[{}=;\[\]]|"[^"]*") )\s*""",
    re.VERBOSE,
)
_COMMENT = re.compile(r'//(?=[^"\n]*(?:"[^"\n]*"[^"\n]*)*$)[^\n]*', re.MULTILINE)  # where no string is open
_NAME, _NUMBER, _VALUE, _OPENS, _WORD = 2, 3, 6, 8, 10
Token = tuple[str, ...]  # the groups of _TOKEN, "" where there is none


class Schema(NamedTuple):
    """A FileDescriptorProto, and the names (M.field, M.ENUM_VALUE) that `extend M` and `hint M` added."""

    file: FileDescriptorProto
    forks: set[str]
    hints: set[str]


class _Block(NamedTuple):
    """What is in the braces of `message M`, `extend M` or `hint M`: fields, and enums with their values."""

    section: str
    message: str
    fields: list[Token]
    enums: list[tuple[str, list[Token]]]

    def names(self) -> Iterator[str]:
        names = [field[_NAME] for field in self.fields]
        for _, values in self.enums:
            names += [value[_VALUE] for value in values]
        return (f"{self.message}.{name}" for name in names)


def compile_schema(text: str, name: str = "caffe.proto", sections: Iterable[tuple[str, str]] = ()) -> Schema:
    """The messages of a schema and of its further sections, which are (name, text).

    The order of the sections does not matter: what they add to messages is put in when all messages are there.
    ValueError for what cannot be read.
    """
    file = FileDescriptorProto(name=name)
    blocks: dict[str, list[_Block]] = {"message": [], "extend": [], "hint": []}
    tokens = _tokens(text)
    _expect(name, tokens, "syntax", "=", "proto2", ";", "package")
    file.package = _word(tokens)
    _expect(name, tokens, ";")
    _read(name, tokens, file, blocks)
    for section, more in sections:
        _read(section, _tokens(more), file, blocks)

    parts: dict[str, list[_Block]] = {block.message: [] for block in blocks["message"]}
    for block in itertools.chain(*blocks.values()):
        if block.message not in parts:
            raise ValueError(f"{block.section}: there is no message {block.message!r} to add to")
        parts[block.message].append(block)
    for message, its in parts.items():
        _fill(file.message_type.add(name=message), its)
    forks, hints = ({name for block in blocks[word] for name in block.names()} for word in ("extend", "hint"))
    return Schema(file, forks, hints)


def _tokens(text: str) -> Iterator[Token]:
    return iter(_TOKEN.findall(_COMMENT.sub("", text)))


def _word(tokens: Iterator[Token]) -> str:
    return _said(next(tokens, None))


def _said(token: Token | None) -> str:
    if token is None:
        return "the end"
    return token[_WORD].strip('"') or token[_OPENS] or " ".join(filter(None, token))


def _expect(section: str, tokens: Iterator[Token], *wanted: str) -> None:
    for want in wanted:
        if (got := _word(tokens)) != want:
            raise ValueError(f"{section}: expected {want!r}, found {got!r}")


def _read(
    section: str, tokens: Iterator[Token], file: FileDescriptorProto, blocks: dict[str, list[_Block]]
) -> None:
    """Sort a section's statements into `blocks`; enums outside messages go to the file."""
    for token in tokens:
        word, name = token[_OPENS : _OPENS + 2]
        if word in blocks:
            blocks[word].append(_block(section, name, tokens))
        elif word == "enum":
            _add_enum(file, name, _values(section, name, tokens))
        elif token[_WORD] in ("enum", *blocks):
            _word(tokens)
            _expect(section, tokens, "{")
        else:
            raise ValueError(
                f"{section}: expected a message, an enum, extend or hint, found {_said(token)!r}"
            )


def _block(section: str, message: str, tokens: Iterator[Token]) -> _Block:
    block = _Block(section, message, [], [])
    for token in tokens:
        word = token[_WORD]
        if token[0]:
            block.fields.append(token)
        elif word == "}":
            return block
        elif token[_OPENS] == "enum":
            name = token[_OPENS + 1]
            block.enums.append((name, _values(section, name, tokens)))
        elif word in LABELS:
            rest = itertools.takewhile(lambda token: token[_WORD] != ";", tokens)
            raise ValueError(
                f"{section}: expected 'LABEL TYPE NAME = NUMBER [default = VALUE];' in {message}, "
                f"found '{' '.join([word, *map(_said, rest)])}'"
            )
        else:
            raise ValueError(f"{section}: expected a field or an enum in {message}, found {_said(token)!r}")
    raise ValueError(f"{section}: expected '}}' after {message}, found the end")


def _values(section: str, enum: str, tokens: Iterator[Token]) -> list[Token]:
    values = list(itertools.takewhile(lambda token: token[_WORD] != "}", tokens))
    if wrong := [_said(token) for token in values if not token[_VALUE]]:
        raise ValueError(f"{section}: expected 'NAME = NUMBER;' in {enum}, found '{' '.join(wrong)}'")
    return values


def _fill(message: DescriptorProto, blocks: list[_Block]) -> None:
    fields = [field for block in blocks for field in block.fields]
    for column in (_NAME, _NUMBER):
        if len({field[column] for field in fields}) != len(fields):
            _complain_of_taken(blocks)
    for block in blocks:
        for field in block.fields:
            label, kind, name, number, option, value = field[:_VALUE]
            new = message.field.add()
            new.name, new.number, new.label = name, int(number), LABELS[label]
            if kind in _SCALARS:
                new.type = _SCALARS[kind]
            else:
                new.type_name = kind  # the pool finds out where it is and whether it is a message or an enum
            if option == "default":
                new.default_value = value.strip('"')
            elif option == "packed":
                new.options.packed = value == "true"
            elif option:
                raise ValueError(f"{block.section}: unknown option {option!r} of {message.name}.{name}")
        for enum in block.enums:
            _add_enum(message, *enum)


def _complain_of_taken(blocks: list[_Block]) -> None:
    taken: dict[str, Token] = {}  # by name and by number
    for block in blocks:
        for field in block.fields:
            name, number = field[_NAME], field[_NUMBER]
            if known := taken.get(name) or taken.get(number):
                raise ValueError(
                    f"{block.section}: {block.message}.{name} = {number} is taken by "
                    f"{known[_NAME]} = {known[_NUMBER]}"
                )
            taken[name] = taken[number] = field


def _add_enum(into: DescriptorProto | FileDescriptorProto, name: str, values: list[Token]) -> None:
    """Add an enum, or values to one that is there."""
    enum = next((known for known in into.enum_type if known.name == name), None) or into.enum_type.add(
        name=name
    )
    for value in values:
        enum.value.add(name=value[_VALUE], number=int(value[_VALUE + 1]))
