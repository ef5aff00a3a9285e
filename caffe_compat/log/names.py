"""Names in files are bytes to Caffe. Here they are text, from which the same bytes can be made again.

A byte that is no UTF-8 is kept as a character that nobody uses, U+10FE00 + byte, because a protobuf string holds
nothing but valid text. In the names of files Python has surrogates for such bytes.
"""

import re
from collections.abc import Iterable
from typing import Any, TextIO

_FIRST = 0x10FE00
_KEPT = re.compile(f"[{chr(_FIRST + 0x80)}-{chr(_FIRST + 0xFF)}]")
KEPT_BEGINS = chr(_FIRST + 0x80).encode()[:2]  # of each such character in UTF-8
# What a terminal acts on, and bytes that are no text: all of C0 but tab and newline, C1, marks that turn text around.
_CONTROL = re.compile(
    f"[\\0-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff"
    f"{chr(_FIRST + 0x80)}-{chr(_FIRST + 0xFF)}]"
)
RED, PLAIN = "\U0010fdf0", "\U0010fdf1"  # what `Terminal` turns into colour


def decode(data: bytes) -> str:
    """The text of a name, valid whatever its bytes."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        text = data.decode(errors="surrogateescape")
        return re.sub("[\udc80-\udcff]", lambda match: chr(ord(match[0]) - 0xDC00 + _FIRST), text)


def encode(text: str) -> bytes:
    """The bytes of a name that `decode` gave, or that is a file's."""
    return file_name(text).encode(errors="surrogateescape")


def file_name(text: str) -> str:
    """The name of a file as Python opens it."""
    return _KEPT.sub(lambda match: chr(ord(match[0]) - _FIRST + 0xDC00), text) if not text.isascii() else text


def _code(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code >= _FIRST:
        code -= _FIRST
    elif 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"x{code:02x}" if code < 0x100 else f"u{code:04x}"


def printable(text: str, mark: str = "\\") -> str:
    """`text` with control characters, and bytes that are none, as `mark` and a code: x1b for the escape character."""
    return text if text.isprintable() else _CONTROL.sub(lambda match: mark + _code(match), text)


class Terminal:
    """Standard output that shows control characters of names instead of acting on them."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(printable(text).replace(RED, "\x1b[31m").replace(PLAIN, "\x1b[0m"))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
