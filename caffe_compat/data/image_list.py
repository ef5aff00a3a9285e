"""Lists of pictures: one `path label` a line.

Caffe: src/caffe/layers/image_data_layer.cpp, tools/convert_imageset.cpp.
"""

from __future__ import annotations

import re

from caffe_compat.errors import DataError, from_where

_LABELLED = re.compile(r"\S\s+[+-]?\d+$")
_INTEGER = re.compile(r"\s*([+-]?\d+)")


def read_list(path: str) -> list[tuple[str, int]]:
    """(path, label) of every line: the label follows the last space, so paths may have spaces.

    As with Caffe's atoi, a label that does not start with digits is 0.

    Raises:
        DataError: the list is missing, empty or no text; a label is beyond 32 bits.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            text = file.read().removeprefix("\ufeff")
    except OSError as error:
        raise DataError(
            f"the list '{path}' cannot be read: {error.strerror}; give a file of `path label` lines{from_where(path)}"
        ) from error
    if "\0" in text:
        raise DataError(f"the list '{path}' is a binary file; give a file of `path label` lines")
    lines = text.removesuffix("\n").split("\n") if text else []
    if not lines:
        raise DataError(f"the list '{path}' is empty; it needs one `path label` a line")
    entries = [_entry(line) for line in lines]
    for number, (_, label) in enumerate(entries, 1):
        if not -(2**31) <= label < 2**31:
            raise DataError(
                f"{path}:{number}: the label {label} is beyond 32 bits; a label is the number of a class"
            )
    return entries


def _entry(line: str) -> tuple[str, int]:
    name, _, label = line.rpartition(" ")
    number = _INTEGER.match(label)
    # Without a space the whole line is both, as in Caffe.
    return name or line, int(number[1]) if number else 0


def why_no_picture(name: str) -> str:
    """A clause `; ...` for the name of a picture that cannot be opened, where its line in the list is the reason, or ""."""
    if not name.strip():
        return "; that line of the list has no path"
    if _LABELLED.search(name):
        return "; that is path and label: the label follows one space, and no space follows the label"
    return ""
