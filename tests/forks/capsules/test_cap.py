"""Cap, with the gradients that are the fork's own."""

import numpy as np
import torch

from tests.forks.capsules.capsules import param
from tests.layers.harness import Case, Error, cases, draws, errors, make


def cap(x, weight, *bias):
    top = np.zeros((3, 2, 3))
    for n in range(3):
        votes = np.einsum("id,ido->io", x[n].reshape(4, 5), weight).reshape(4, 2, 3)
        prior = np.zeros((4, 2))
        for _ in range(3):
            share = np.exp(prior) / np.exp(prior).sum(1, keepdims=True)
            for o in range(2):
                top[n, o] = share[:, o] @ votes[:, o]
            for o in range(2):
                squared = (top[n, o] ** 2).sum()
                prior[:, o] += votes[:, o] @ (top[n, o] * squared / (1 + squared) / np.sqrt(squared + 1e-7))
        top[n] += bias[0].reshape(2, 3) if bias else 0
    return top


def cap_diffs(diffs, x, weight, *bias):
    return np.einsum("no,ido->nid", diffs[0].reshape(3, 6), weight).reshape(x.shape)


CAP = "input_capsule_dim: 5 output_capsule_dim: 3 output_capsule_num: 2"

CASES = [
    Case("cap", param("Cap", "cap_param", CAP), [(3, 4, 5)], cap, diffs=cap_diffs),
    Case(
        "cap-no-bias", param("Cap", "cap_param", CAP + " bias_term: false"), [(3, 20)], cap, diffs=cap_diffs
    ),
]

ERRORS = [
    Error(param("Cap", "cap_param", CAP), [(2, 7)], "input_capsule_dim 5"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_gradients_of_cap_are_those_of_plain_sums():
    layer = make(param("Cap", "cap_param", CAP), (3, 20))
    x, d = draws((3, 20), 1), draws((3, 2, 3), 2)
    layer(torch.from_numpy(x)).backward(torch.from_numpy(d))
    wanted = np.einsum("nid,no->ido", x.reshape(3, 4, 5), d.reshape(3, 6))
    np.testing.assert_allclose(layer.blobs[0].grad, wanted, rtol=1e-9)
    np.testing.assert_allclose(layer.blobs[1].grad, d.sum(0).ravel(), rtol=1e-9)
