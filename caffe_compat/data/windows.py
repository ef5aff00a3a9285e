"""Window files: pictures and the boxes in them.

Caffe: src/caffe/layers/window_data_layer.cpp. R-CNN's file repeats, as words between white space: `# index`,
path, channels, height, width, number of boxes, and for each box: class, overlap, x1, y1, x2, y2.
Fork: zhaoweicai/mscnn has for each box class, ignored, x1, y1, x2, y2 (zhaoweicai/cascade-rcnn: class, ignored,
difficult, x1 ...), and then the number of regions where nothing is learned, and for each x1, y1, x2, y2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

import numpy as np

from caffe_compat.data import images
from caffe_compat.data.feed import memory_budget
from caffe_compat.errors import DataError, from_where

T = TypeVar("T", int, float, str)


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
    words = _open(path, "window_data_param")
    windows = Windows()
    while not words.ended or not windows.images:
        index, name, windows.channels, *_ = words.take_picture()
        windows.images[index] = name
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


@dataclass(frozen=True)
class Listed:
    """A picture of a window file with regions: its path, the size that the file says, and what is in it.

    boxes    float32 (G, 7): class, ignored, difficult, x1, y1, x2, y2
    regions  float32 (R, 4): x1, y1, x2, y2, where nothing is learned
    """

    path: str
    height: int
    width: int
    boxes: np.ndarray
    regions: np.ndarray


def read_pictures(path: str, message: str, difficult: bool) -> list[Listed]:
    """The pictures of a window file with regions, in its order.

    Args:
        message: the field of LayerParameter that names the file.
        difficult: whether a box says so after saying whether it is ignored.

    Raises:
        DataError: the file is missing, empty or malformed, or has a box of a class below 1.
    """
    words = _open(path, message)
    pictures: list[Listed] = []
    while not words.ended or not pictures:
        _, name, _, height, width = words.take_picture()
        boxes = []
        for _ in range(words.take(int)):
            label, ignored = words.take(int), words.take(int)
            hard = words.take(int) if difficult else 0
            if label < 1:
                words.fail(f"a box has the class {label}; classes start at 1")
            boxes.append([label, ignored, hard, *(words.take(int) for _ in range(4))])
        regions = [[words.take(int) for _ in range(4)] for _ in range(words.take(int))]
        pictures.append(
            Listed(
                name,
                height,
                width,
                np.array(boxes, np.float32).reshape(-1, 7),
                np.array(regions, np.float32).reshape(-1, 4),
            )
        )
    return pictures


class Pictures:
    """Colour pictures by their paths, (H, W, 3); kept, if that is wanted, while they fit a quarter of the free memory."""

    def __init__(self, keep: bool):
        self._kept: dict[str, np.ndarray] = {}
        self._left = memory_budget() if keep else 0

    def read(self, path: str) -> np.ndarray | None:
        """The picture; None if there is no such file or OpenCV cannot decode it."""
        if path in self._kept:
            return self._kept[path]
        picture = images.read(path)
        if picture is not None and picture.nbytes <= self._left:
            self._left -= picture.nbytes
            self._kept[path] = picture
        return picture


def rounded(value: float | np.floating[Any]) -> int:
    """To the nearest whole number, halves away from zero, as C rounds."""
    return int(math.copysign(math.floor(abs(float(value)) + 0.5), value))


def _open(path: str, message: str) -> _Words:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return _Words(path, file.read())
    except OSError as error:
        raise DataError(
            f"the window file '{path}' cannot be read: {error.strerror}; correct {message}.source{from_where(path)}"
        ) from error


class _Words:
    """The words of a file one by one, with the line of the last."""

    def __init__(self, path: str, text: str):
        self._path, self._line = path, 1
        self._lines: Iterator[tuple[int, str]] = enumerate(text.split("\n"), 1)
        self._words: list[str] = []  # that are left of a line, the next one last

    @property
    def ended(self) -> bool:
        while not self._words:
            number, line = next(self._lines, (0, ""))
            if not number:
                return True
            if words := line.split():
                self._line, self._words = number, words[::-1]
        return False

    def take(self, kind: type[T]) -> T:
        if self.ended:
            self.fail("the file ends too soon")
        word = self._words.pop()
        try:
            return kind(word)
        except ValueError:
            self.fail(f"expected {'a whole number' if kind is int else 'a number'}, found {word!r}")

    def take_picture(self) -> tuple[int, str, int, int, int]:
        """A picture's index, path, channels, height and width, after the mark that precedes them."""
        if (mark := self.take(str)) != "#":
            self.fail(f"expected '#' before the index of a picture, found {mark!r}")
        return self.take(int), self.take(str), self.take(int), self.take(int), self.take(int)

    def fail(self, what: str) -> NoReturn:
        raise DataError(f"{self._path}:{self._line}: {what}; correct the window file")
