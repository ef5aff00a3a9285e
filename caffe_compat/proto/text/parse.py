"""The grammar of prototxt: a text becomes a message, or an error that says where and what instead."""

import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from caffe_compat.errors import ParseError, nearest, some
from caffe_compat.log import names
from caffe_compat.proto import NetParameter, SolverParameter, own
from caffe_compat.proto.text.fields import STRINGS, Field, fields_of, namesakes
from caffe_compat.proto.text.tokens import CLOSING, ESCAPE, Token, tokens, unescape

_BOOLS = {word: word[0] in "tT1" for word in ("true", "True", "t", "1", "false", "False", "f", "0")}
_KINDS = (("net", NetParameter, "solver", SolverParameter), ("solver", SolverParameter, "net", NetParameter))
_RANGES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}
_FLOATS = (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE)
# What template languages leave where a value belongs: looked for only where the text cannot be read.
_PLACEHOLDER = re.compile(
    r"""\{\{.*?\}\} | \{%.*?%\} | \{\#.*?\#\} | \{[A-Za-z_]?\w*\}       # jinja, str.format
    | \$\w+ | \$\{.*?\} | \$\(.*?\) | %\(\w+\)[a-z] | %[dfgs]\b    # shell, make, printf
    | <%.*?%> | <[A-Za-z_][\w ]*> | @\w+@ | \bX{2,}\b | \b__\w+__\b | \bTODO\b""",
    re.VERBOSE,
)
_FAR = 200  # characters

M = TypeVar("M", bound=Message)


class Parser:
    """A recursive-descent reader of one text; `token` is the next one not used yet."""

    def __init__(self, text: str, source: str, ignore_unknown: bool):
        self.text = text
        self.source = source.encode(errors="surrogateescape").decode(errors="replace")  # messages hold UTF-8
        self.ignore_unknown = ignore_unknown
        self.ignored: list[str] = []
        self.tokens = tokens(text)
        self.token = next(self.tokens)
        self.counted, self.line = 0, 1  # the line of offset `counted`

    def parse(self, cls: type[M]) -> M:
        message = cls()
        self.root = cls
        self.first = self.token.text
        try:
            self.body(message, "", 0)
        except RecursionError:
            self.fail(self.token.at, f"messages lie too deep within each other in this {cls.DESCRIPTOR.name}")
        if "origin" in fields_of(cls.DESCRIPTOR):
            message.origin = self.source
        return message

    # -- places and complaints

    def line_of(self, at: int) -> int:
        if at < self.counted:
            return self.text.count("\n", 0, at) + 1
        self.line += self.text.count("\n", self.counted, at)
        self.counted = at
        return self.line

    def where(self, at: int) -> str:
        return f"{self.source}:{self.line_of(at)}:{at - self.text.rfind(chr(10), 0, at)}"

    def fail(self, at: int, what: str) -> NoReturn:
        start = self.text.rfind("\n", 0, at) + 1
        # No farther than a place to fill in may be, because brackets without end would be looked through again and again.
        for match in _PLACEHOLDER.finditer(self.text, max(start, at - _FAR), at + _FAR):
            if match.start() > at:
                break
            if at < match.end():
                what = f"this file is a template: {match[0]!r} is a place to fill in; fill it in, then give the result"
        raise ParseError(f"{self.where(at)}: {what}")

    # -- tokens

    def next(self) -> Token:
        token, self.token = self.token, next(self.tokens)
        if token.kind == "bad":
            if token.text in "\"'":
                self.fail(token.at, f"this string has no closing {token.text} on its line")
            self.fail(token.at, f"unexpected character {token.text!r}")
        return token

    def take(self, *marks: str) -> str:
        """The next token if it is one of `marks`, else ''."""
        if self.token.kind == "mark" and self.token.text in marks:
            return self.next().text
        return ""

    # -- the grammar

    def body(self, message: Message, closing: str, opened: int) -> None:
        """The fields of `message` up to and with `closing`, or to the end of the text if that is ''."""
        descriptor = message.DESCRIPTOR
        fields = fields_of(descriptor)
        seen: dict[str, int] = {}
        while True:
            token = self.next()
            if token.kind == "name":
                field = fields.get(token.text)
                if field is None or field.name == "origin":
                    self.unknown(descriptor, token)
                    continue
                self.any_values(message, field, token.at, seen)
                self.take(";", ",")
            elif token.text == closing or (token.kind == "end" and not closing):
                break
            elif token.kind == "end":
                self.fail(opened, f"this {descriptor.name} is never closed; put a {closing!r} where it ends")
            else:
                wanted = f"{closing!r} or a field" if closing else "a field"
                self.fail(token.at, f"expected {wanted} of {descriptor.name}, found {token.text!r}")
        if missing := message.FindInitializationErrors():
            self.fail(opened, f"{descriptor.name} lacks {' and '.join(missing)}, which must be given")

    def any_values(self, message: Message, field: Field, at: int, seen: dict[str, int]) -> None:
        """A field's values, or those of the first namesake of a fork's that they fit."""
        others = namesakes(message.DESCRIPTOR).get(field.name, ())
        for other in others:
            if other.repeated and len(getattr(message, other.name)):
                return self.values(message, other, at, seen)
        start, ignored = self.token, len(self.ignored)
        try:
            self.values(message, field, at, seen)
        except ParseError:
            for other in others:
                self.tokens = tokens(self.text, start.at)
                self.token = next(self.tokens)
                del self.ignored[ignored:]
                if other.repeated and other.message is field.message and message.HasField(field.name):
                    getattr(message, other.name).append(getattr(message, field.name))
                message.ClearField(field.name)
                seen.pop(field.name, None)
                try:
                    return self.values(message, other, at, seen)
                except ParseError:
                    message.ClearField(other.name)
            raise

    def values(self, message: Message, field: Field, at: int, seen: dict[str, int]) -> None:
        """Everything between a field's name, which stands at `at`, and the next field."""
        if not field.repeated:
            if field.name in seen:
                line = self.line_of(seen[field.name])
                self.fail(
                    at, f"{field.owner}.{field.name} is given twice, first in line {line}; give it once"
                )
            seen[field.name] = at
        if field.message:
            self.take(":")
            if field.repeated and self.take("["):
                self.sequence(lambda: self.submessage(message, field))
            else:
                self.submessage(message, field)
            return
        if not self.take(":"):
            self.fail(
                self.token.at, f"expected ':' after {field.owner}.{field.name}, found {self.token.text!r}"
            )
        if not field.repeated:
            setattr(message, field.name, self.scalar(field))
            return
        values = getattr(message, field.name)
        if self.take("["):
            self.sequence(lambda: values.append(self.scalar(field)))
        else:
            values.append(self.scalar(field))

    def sequence(self, item: Callable[[], object]) -> None:
        if self.take("]"):
            return
        item()
        while self.take(","):
            item()
        if not self.take("]"):
            self.fail(self.token.at, f"expected ',' or ']', found {self.token.text!r}")

    def submessage(self, message: Message, field: Field) -> None:
        assert field.message is not None
        opened = self.token.at
        mark = self.take("{", "<")
        if not mark:
            self.fail(
                opened,
                f"{field.owner}.{field.name} is a {field.message.name}: expected '{{', found {self.token.text!r}",
            )
        inner = message.Extensions[field.extension] if field.extension else getattr(message, field.name)
        if field.repeated:
            inner = inner.add()
        else:
            inner.SetInParent()
        if "origin" in fields_of(field.message):
            inner.origin = f"{self.source}:{self.line_of(opened)}"
        self.body(inner, CLOSING[mark], opened)

    def scalar(self, field: Field) -> Any:
        if field.type in STRINGS:
            return self.string(field)
        at = self.token.at
        minus = self.take("-")
        token = self.next()
        text = minus + token.text
        if field.enum:
            return self.enum(field, text, at)
        if field.type == FieldDescriptor.TYPE_BOOL:
            if text not in _BOOLS:
                self.fail(at, f"{field.owner}.{field.name} must be true or false, found {text!r}")
            return _BOOLS[text]
        if field.type in _FLOATS:
            return self.number(field, token, text, at)
        return self.integer(field, token, text, at)

    def integer(self, field: Field, token: Token, text: str, at: int) -> int:
        try:
            # A leading 0 is octal, as in C.
            value = int(text, 8 if re.fullmatch("0[0-9]+", token.text) else 0)
        except ValueError:
            self.fail(at, f"{field.owner}.{field.name} must be a whole number, found {text!r}{_place(text)}")
        least, most = _RANGES[field.type]
        if not least <= value <= most:
            self.fail(at, f"{field.owner}.{field.name} must be from {least} to {most}, found {value}")
        return value

    def number(self, field: Field, token: Token, text: str, at: int) -> float:
        word = text.lower()
        if token.kind == "number":
            word = word.removesuffix("f")
        try:
            return float(word)
        except ValueError:
            self.fail(at, f"{field.owner}.{field.name} must be a number, found {text!r}{_place(text)}")

    def enum(self, field: Field, text: str, at: int) -> int:
        assert field.enum is not None
        known = field.enum.values_by_name
        if text in known:
            return known[text].number
        names = own(field.owner, known) or list(known)
        # Forks disagree about what their numbers mean.
        if re.fullmatch(r"-?\d+", text) and int(text) in (known[name].number for name in names):
            return int(text)
        allowed = (
            f"{', '.join(names[:-1])} or {names[-1]}" if len(names) <= 5 else f"one of {some(names, text)}"
        )
        if text[0] in "\"'":
            what = f"{text} is in quotes, but {field.owner}.{field.name} is one of these words"
        else:
            what = f"{field.owner}.{field.name} cannot be {text!r}"
        self.fail(at, f"{what}; use {allowed}{nearest(text, known)}")

    def string(self, field: Field) -> str | bytes:
        if self.token.kind != "string":
            token = self.next()
            self.fail(
                token.at, f"{field.owner}.{field.name} must be a string in quotes, found {token.text!r}"
            )
        data = b""
        while self.token.kind == "string":
            at = self.token.at
            piece = self.next().text[1:-1].encode("utf-8", "surrogateescape")
            if b"\\" in piece:
                try:
                    piece = ESCAPE.sub(unescape, piece)
                except ValueError as error:
                    self.fail(at, f"{field.owner}.{field.name}: {error}")
            data += piece
        if field.type == FieldDescriptor.TYPE_BYTES:
            return data
        return names.decode(data)

    def unknown(self, descriptor: Descriptor, token: Token) -> None:
        """Complain about a field that the message does not have, or skip it."""
        what = f"{descriptor.name} has no field {token.text!r}"
        if not self.ignore_unknown:
            for wanted, cls, given, other in _KINDS:
                theirs = fields_of(other.DESCRIPTOR).keys() - fields_of(cls.DESCRIPTOR).keys()
                if self.root is cls and self.first in theirs:
                    self.fail(token.at, f"{what}; this file is a {given}, give a {wanted} here")
            fields = {name: field for name, field in fields_of(descriptor).items() if name != "origin"}
            holders = [
                name
                for name, field in fields.items()
                if field.message and token.text in fields_of(field.message) and "__" not in name
            ]
            if holders and token.text != "origin":
                hint = f"; it belongs inside {' or '.join(holders[:4])};"
            else:
                words = [name for name in fields if "__" not in name]
                hint = nearest(token.text, words) or ";"
            self.fail(token.at, f"{what}{hint} --ignore-unknown-fields goes on without it")
        self.ignored.append(f"{self.where(token.at)}: {what}; ignored")
        self.take(":")
        self.skip()
        self.take(";", ",")

    def skip(self) -> None:
        """Pass over one value: a scalar, or all between brackets."""
        self.take("-")
        opening = self.next()
        if opening.kind == "string":
            while self.token.kind == "string":
                self.next()
        elif opening.text in CLOSING:
            unclosed = [opening]
            while unclosed:
                token = self.next()
                if token.kind == "end":
                    self.fail(unclosed[-1].at, f"this {unclosed[-1].text!r} is never closed")
                if token.text in CLOSING:
                    unclosed.append(token)
                elif token.text in CLOSING.values() and token.text != CLOSING[unclosed.pop().text]:
                    self.fail(token.at, f"unexpected {token.text!r}")
        elif opening.kind not in ("name", "number"):
            self.fail(opening.at, f"expected a value, found {opening.text!r}")


def _place(text: str) -> str:
    """What to say of a word where a number belongs."""
    word = re.fullmatch(r"[A-Za-z_]\w*", text)
    return "; if that is a place to fill in, this file is a template: fill it in first" if word else ""
