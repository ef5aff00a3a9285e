"""SPP."""

import math

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, errors, make

LOWEST = -np.finfo(np.float32).max


def spp(levels, method="MAX"):
    def pool(x, bins):
        n, c, *sizes = x.shape
        kernel = [math.ceil(size / bins) for size in sizes]
        pad = [(k * bins - size + 1) // 2 for k, size in zip(kernel, sizes, strict=True)]
        out = [math.ceil((size + 2 * p - k) / k) + 1 for size, p, k in zip(sizes, pad, kernel, strict=True)]
        if any(pad):
            out = [
                o - ((o - 1) * k >= size + p) for o, k, size, p in zip(out, kernel, sizes, pad, strict=True)
            ]
        top = np.zeros((n, c, *out))
        for i in range(out[0]):
            for j in range(out[1]):
                start = [i * kernel[0] - pad[0], j * kernel[1] - pad[1]]
                end = [min(s + k, size + p) for s, k, size, p in zip(start, kernel, sizes, pad, strict=True)]
                window = x[:, :, max(start[0], 0) : end[0], max(start[1], 0) : end[1]]
                if method == "MAX":
                    top[:, :, i, j] = window.max((2, 3), initial=LOWEST)
                else:
                    top[:, :, i, j] = window.sum((2, 3)) / math.prod(
                        e - s for s, e in zip(start, end, strict=True)
                    )
        return top

    def formula(x):
        tops = [pool(x, 2**level) for level in range(levels)]
        return tops[0] if levels == 1 else np.concatenate([top.reshape(len(x), -1) for top in tops], 1)

    return formula


def case(name, params, shape, formula):
    return Case(name, f'type: "SPP" spp_param {{ {params} }}', [shape], formula)


CASES = [
    case("one_level", "pyramid_height: 1", (2, 3, 7, 5), spp(1)),
    case("one_level_mean", "pyramid_height: 1 pool: AVE", (2, 3, 7, 5), spp(1, "AVE")),
    case("three_levels", "pyramid_height: 3", (2, 3, 7, 10), spp(3)),
    case("three_levels_mean", "pyramid_height: 3 pool: AVE", (2, 3, 9, 7), spp(3, "AVE")),
    case("whole_bins", "pyramid_height: 2", (2, 3, 4, 6), spp(2)),
]

ERRORS = [
    Error('type: "SPP"', [(2, 3, 7, 5)], "pyramid_height is 0 and must be at least 1"),
    Error('type: "SPP" spp_param { pyramid_height: 2 }', [(2, 3, 7)], "has 3 axes and must have 4"),
    Error(
        'type: "SPP" spp_param { pyramid_height: 2 }',
        [(2, 3, 0, 5)],
        "is 0 x 5 and must have a height and width",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_an_image_smaller_than_the_bins_fails_in_the_name_of_the_layer():
    with pytest.raises(LayerError, match=r"test.prototxt:1: layer 'l' .*pad .* must be below kernel"):
        make('type: "SPP" spp_param { pyramid_height: 2 }', (2, 3, 1, 1))


def test_another_size_gives_other_bins():
    layer = make('type: "SPP" spp_param { pyramid_height: 2 }', (2, 3, 7, 5))
    assert layer.reshape((4, 3, 8, 9)) == [(4, 15)]
