"""HoleConvolution, and `hole` of a Convolution."""

import numpy as np
import torch

from tests.layers.harness import Case, Error, cases, draws, errors, make

HOLE = 'type: "HoleConvolution" convolution_param { num_output: 4 kernel_size: 3 %s }'


def dilated(x, weight, bias):
    x = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
    top = np.zeros((2, 4, 5, 7)) + bias[:, None, None]
    for i, j in np.ndindex(3, 3):
        top += np.einsum("nchw,oc->nohw", x[:, :, 2 * i : 2 * i + 5, 2 * j : 2 * j + 7], weight[:, :, i, j])
    return top


CASES = [
    Case("hole-of-a-convolution", HOLE.replace("Hole", "") % "hole: 2 pad: 2", [(2, 3, 5, 7)], dilated),
    Case("hole", HOLE % "hole: 2 pad: 2", [(2, 3, 5, 7)], dilated),
]

ERRORS = [
    Error(HOLE % "", [(2, 3, 5, 7)], "hole must be set; without it use a Convolution"),
    Error(HOLE % "hole: 2 dilation: 2", [(2, 3, 5, 7)], r"hole is 2 and dilation \[2\]; set one of them"),
    Error(HOLE % "hole: 0", [(2, 3, 5, 7)], r"hole is 0 and dilation \[\]; set one of them, above 0"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_a_hole_is_kept_in_the_net():
    layer = make(HOLE % "hole: 2", (2, 3, 6, 7))
    assert layer(torch.from_numpy(draws((2, 3, 6, 7)))).shape == (2, 4, 2, 3)
