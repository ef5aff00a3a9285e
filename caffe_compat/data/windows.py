"""R-CNN window files: pictures and the boxes in them.

Caffe: src/caffe/layers/window_data_layer.cpp. The file repeats, as words between white space: `# index`,
path, channels, height, width, number of boxes, and for each box: class, overlap, x1, y1, x2, y2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from caffe_compat.errors import DataError


@dataclass(frozen=True)
class Box:
    """A box in the picture of this index: its corners are pixels that belong to it; label 0 is background."""

    image: int
    label: int
    x1: int
    y1: int
    x2: int
    y2: int


@dataclass
class Windows:
    """What a window file says: pictures by index, and the boxes that do and that do not show an object."""

    images: dict[int, str] = field(default_factory=dict)
    channels: int = 0
    foreground: list[Box] = field(default_factory=list)
    background: list[Box] = field(default_factory=list)


def read_windows(path: str, fg_threshold: float, bg_threshold: float) -> Windows:
    """The boxes of a window file with an overlap of at least the one or below the other threshold.

    Raises:
        DataError: the file is missing, empty or malformed, or has no boxes of one kind.
    """
    try:
        with open(path, encoding="utf-8") as file:
            words = _Words(path, file.read())
    except OSError as error:
        raise DataError(
            f"the window file '{path}' cannot be read: {error.strerror}; correct window_data_param.source"
        ) from error
    windows = Windows()
    while not words.ended or not windows.images:
        if (mark := words.take(str)) != "#":
            words.fail(f"expected '#' before the index of a picture, found {mark!r}")
        index = words.take(int)
        windows.images[index] = words.take(str)
        windows.channels = words.take(int)
        words.take(int), words.take(int)  # height and width, which the picture itself tells
        for _ in range(words.take(int)):
            label, overlap = words.take(int), np.float32(words.take(float))
            corners = [words.take(int) for _ in range(4)]
            if overlap >= fg_threshold:
                if label < 1:
                    words.fail(
                        f"a box with overlap {overlap:g} is an object and has the class {label}; classes start at 1"
                    )
                windows.foreground.append(Box(index, label, *corners))
            elif overlap < bg_threshold:
                windows.background.append(Box(index, 0, *corners))
    for kind, boxes, rule in (
        ("object", windows.foreground, f"overlap of at least fg_threshold {fg_threshold:g}"),
        ("background", windows.background, f"overlap below bg_threshold {bg_threshold:g}"),
    ):
        if not boxes:
            raise DataError(f"{path}: there is no {kind} box, with an {rule}; both kinds are sampled")
    return windows


class _Words:
    """The words of a file one by one, with the line of the last."""

    def __init__(self, path: str, text: str):
        self._path, self._line = path, 1
        self._words = [
            (word, number) for number, line in enumerate(text.split("\n"), 1) for word in line.split()
        ]
        self._words.reverse()

    @property
    def ended(self) -> bool:
        return not self._words

    def take(self, kind: type) -> Any:
        if self.ended:
            self.fail("the file ends too soon")
        word, self._line = self._words.pop()
        try:
            return kind(word)
        except ValueError:
            self.fail(f"expected {'a whole number' if kind is int else 'a number'}, found {word!r}")

    def fail(self, what: str) -> Any:
        raise DataError(f"{self._path}:{self._line}: {what}; correct the window file")
