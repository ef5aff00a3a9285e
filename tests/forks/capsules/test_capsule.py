"""Capsule layers: each against loops over capsules, and the gradients that are the fork's own."""

import numpy as np
import pytest
import torch

from tests.layers.harness import Case, Error, cases, draws, errors, make

SHAPE = (2, 3, 4, 5)


def param(kind, message, fields):
    return f'type: "{kind}" {message} {{ {fields} }}'


def squash(x):
    capsules = x.reshape(-1, 4)
    radius = np.sqrt((capsules**2).sum(1, keepdims=True) + 2e-7)
    return (capsules * (1 - np.exp(-radius)) / radius).reshape(x.shape)


def squash_diff(diffs, x):
    """d top_i / d x_i alone."""
    capsules = x.reshape(-1, 4)
    r = np.sqrt((capsules**2).sum(1, keepdims=True) + 2e-7)
    slope = (np.exp(-r) * r - (1 - np.exp(-r))) / r**2  # of (1 - exp(-r)) / r
    return diffs[0] * ((1 - np.exp(-r)) / r + slope * capsules**2 / r).reshape(x.shape)


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


def lengths(x, classes=3):
    return np.sqrt((x.reshape(len(x), classes, -1) ** 2).sum(2) + 1e-7)


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


def transform(x, weight, *bias):
    inputs, size, _ = weight.shape
    x = x.reshape(len(x), inputs, size)
    top = np.array([[item[i] @ weight[i] for i in range(inputs)] for item in x])
    return top + (bias[0].reshape(inputs, -1) if bias else 0)


def route(x, weight):
    outputs, inputs = weight.shape
    votes = x.reshape(len(x), inputs, outputs, -1)
    return np.array(
        [[sum(weight[o, i] * v[i, o] for i in range(inputs)) for o in range(outputs)] for v in votes]
    )


def conv_transform(x, weight, *bias):
    """2 maps of 3 x 4 capsules of 2 x 3, windows of 2 x 3 with stride 1, 3 outputs of 2 x 5."""
    x, weight = x.reshape(len(x), 2, 3, 4, 2, 3), weight.reshape(2, 2, 3, 3, 3 * 5)
    top = np.array(
        [
            [
                [
                    (item[m, y + i, z + j] @ weight[m, i, j]).ravel()
                    for m, i, j in np.ndindex(2, 2, 3)
                ]
                for y, z in np.ndindex(2, 2)
            ]
            for item in x
        ]
    )  # fmt: skip
    return top + (bias[0].reshape(top.shape[1:]) if bias else 0)


def conv_route(x, weight):
    votes = x.reshape(len(x), *weight.shape, -1)
    return np.array([[(weight[o][:, None] * item[o]).sum(0) for o in range(len(weight))] for item in votes])


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


def margin(x, label):
    total = 0
    for r, own in zip(lengths(x), label.ravel(), strict=True):
        for k in range(3):
            total += max(0, 0.875 - r[k]) ** 2 if k == own else 0.5 * max(0, r[k] - 0.125) ** 2
    return total / len(x)


def margin_diff(diffs, x, label):
    """Of the sum: the fork does not divide by the batch size."""
    grad = np.zeros((len(x), 3, x[0].size // 3))
    for n, k in np.ndindex(len(x), 3):
        capsule, r = x.reshape(grad.shape)[n, k], lengths(x)[n, k]
        slope = -2 * max(0, 0.875 - r) if k == label[n] else max(0, r - 0.125)
        grad[n, k] = slope * capsule / r
    return grad.reshape(x.shape) * diffs[0]


TRANSFORM = "input_capsule_dim: 5 output_capsule_dim: 3 output_capsule_num: 2"
ROUTING = "input_capsule_num: 4 output_capsule_num: 3 output_capsule_dim: 2"
MAPS = "stride: 1 kh: 2 kw: 3 input_capsule_num: 2 output_capsule_num: 3 input_h: 3 input_w: 4"
SHAPES = "input_capsule_shape { dim: 2 dim: 3 } output_capsule_shape { dim: 2 dim: 5 }"
CONV, CONV_ROUTING = (
    ("CapsuleConvTransform", "capsule_conv_transform_param"),
    ("CapsuleConvRouting", "capsule_conv_routing_param"),
)
ROUTED = f"{MAPS} output_capsule_shape {{ dim: 1 dim: 2 }}"
MARGIN = param(
    "MarginLoss", "margin_param", "num_class: 3 m_upper_bound: 0.875 m_lower_bound: 0.125 lambda: 0.5"
)
LABELS = np.array([2.0, 0.0])

CASES = [
    Case("squash", param("Squash", "squash_param", "capsule_dim: 4"), [(2, 3, 4)], squash, diffs=squash_diff),
    Case("margin", MARGIN, [(2, 3, 4), LABELS], margin, diffs=margin_diff, gradient=[0]),
    Case("relu", param("CapsuleRelu", "capsule_relu_param", "dim: 5 thre: 2.5"), [SHAPE], relu),
    Case("mask", param("CapsuleMask", "capsule_mask_param", "class_num: 3"), [SHAPE], mask),
    Case("len", param("CapsuleLen", "capsule_len_param", "num_class: 3"), [SHAPE], lengths, gradient=()),
    Case(
        "reshape",
        param("CapsuleReshape", "capsule_reshape_param", "capsule_dim: 2"),
        [(3, 6, 4, 5)],
        split_maps,
    ),
    Case("transform", param("CapsuleTransform", "capsule_transform_param", TRANSFORM), [SHAPE], transform),
    Case(
        "transform-no-bias",
        param("CapsuleTransform", "capsule_transform_param", TRANSFORM + " bias_term: false"),
        [(3, 4, 5)],
        transform,
    ),
    Case("routing", param("CapsuleRouting", "capsule_routing_param", ROUTING), [(5, 4, 6)], route),
    Case("cap", param("Cap", "cap_param", CAP), [(3, 4, 5)], cap, diffs=cap_diffs),
    Case(
        "cap-no-bias", param("Cap", "cap_param", CAP + " bias_term: false"), [(3, 20)], cap, diffs=cap_diffs
    ),
    Case("conv-transform", param(*CONV, f"{MAPS} {SHAPES}"), [(1, 24, 6)], conv_transform),
    Case(
        "conv-transform-no-bias",
        param(*CONV, f"{MAPS} {SHAPES} bias_term: false"),
        [(3, 144)],
        conv_transform,
        gradient=(),
    ),
    Case("conv-routing", param(*CONV_ROUTING, ROUTED), [(1, 12, 12, 2)], conv_route),
]

ERRORS = [
    Error(param("Squash", "squash_param", ""), [SHAPE], "capsule_dim is 0, it must be set and above 0"),
    Error(
        param("Squash", "squash_param", "capsule_dim: 7"),
        [SHAPE],
        "has 60 values, .* a multiple of capsule_dim 7",
    ),
    Error(param("CapsuleRelu", "capsule_relu_param", "dim: 7"), [SHAPE], "a multiple of dim 7"),
    Error(param("CapsuleMask", "capsule_mask_param", "class_num: 7"), [SHAPE], "a multiple of class_num 7"),
    Error(param("CapsuleLen", "capsule_len_param", "num_class: 7"), [SHAPE], "a multiple of num_class 7"),
    Error(
        param("CapsuleReshape", "capsule_reshape_param", "capsule_dim: 4"),
        [(2, 6, 4)],
        r"axis 1 of bottom shape \(2, 6, 4\) must be a multiple of capsule_dim 4",
    ),
    Error(param("Cap", "cap_param", CAP), [(2, 7)], "input_capsule_dim 5"),
    Error(param("CapsuleTransform", "capsule_transform_param", TRANSFORM), [(2, 7)], "input_capsule_dim 5"),
    Error(
        param("CapsuleRouting", "capsule_routing_param", ROUTING),
        [(5, 4, 7)],
        r"has 28 values and must have input_capsule_num \* output_capsule_num \* output_capsule_dim = 24",
    ),
    Error(param(*CONV, f"{MAPS} {SHAPES}"), [(2, 150)], "has 150 values and must have .* = 144"),
    Error(
        param(*CONV, f"{MAPS.replace('kh: 2', 'kh: 5')} {SHAPES}"),
        [(2, 144)],
        "kh x kw is 5 x 3, more than .*3 x 4",
    ),
    Error(
        param(*CONV, f"{MAPS} {SHAPES.replace('dim: 2 dim: 5', 'dim: 3 dim: 5')}"),
        [(2, 144)],
        "input_capsule_shape has 2 rows and output_capsule_shape 3; make them the same",
    ),
    Error(param(*CONV, MAPS), [(2, 144)], r"input_capsule_shape is \[\], it must have two numbers"),
    Error(param(*CONV_ROUTING, ROUTED), [(2, 12, 12)], "has 144 values and must have .* = 288"),
    Error(MARGIN, [(2, 4), (2,)], "a multiple of num_class 3"),
    Error(MARGIN, [(2, 6), (2, 2)], "has 4 labels for 2 items"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_a_label_that_is_no_class_counts_as_none():
    layer = make(MARGIN, (1, 3, 4), (1,))
    x = draws((1, 3, 4))
    wanted = sum(0.5 * max(0, r - 0.125) ** 2 for r in lengths(x)[0])
    assert float(layer(torch.from_numpy(x), torch.tensor([7.0]))) == pytest.approx(wanted)


def test_gradients_of_cap_are_those_of_plain_sums():
    layer = make(param("Cap", "cap_param", CAP), (3, 20))
    x, d = draws((3, 20), 1), draws((3, 2, 3), 2)
    layer(torch.from_numpy(x)).backward(torch.from_numpy(d))
    wanted = np.einsum("nid,no->ido", x.reshape(3, 4, 5), d.reshape(3, 6))
    np.testing.assert_allclose(layer.blobs[0].grad, wanted, rtol=1e-9)
    np.testing.assert_allclose(layer.blobs[1].grad, d.sum(0).ravel(), rtol=1e-9)
