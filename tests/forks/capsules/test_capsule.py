"""CapsuleRelu, CapsuleMask, CapsuleLen, CapsuleReshape against loops over capsules."""

import numpy as np

from tests.forks.capsules.capsules import SHAPE, lengths, param
from tests.layers.harness import Case, Error, cases, errors


def relu(x):
    top = x.copy().reshape(-1, 5)
    for capsule in top:
        if np.sqrt((capsule**2).sum() + 1e-7) > 2.5:
            capsule[:] = 0
    return top.reshape(x.shape)


def mask(x):
    top = np.zeros_like(x).reshape(len(x), 3, -1)
    top[:, 2] = x.reshape(len(x), 3, -1)[:, 2]
    return top.reshape(x.shape)


def split_maps(x):
    """Channels are groups of 2; a capsule holds those of one group at one place."""
    num, channels, height, width = x.shape
    top = [
        [
            x[n, g * 2 : g * 2 + 2, i, j]
            for g in range(channels // 2)
            for i in range(height)
            for j in range(width)
        ]
        for n in range(num)
    ]
    return np.array(top)


CASES = [
    Case("relu", param("CapsuleRelu", "capsule_relu_param", "dim: 5 thre: 2.5"), [SHAPE], relu),
    Case("mask", param("CapsuleMask", "capsule_mask_param", "class_num: 3"), [SHAPE], mask),
    Case("len", param("CapsuleLen", "capsule_len_param", "num_class: 3"), [SHAPE], lengths, gradient=()),
    Case(
        "reshape",
        param("CapsuleReshape", "capsule_reshape_param", "capsule_dim: 2"),
        [(3, 6, 4, 5)],
        split_maps,
    ),
]

ERRORS = [
    Error(param("CapsuleRelu", "capsule_relu_param", "dim: 7"), [SHAPE], "a multiple of dim 7"),
    Error(param("CapsuleMask", "capsule_mask_param", "class_num: 7"), [SHAPE], "a multiple of class_num 7"),
    Error(param("CapsuleLen", "capsule_len_param", "num_class: 7"), [SHAPE], "a multiple of num_class 7"),
    Error(
        param("CapsuleReshape", "capsule_reshape_param", "capsule_dim: 4"),
        [(2, 6, 4)],
        r"axis 1 of bottom shape \(2, 6, 4\) must be a multiple of capsule_dim 4",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
