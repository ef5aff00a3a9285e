"""A ready-made data set: drawings of ten shapes, 3 x 32 x 32 as CIFAR's pictures are.

For trying things out without a download. A picture is one shape in a random place, size, turn and colour
on a shaded background, with a stroke across it and noise. All of it is integer arithmetic on the raw
output of PCG64, so a seed gives the same bytes with every numpy on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod

import numpy as np

SIDE = 32
_CHUNK = 500  # pictures drawn at a time
_UNIT = 64  # a pixel, in the units that shapes are drawn in
# 256 times the cosine and sine of -15 to 15 degrees
_TURNS = np.array([(round(256 * np.cos(a)), round(256 * np.sin(a))) for a in np.radians(np.arange(-15, 16))])

_Mask = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
# Which pixels a shape of "radius" r covers: u and v are the pixel's place right of and below its centre.
# None changes when left and right are exchanged, so nets may mirror.
SHAPES: dict[str, _Mask] = {
    "disc": lambda u, v, r: u * u + v * v < r * r,
    "ring": lambda u, v, r: (u * u + v * v < r * r) & (u * u + v * v > r * r * 3 // 8),
    "square": lambda u, v, r: _box(u, v) < r * 7 // 8,
    "frame": lambda u, v, r: (_box(u, v) < r * 7 // 8) & (_box(u, v) > r // 2),
    "triangle": lambda u, v, r: (v < r * 3 // 4) & (5 * abs(u) < 3 * (v + r)),
    "plus": lambda u, v, r: (_box(u, v) < r) & (np.minimum(abs(u), abs(v)) < r // 4),
    "cross": lambda u, v, r: (_box(u, v) < r * 7 // 8) & (abs(abs(u) - abs(v)) < r * 3 // 8),
    "bars": lambda u, v, r: (_box(u, v) < r * 7 // 8) & (v * 3 // r % 2 == 0),
    "checkers": lambda u, v, r: (_box(u, v) < r * 5 // 6) & ((_cell(u, r) + _cell(v, r)) % 2 == 0),
    "crescent": lambda u, v, r: (u * u + v * v < r * r) & (u * u + (v + r // 2) ** 2 > r * r * 5 // 8),
}


def generate(count: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`count` pictures, in chunks of (pictures uint8 (n, 3, 32, 32), labels (n,)); a label is a place in SHAPES."""
    bits = np.random.PCG64(seed)
    for start in range(0, count, _CHUNK):
        yield _draw(min(_CHUNK, count - start), bits)


def _draw(count: int, bits: np.random.PCG64) -> tuple[np.ndarray, np.ndarray]:
    def integers(low: int, high: int, *shape: int) -> np.ndarray:
        """From low to high - 1, one array of `shape` a picture."""
        raw = bits.random_raw(count * prod(shape)) >> np.uint64(16)
        return (low + (raw % np.uint64(high - low)).astype(np.int32)).reshape(count, *shape)

    labels = integers(0, len(SHAPES))
    centre, radius = integers(13 * _UNIT, 19 * _UNIT, 2, 1, 1), integers(7 * _UNIT, 12 * _UNIT, 1, 1)
    cosine, sine = _TURNS[integers(0, len(_TURNS))].T.astype(np.int32)[:, :, None, None]
    place = np.arange(SIDE, dtype=np.int32)
    x, y = place * _UNIT + _UNIT // 2 - centre[:, 0], place[:, None] * _UNIT + _UNIT // 2 - centre[:, 1]
    u, v = (cosine * x + sine * y) >> 8, (cosine * y - sine * x) >> 8

    background, slope = integers(60, 196, 3, 1, 1), integers(-2, 3, 2, 3, 1, 1)
    contrast = integers(50, 130, 3, 1, 1) * (2 * integers(0, 2, 3, 1, 1) - 1)
    pictures = background + slope[:, 0] * (place - 16) + slope[:, 1] * (place[:, None] - 16)
    for label, shape in enumerate(SHAPES.values()):
        which = labels == label
        covered = shape(u[which], v[which], radius[which])
        pictures[which] += contrast[which] * covered[:, None]
    across, along = integers(-8, 9, 1, 1), integers(-8, 9, 1, 1)
    offset, colour = integers(-100, 100, 1, 1), integers(0, 256, 3, 1, 1)
    stroke = abs(across * (place - 16) + along * (place[:, None] - 16) + offset) < 5
    pictures = np.where(stroke[:, None], colour, pictures)
    noise = integers(0, 256, 3, SIDE, SIDE) + integers(0, 256, 3, SIDE, SIDE) - 255
    pictures += noise * integers(8, 48, 1, 1, 1) >> 8
    return pictures.clip(0, 255).astype(np.uint8), labels


def _box(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(abs(u), abs(v))


def _cell(distance: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Which third of the radius it is, counted from the centre; the middle one is the 0th."""
    return (abs(distance) * 6 + r) // (2 * r)
