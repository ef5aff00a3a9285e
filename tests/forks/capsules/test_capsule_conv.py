"""CapsuleConvTransform, CapsuleConvRouting against loops over windows."""

import numpy as np

from tests.forks.capsules.capsules import param
from tests.layers.harness import Case, Error, cases, errors


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


MAPS = "stride: 1 kh: 2 kw: 3 input_capsule_num: 2 output_capsule_num: 3 input_h: 3 input_w: 4"
SHAPES = "input_capsule_shape { dim: 2 dim: 3 } output_capsule_shape { dim: 2 dim: 5 }"
CONV, CONV_ROUTING = (
    ("CapsuleConvTransform", "capsule_conv_transform_param"),
    ("CapsuleConvRouting", "capsule_conv_routing_param"),
)
ROUTED = f"{MAPS} output_capsule_shape {{ dim: 1 dim: 2 }}"

CASES = [
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
]

test_case = cases(CASES)
test_error = errors(ERRORS)
