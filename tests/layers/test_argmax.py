"""ArgMax."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, draws, errors, make

TIES = np.array([[1, 3, 2, 3, 0], [2, 2, 2, 2, 2]], float)


def best(row, k):
    """(positions, values) of the k largest; of equal values the last position first."""
    order = sorted(range(len(row)), key=lambda i: (row[i], i), reverse=True)[:k]
    return np.array(order, float), row[order]


def flat(k, values=False):
    def formula(x):
        found = [best(row, k) for row in x.reshape(len(x), -1)]
        top = np.array([np.stack(pair) if values else pair[0][None] for pair in found])
        return top.reshape(*top.shape, *[1] * (x.ndim - 3))

    return formula


def along(axis, k, values=False):
    return lambda x: np.apply_along_axis(lambda row: best(row, k)[values], axis, x)


def case(name, params, bottom, formula):
    return Case(name, f'type: "ArgMax" argmax_param {{ {params} }}', [bottom], formula, gradient=())


CASES = [
    case("default", "", (3, 5), flat(1)),
    case("one_axis", "", (3,), flat(1)),
    case("image", "top_k: 4", (3, 2, 4, 5), flat(4)),
    case("five_axes", "top_k: 2", (3, 2, 4, 5, 1), flat(2)),
    case("values", "top_k: 3 out_max_val: true", (3, 2, 4, 5), flat(3, True)),
    case("axis", "axis: 1", (3, 5, 4, 2), along(1, 1)),
    case("axis_top", "axis: -2 top_k: 3", (3, 5, 4, 2), along(2, 3)),
    case("axis_values", "axis: 0 top_k: 2 out_max_val: true", (3, 5, 4), along(0, 2, True)),
    case("axis_value", "axis: 1 out_max_val: true", (3, 5, 4), along(1, 1, True)),
    case("ties", "", TIES, flat(1)),
    case("ties_top", "top_k: 4 out_max_val: true", TIES, flat(4, True)),
    case("ties_axis", "axis: 0", TIES, along(0, 1)),
]

ERRORS = [
    Error('type: "ArgMax" argmax_param { top_k: 0 }', [(3, 5)], "top_k is 0 and must be at least 1"),
    Error(
        'type: "ArgMax" argmax_param { top_k: 11 }', [(3, 5, 2)], "top_k is 11, but .* has 10 values an item"
    ),
    Error(
        'type: "ArgMax" argmax_param { top_k: 3 axis: 2 }',
        [(3, 5, 2)],
        "top_k is 3, but .* has 2 values on axis 2",
    ),
    Error('type: "ArgMax" argmax_param { axis: 2 }', [(3, 5)], "axis 2 is out of range"),
    Error('type: "ArgMax"', [()], r"bottom shape \(\) has 0 axes, at least 1 is needed"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_gradient_is_refused_when_it_is_wanted():
    layer = make('type: "ArgMax"', (3, 5))
    top = layer(torch.from_numpy(draws((3, 5))).requires_grad_())
    with pytest.raises(LayerError, match="layer 'l' .*has no gradient"):
        top.sum().backward()
