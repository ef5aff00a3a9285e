"""The words of prototxt: where each stands, what its escapes mean, and the fields at the top of a text."""

import re
from collections.abc import Iterator
from typing import NamedTuple


class Token(NamedTuple):
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
ESCAPE = re.compile(rb"\\([0-7]{1,3}|[xX][0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_NAMED = dict(zip(b"abfnrtv\\?'\"", b"\a\b\f\n\r\t\v\\?'\"", strict=True))
CLOSING = {"{": "}", "<": ">", "[": "]"}


def tokens(text: str, start: int = 0) -> Iterator[Token]:
    for match in _TOKENS.finditer(text, start):
        if match.lastgroup:
            yield Token(match.lastgroup, match[0], match.start())
    while True:
        yield Token("end", "the end of the file", len(text))


def unescape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if code[0] in _NAMED:
        return bytes([_NAMED[code[0]]])
    if code.isdigit():
        return bytes([int(code, 8) & 0xFF])
    if len(code) > 1 and code[:1] in b"xX":
        return bytes([int(code[1:], 16)])
    if len(code) > 1:
        return chr(int(code[1:], 16)).encode()
    raise ValueError(
        f"unknown escape {match[0].decode('latin-1')!r}; write a backslash as '\\\\', or '/' in a path"
    )


def top_fields(text: str) -> Iterator[tuple[str, int]]:
    """Name and line of each field at the top of a prototxt, in order; what the fields hold is passed over."""
    depth, line, counted, before = 0, 1, 0, ""
    for token in tokens(text):
        if token.kind == "end":
            return
        if token.kind == "mark":
            depth += (token.text in CLOSING) - (token.text in CLOSING.values())
        elif token.kind == "bad":
            return  # what follows is not looked at, because each open quote would read on to the end of its line
        elif token.kind == "name" and depth == 0 and before not in (":", "-"):
            line, counted = line + text.count("\n", counted, token.at), token.at
            yield token.text, line
        before = token.text
