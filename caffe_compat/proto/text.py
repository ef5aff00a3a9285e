"""Prototxt: read with errors that say where and what instead, written as Caffe's C++ writes it.

The reader takes the text format of protobuf 2 as Caffe's own reader does: `#` comments, both kinds of
quotes, strings that continue in the next string, `{ }` and `< >`, `:` optional before a message, `,` and
`;` between fields, `[a, b]` for repeated fields. It is not google.protobuf.text_format because that
forgets where things stood: in one pass ours notes the line of every layer, lists what it was told to
ignore, and names message, field and the nearest known word in each error, whatever protobuf is installed.
"""

import os
import re
import stat
import struct
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple, NoReturn

from google.protobuf.descriptor import FieldDescriptor

from caffe_compat.errors import ParseError, from_where, nearest, some
from caffe_compat.log import names
from caffe_compat.log.write import WARNING, Log
from caffe_compat.proto import EXTENSIONS, NetParameter, SolverParameter, is_repeated, own, upgrade

_BOOLS = {word: word[0] in "tT1" for word in ("true", "True", "t", "1", "false", "False", "f", "0")}
_KINDS = (("net", NetParameter, "solver", SolverParameter), ("solver", SolverParameter, "net", NetParameter))
_RANGES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}
_FLOATS = (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE)
_STRINGS = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
_TOLD: dict[tuple[int, int], bytes] = {}  # what pipes told, by device and inode


# -- reading --------------------------------------------------------------------------------------


def read_net(path: str | os.PathLike[str], log: Any = None, ignore_unknown: bool = False) -> Any:
    """The NetParameter in the prototxt `path`, of any age, in today's form.

    Each layer's `origin` is its "path:line". `log` (a log.write.Log) gets Caffe's lines about upgrades and
    our warnings; without one, warnings go to standard error. `ignore_unknown` as for `parse`.
    Raises ParseError. Source: ReadNetParamsFromTextFileOrDie in src/caffe/util/upgrade_proto.cpp.
    """
    param = parse_file(path, NetParameter, ignore_unknown, log)
    upgrade.upgrade_net(param, os.fspath(path), log)
    return param


def read_solver(
    path: str | os.PathLike[str], log: Any = None, ignore_unknown: bool = False, root: str = ""
) -> Any:
    """The SolverParameter in the prototxt `path` in today's form, its snapshot_prefix filled in.

    Arguments as for `read_net`; a snapshot_prefix is looked up below `root`. Raises ParseError.
    Source: ReadSolverParamsFromTextFileOrDie in src/caffe/util/upgrade_proto.cpp.
    """
    param = parse_file(path, SolverParameter, ignore_unknown, log)
    upgrade.upgrade_solver(param, os.fspath(path), log)
    upgrade.fill_snapshot_prefix(param, os.fspath(path), log, root)
    return param


def read(path: str | os.PathLike[str], log: Any = None, ignore_unknown: bool = False, root: str = "") -> Any:
    """`read_net` or `read_solver`: what the first field at the top of the file that only one of them has speaks for."""
    net, solver = (set(_fields(cls.DESCRIPTOR)) for cls in (NetParameter, SolverParameter))
    try:
        text = content(path).decode(errors="replace")
        first = next((name for name, _ in top_fields(text) if name in net ^ solver), "")
    except OSError:
        first = ""  # read_net says what is wrong
    if first in solver:
        return read_solver(path, log, ignore_unknown, root)
    return read_net(path, log, ignore_unknown)


def top_fields(text: str) -> Iterator[tuple[str, int]]:
    """Name and line of each field at the top of a prototxt, in order; what the fields hold is passed over."""
    depth, line, counted, before = 0, 1, 0, ""
    for token in _tokens(text):
        if token.kind == "end":
            return
        if token.kind == "mark":
            depth += (token.text in _CLOSING) - (token.text in _CLOSING.values())
        elif token.kind == "bad":
            return  # what follows is not looked at, because each open quote would read on to the end of its line
        elif token.kind == "name" and depth == 0 and before not in (":", "-"):
            line, counted = line + text.count("\n", counted, token.at), token.at
            yield token.text, line
        before = token.text


def named_by(solver: Any, name: str, path: str, read: Callable[..., Any], *arguments: Any) -> Any:
    """What `read` makes of the net file at `path`, which a solver names so. Raises ParseError; of a missing file it says
    who asked for it.
    """
    try:
        return read(path, *arguments)
    except ParseError as error:
        if os.path.exists(path):
            raise
        where = solver.origin
        named = {field: getattr(solver, field) for field in ("net", "train_net", "test_net")}
        field = next(
            (field for field, value in named.items() if name == value or (value and name in value)), "net"
        )
        if os.path.isfile(where):
            lines = dict(reversed(list(top_fields(content(where).decode(errors="replace")))))
            where += f":{lines[field]}" if field in lines else ""
        raise ParseError(
            f"{where or 'the solver'}: {field} '{path}' cannot be read: no such file{from_where(path)}; check the path"
        ) from error


def parse_file(path: str | os.PathLike[str], cls: Any, ignore_unknown: bool = False, log: Any = None) -> Any:
    """The message of class `cls` in the prototxt `path`; not upgraded. Raises ParseError."""
    name = os.fspath(path)
    try:
        data = content(path)
    except OSError as error:
        remedy = "give a prototxt file" if os.path.isdir(path) else "check the path"
        raise ParseError(f"{name}: cannot be read: {error.strerror}; {remedy}") from error
    if b"\0" in data:
        raise ParseError(
            f"{name}: this is a binary file, not prototxt; give the text file of the {cls.__name__}"
        )
    return parse(data.decode(errors="surrogateescape"), cls, name, ignore_unknown, log)


def content(path: str | os.PathLike[str]) -> bytes:
    """What a file holds; of a pipe, which tells it once, what it told. Raises OSError."""
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode):
            return file.read()
        key = status.st_dev, status.st_ino
        if key not in _TOLD:
            _TOLD[key] = file.read()
        return _TOLD[key]


def parse(
    text: str, cls: Any, source: str = "<string>", ignore_unknown: bool = False, log: Any = None
) -> Any:
    """The message of class `cls` (such as NetParameter) that `text` holds; not upgraded.

    `source` is the name for errors and origins. With `ignore_unknown`, fields that the message does not
    have are skipped, each with a warning to `log` (a log.write.Log; None is standard error).

    Raises:
        ParseError: "source:line:column: what is wrong, and what would be right".
    """
    parser = _Parser(text.removeprefix("\ufeff"), source, ignore_unknown)
    message = parser.parse(cls)
    if parser.ignored:
        log = log or Log(progress=False, level=WARNING)
        for line in parser.ignored:
            log.warn_once(line)
    return message


class _Field(NamedTuple):
    """What the reader and the printer need of a FieldDescriptor, looked up once."""

    name: str
    type: int
    repeated: bool
    message: Any  # Descriptor of a message field
    enum: Any  # EnumDescriptor of an enum field
    owner: str  # name of the message
    extension: Any  # the handle of a field that `proto.extend` added, else None


def _fields(descriptor: Any) -> dict[str, _Field]:
    return _fields_of(descriptor, len(EXTENSIONS))


@cache
def _fields_of(descriptor: Any, extensions: int) -> dict[str, _Field]:
    added = EXTENSIONS.values() if descriptor.name == "LayerParameter" else ()
    return {
        f.name: _Field(
            f.name, f.type, is_repeated(f), f.message_type, f.enum_type, descriptor.name,
            f if f.is_extension else None,
        )
        for f in (*descriptor.fields, *added)
    }  # fmt: skip


@cache
def _namesakes(descriptor: Any) -> dict[str, list[_Field]]:
    """The fields `name__fork` by `name`: what forks that disagree with others mean by it."""
    found: dict[str, list[_Field]] = {}
    for name, field in _fields(descriptor).items():
        if "__" in name:
            found.setdefault(name.partition("__")[0], []).append(field)
    return found


class _Token(NamedTuple):
    kind: str  # name, number, string, mark, bad or end
    text: str
    at: int


_TOKENS = re.compile(
    r"""(?:\s|\#[^\n]*)+
    | (?P<name>[A-Za-z_]\w*)
    | (?P<number>(?:0[xX][0-9a-fA-F]+|\.\d+|\d+\.?\d*)(?:[eE][+-]?\d+)?[fF]?)
    | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<mark>[][{}<>:;,-])
    | (?P<bad>.)""",
    re.VERBOSE | re.ASCII,
)
# What template languages leave where a value belongs: looked for only where the text cannot be read.
_PLACEHOLDER = re.compile(
    r"""\{\{.*?\}\} | \{%.*?%\} | \{\#.*?\#\} | \{[A-Za-z_]?\w*\}       # jinja, str.format
    | \$\w+ | \$\{.*?\} | \$\(.*?\) | %\(\w+\)[a-z] | %[dfgs]\b    # shell, make, printf
    | <%.*?%> | <[A-Za-z_][\w ]*> | @\w+@ | \bX{2,}\b | \b__\w+__\b | \bTODO\b""",
    re.VERBOSE,
)
_FAR = 200  # characters
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|[xX][0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_NAMED_ESCAPES = dict(zip(b"abfnrtv\\?'\"", b"\a\b\f\n\r\t\v\\?'\"", strict=True))
_PRINTED = {
    byte: {9: r"\t", 10: r"\n", 13: r"\r", 34: r"\"", 39: r"\'", 92: r"\\"}.get(
        byte, chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"
    )
    for byte in range(256)
}
_CLOSING = {"{": "}", "<": ">", "[": "]"}


def _tokens(text: str, start: int = 0) -> Iterator[_Token]:
    for match in _TOKENS.finditer(text, start):
        if match.lastgroup:
            yield _Token(match.lastgroup, match[0], match.start())
    while True:
        yield _Token("end", "the end of the file", len(text))


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if code[0] in _NAMED_ESCAPES:
        return bytes([_NAMED_ESCAPES[code[0]]])
    if code.isdigit():
        return bytes([int(code, 8) & 0xFF])
    if len(code) > 1 and code[:1] in b"xX":
        return bytes([int(code[1:], 16)])
    if len(code) > 1:
        return chr(int(code[1:], 16)).encode()
    raise ValueError(
        f"unknown escape {match[0].decode('latin-1')!r}; write a backslash as '\\\\', or '/' in a path"
    )


class _Parser:
    """A recursive-descent reader of one text; `token` is the next one not used yet."""

    def __init__(self, text: str, source: str, ignore_unknown: bool):
        self.text = text
        self.source = source.encode(errors="surrogateescape").decode(errors="replace")  # messages hold UTF-8
        self.ignore_unknown = ignore_unknown
        self.ignored: list[str] = []
        self.tokens = _tokens(text)
        self.token = next(self.tokens)
        self.counted, self.line = 0, 1  # the line of offset `counted`

    def parse(self, cls: Any) -> Any:
        message = cls()
        self.root = cls
        self.first = self.token.text
        try:
            self.body(message, "", 0)
        except RecursionError:
            self.fail(self.token.at, f"messages lie too deep within each other in this {cls.DESCRIPTOR.name}")
        if "origin" in _fields(cls.DESCRIPTOR):
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

    def next(self) -> _Token:
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

    def body(self, message: Any, closing: str, opened: int) -> None:
        """The fields of `message` up to and with `closing`, or to the end of the text if that is ''."""
        descriptor = message.DESCRIPTOR
        fields = _fields(descriptor)
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

    def any_values(self, message: Any, field: _Field, at: int, seen: dict[str, int]) -> None:
        """A field's values, or those of the first namesake of a fork's that they fit."""
        namesakes = _namesakes(message.DESCRIPTOR).get(field.name, ())
        for other in namesakes:
            if other.repeated and len(getattr(message, other.name)):
                return self.values(message, other, at, seen)
        start, ignored = self.token, len(self.ignored)
        try:
            self.values(message, field, at, seen)
        except ParseError:
            for other in namesakes:
                self.tokens = _tokens(self.text, start.at)
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

    def values(self, message: Any, field: _Field, at: int, seen: dict[str, int]) -> None:
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

    def sequence(self, item: Any) -> None:
        if self.take("]"):
            return
        item()
        while self.take(","):
            item()
        if not self.take("]"):
            self.fail(self.token.at, f"expected ',' or ']', found {self.token.text!r}")

    def submessage(self, message: Any, field: _Field) -> None:
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
        if "origin" in _fields(field.message):
            inner.origin = f"{self.source}:{self.line_of(opened)}"
        self.body(inner, _CLOSING[mark], opened)

    def scalar(self, field: _Field) -> Any:
        if field.type in _STRINGS:
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

    def integer(self, field: _Field, token: _Token, text: str, at: int) -> int:
        try:
            # A leading 0 is octal, as in C.
            value = int(text, 8 if re.fullmatch("0[0-9]+", token.text) else 0)
        except ValueError:
            self.fail(at, f"{field.owner}.{field.name} must be a whole number, found {text!r}{_place(text)}")
        least, most = _RANGES[field.type]
        if not least <= value <= most:
            self.fail(at, f"{field.owner}.{field.name} must be from {least} to {most}, found {value}")
        return value

    def number(self, field: _Field, token: _Token, text: str, at: int) -> float:
        word = text.lower()
        if token.kind == "number":
            word = word.removesuffix("f")
        try:
            return float(word)
        except ValueError:
            self.fail(at, f"{field.owner}.{field.name} must be a number, found {text!r}{_place(text)}")

    def enum(self, field: _Field, text: str, at: int) -> int:
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

    def string(self, field: _Field) -> Any:
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
                    piece = _ESCAPE.sub(_unescape, piece)
                except ValueError as error:
                    self.fail(at, f"{field.owner}.{field.name}: {error}")
            data += piece
        if field.type == FieldDescriptor.TYPE_BYTES:
            return data
        return names.decode(data)

    def unknown(self, descriptor: Any, token: _Token) -> None:
        """Complain about a field that the message does not have, or skip it."""
        what = f"{descriptor.name} has no field {token.text!r}"
        if not self.ignore_unknown:
            for wanted, cls, given, other in _KINDS:
                theirs = _fields(other.DESCRIPTOR).keys() - _fields(cls.DESCRIPTOR).keys()
                if self.root is cls and self.first in theirs:
                    self.fail(token.at, f"{what}; this file is a {given}, give a {wanted} here")
            fields = {name: field for name, field in _fields(descriptor).items() if name != "origin"}
            holders = [
                name
                for name, field in fields.items()
                if field.message and token.text in _fields(field.message) and "__" not in name
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
        elif opening.text in _CLOSING:
            unclosed = [opening]
            while unclosed:
                token = self.next()
                if token.kind == "end":
                    self.fail(unclosed[-1].at, f"this {unclosed[-1].text!r} is never closed")
                if token.text in _CLOSING:
                    unclosed.append(token)
                elif token.text in _CLOSING.values() and token.text != _CLOSING[unclosed.pop().text]:
                    self.fail(token.at, f"unexpected {token.text!r}")
        elif opening.kind not in ("name", "number"):
            self.fail(opening.at, f"expected a value, found {opening.text!r}")


# -- writing --------------------------------------------------------------------------------------


def to_text(message: Any) -> str:
    """`message` as prototxt, byte for byte as Caffe's C++ prints it; without `origin`.

    Two spaces of indent, fields in the order of their numbers, floats in the fewest of 6 or 9 digits that
    give the same float32, and strings with every byte above 126 as an octal escape.
    """
    lines: list[str] = []
    _print(message, "", lines)
    return "".join(lines)


def messages_equal(a: Any, b: Any) -> bool:
    """Whether two messages of one class hold the same, no matter where they were read from."""
    return _without_origin(a) == _without_origin(b)


def _without_origin(message: Any) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    clear_origin(copy)
    return copy


def clear_origin(message: Any) -> None:
    """Forget where `message` and all within it were read from; `origin` belongs in no file."""
    fields = _fields(message.DESCRIPTOR)
    for descriptor, value in message.ListFields():
        if descriptor.name == "origin":
            message.ClearField("origin")
        elif (field := fields[descriptor.name]).message:
            for item in value if field.repeated else (value,):
                clear_origin(item)


def _print(message: Any, indent: str, lines: list[str]) -> None:
    fields = _fields(message.DESCRIPTOR)
    for descriptor, value in message.ListFields():
        if descriptor.name == "origin":
            continue
        field = fields[descriptor.name]
        name = field.name.partition("__")[0]
        for item in value if field.repeated else (value,):
            if field.message:
                lines.append(f"{indent}{name} {{\n")
                _print(item, indent + "  ", lines)
                lines.append(f"{indent}}}\n")
            else:
                lines.append(f"{indent}{name}: {_scalar_text(field, item)}\n")


def _scalar_text(field: _Field, value: Any) -> str:
    if field.enum:
        known = field.enum.values_by_number.get(value)
        return known.name if known else str(value)
    if field.type == FieldDescriptor.TYPE_FLOAT:
        text = f"{value:.6g}"
        return text if struct.pack("f", float(text)) == struct.pack("f", value) else f"{value:.9g}"
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        text = f"{value:.15g}"
        return text if float(text) == value else f"{value:.17g}"
    if field.type == FieldDescriptor.TYPE_BOOL:
        return "true" if value else "false"
    if field.type in _STRINGS:
        data = value if isinstance(value, bytes) else names.encode(value)
        return f'"{"".join(_PRINTED[byte] for byte in data)}"'
    return str(value)


def _place(text: str) -> str:
    """What to say of a word where a number belongs."""
    word = re.fullmatch(r"[A-Za-z_]\w*", text)
    return "; if that is a place to fill in, this file is a template: fill it in first" if word else ""
