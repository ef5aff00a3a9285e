"""Tile."""

import numpy as np

from tests.layers.harness import Case, Error, cases, errors


def tile(axis, tiles):
    return lambda x: np.concatenate([x] * tiles, axis)


CASES = [
    Case("default", 'type: "Tile" tile_param { tiles: 3 }', [(2, 4, 5)], tile(1, 3)),
    Case("first", 'type: "Tile" tile_param { tiles: 2 axis: 0 }', [(3, 4, 5, 2)], tile(0, 2)),
    Case("last", 'type: "Tile" tile_param { tiles: 4 axis: -1 }', [(2, 3, 5)], tile(2, 4)),
    Case("once", 'type: "Tile" tile_param { tiles: 1 }', [(2, 3, 5)], tile(1, 1)),
]

ERRORS = [
    Error('type: "Tile"', [(2, 3)], "tile_param.tiles is 0 and must be given, at least 1"),
    Error('type: "Tile" tile_param { tiles: -2 }', [(2, 3)], "tile_param.tiles is -2"),
    Error('type: "Tile" tile_param { tiles: 2 axis: 2 }', [(2, 3)], "axis 2 is out of range"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
