"""CapsuleTransform, CapsuleRouting against loops over capsules."""

import numpy as np

from tests.forks.capsules.capsules import SHAPE, param
from tests.layers.harness import Case, Error, cases, errors


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


TRANSFORM = "input_capsule_dim: 5 output_capsule_dim: 3 output_capsule_num: 2"
ROUTING = "input_capsule_num: 4 output_capsule_num: 3 output_capsule_dim: 2"

CASES = [
    Case("transform", param("CapsuleTransform", "capsule_transform_param", TRANSFORM), [SHAPE], transform),
    Case(
        "transform-no-bias",
        param("CapsuleTransform", "capsule_transform_param", TRANSFORM + " bias_term: false"),
        [(3, 4, 5)],
        transform,
    ),
    Case("routing", param("CapsuleRouting", "capsule_routing_param", ROUTING), [(5, 4, 6)], route),
]

ERRORS = [
    Error(param("CapsuleTransform", "capsule_transform_param", TRANSFORM), [(2, 7)], "input_capsule_dim 5"),
    Error(
        param("CapsuleRouting", "capsule_routing_param", ROUTING),
        [(5, 4, 7)],
        r"has 28 values and must have input_capsule_num \* output_capsule_num \* output_capsule_dim = 24",
    ),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
